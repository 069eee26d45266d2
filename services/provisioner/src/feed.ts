import { type Cluster, FINALIZERS, findCondition, isTrue, type Machine } from '@shoto/api';
import type { Clock } from '@shoto/service';
import { canonical } from './cluster/store.ts';
import { CONDITIONS } from './conditions.ts';
import { stateOf } from './machine/phases/observe-server.ts';
import type { Infrastructure } from './memory.ts';
import type { ServerView } from './region/server-poller.ts';

/** What wakes which key. All pure, but for the timers of {@link Gather}. */

/** Whether a Cluster that is new to us needs a pass. */
export function clusterNeedsWork(c: Cluster): boolean {
  if (c.metadata.deletionTimestamp) return c.metadata.finalizers?.includes(FINALIZERS.infrastructure) ?? false;
  return !isTrue(c.status?.conditions, CONDITIONS.ready) || c.status?.observedGeneration !== c.metadata.generation;
}

/** Whether a change of a Cluster needs a pass: one of the spec, a deletion, or what another service says. Not our own writes. */
export function clusterChanged(now: Cluster | undefined, before: Cluster): boolean {
  if (!now) return false;
  return (
    now.metadata.generation !== before.metadata.generation ||
    now.metadata.uid !== before.metadata.uid ||
    now.metadata.deletionTimestamp !== before.metadata.deletionTimestamp ||
    canonical(now.metadata.finalizers) !== canonical(before.metadata.finalizers) ||
    canonical(said(now)) !== canonical(said(before))
  );
}

/** What other services say of a Cluster, as far as Ready is made of it. */
const said = ({ status: s }: Cluster) => [
  s?.controlPlane?.initialized,
  s?.controlPlane?.conditions,
  s?.addons?.conditions,
  s?.health?.conditions,
];

/** Whether the certificate authorities of a Cluster have just been made: user-data can be had now. */
export const pkiCameUp = (now: Cluster, before: Cluster | undefined): boolean =>
  isTrue(now.status?.controlPlane?.conditions, 'PKIReady') &&
  !isTrue(before?.status?.controlPlane?.conditions, 'PKIReady');

/** Whether a Machine that is new to us needs a pass. One whose network is not there is woken by its Cluster's pass. */
export function machineNeedsWork(m: Machine, infra: Partial<Infrastructure>): boolean {
  if (!m.metadata.finalizers?.includes(FINALIZERS.server)) return false;
  if (m.metadata.deletionTimestamp) return true;
  return !m.status?.server?.activeAt && infra.subnetId !== undefined && infra.serverGroups?.[m.spec.pool] !== undefined;
}

/** Whether a change of a Machine needs a pass over it: it shall go, or somebody let go of it. */
export function machineChanged(now: Machine | undefined, before: Machine): boolean {
  if (!now) return false;
  return (
    now.metadata.deletionTimestamp !== before.metadata.deletionTimestamp ||
    (now.metadata.deletionTimestamp !== undefined &&
      canonical(now.metadata.finalizers) !== canonical(before.metadata.finalizers))
  );
}

/** Whether a change of a Machine is news for its Cluster: at once, with others, or not at all. */
export function newsForCluster(now: Machine | undefined, before: Machine | undefined): 'now' | 'soon' | 'no' {
  if (!now) return 'now';
  if (!before) return 'no';
  if (now.metadata.deletionTimestamp !== before.metadata.deletionTimestamp) return 'now';
  const of = (m: Machine) =>
    canonical([
      m.status?.server?.state,
      findCondition(m.status?.server?.conditions, CONDITIONS.server)?.reason,
      m.status?.bootstrap?.joinedAt,
      findCondition(m.status?.bootstrap?.conditions, 'Joined')?.message,
      findCondition(m.status?.bootstrap?.conditions, 'Drained')?.message,
      m.status?.health?.ready,
    ]);
  return of(now) === of(before) ? 'no' : 'soon';
}

/** Whether what a list says of a server needs a pass over its Machine. */
export function serverNeedsPass(view: ServerView, m: Machine | undefined): boolean {
  if (!m || m.metadata.uid !== view.machineUid) return false;
  if (m.metadata.deletionTimestamp) return true;
  const state = stateOf(view.status);
  if (state === undefined) return false;
  if (!m.status?.server?.activeAt) return true;
  return m.status.server.id === view.id && m.status.server.state !== state;
}

/** Gathers news of a Cluster's machines for a while, so that a hundred joins are a few passes; urgent news goes at once. */
export class Gather {
  readonly #timers = new Map<string, () => void>();
  readonly #clock: Clock;
  readonly #ms: number;
  readonly #wake: (clusterKey: string) => void;

  constructor(clock: Clock, ms: number, wake: (clusterKey: string) => void) {
    this.#clock = clock;
    this.#ms = ms;
    this.#wake = wake;
  }

  now(key: string): void {
    this.#timers.get(key)?.();
    this.#timers.delete(key);
    this.#wake(key);
  }

  soon(key: string): void {
    if (this.#timers.has(key)) return;
    this.#timers.set(
      key,
      this.#clock.after(this.#ms, () => {
        this.#timers.delete(key);
        this.#wake(key);
      }),
    );
  }

  close(): void {
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
  }
}
