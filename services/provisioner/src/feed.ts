import { ANNOTATIONS, type Cluster, FINALIZERS, findCondition, isTrue, type Machine } from '@shoto/api';
import type { Clock } from '@shoto/service';
import { canonical } from './cluster/store.ts';
import { CONDITIONS } from './conditions.ts';
import type { Deps } from './deps.ts';
import { isInDoubt, openOrder } from './machine/decide-order.ts';
import { stateOf } from './machine/server-map.ts';
import type { Infrastructure } from './memory.ts';
import type { ServerView } from './region/server-poller.ts';

/** What wakes which key. All pure, but for the timers of {@link Gather}. */

/**
 * Whether a Cluster that is new to us needs a pass.
 *
 * @param stop - of the fleet, as Deps has it: a Cluster says whether it is on
 */
export function clusterNeedsWork(c: Cluster, stop?: ReturnType<Deps['emergencyStop']>): boolean {
  if (c.metadata.deletionTimestamp) return c.metadata.finalizers?.includes(FINALIZERS.infrastructure) ?? false;
  const { conditions, observedGeneration } = c.status ?? {};
  return (
    !isTrue(conditions, CONDITIONS.ready) ||
    observedGeneration !== c.metadata.generation ||
    isUnderway(c) ||
    (stop !== 'unknown' && isTrue(c.status?.infrastructure?.conditions, 'EmergencyStop') !== (stop !== undefined))
  );
}

/** Whether machines of a Cluster are being replaced, or are to be. */
export const isUnderway = (c: Cluster): boolean =>
  c.status?.infrastructure?.rollout !== undefined ||
  findCondition(c.status?.infrastructure?.conditions, 'UpToDate')?.status === 'False';

/** Whether a Machine by itself is work for its Cluster: it is to be replaced, or is kept for study. */
export const machineForCluster = (m: Machine): boolean =>
  m.metadata.deletionTimestamp === undefined &&
  (openOrder(m)?.action === 'Replace' ||
    m.status?.server?.state === 'Gone' ||
    m.metadata.annotations?.[ANNOTATIONS.keepUntil] !== undefined);

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

/** What other services say of a Cluster, as far as Ready is made of it, or a step of an upgrade waits for it. */
const said = ({ status: s }: Cluster) => [
  s?.controlPlane?.initialized,
  s?.controlPlane?.configRelease,
  s?.controlPlane?.addonsRelease,
  s?.controlPlane?.conditions,
  s?.addons?.conditions,
  s?.addons?.readyFor,
  s?.addons?.blocked,
  // An addon that is gone may have been the last that needs credentials.
  s?.infrastructure?.addonCredentials?.current && s.addons?.items?.map((i) => i.name),
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
  if (m.status?.server?.activeAt) return openOrder(m) !== undefined || isInDoubt(m);
  return infra.subnetId !== undefined && infra.serverGroups?.[m.spec.pool] !== undefined;
}

/**
 * Whether a change of a Machine needs a pass over it: it shall go, somebody let go of it, its node is out of its cluster's etcd, self-healing
 * ordered something, or its node fell silent.
 */
export function machineChanged(now: Machine | undefined, before: Machine): boolean {
  if (!now) return false;
  const { deletionTimestamp, finalizers, annotations } = now.metadata;
  if (deletionTimestamp !== before.metadata.deletionTimestamp) return true;
  if (deletionTimestamp !== undefined)
    return (
      canonical(finalizers) !== canonical(before.metadata.finalizers) ||
      annotations?.[ANNOTATIONS.force] !== before.metadata.annotations?.[ANNOTATIONS.force]
    );
  const order = openOrder(now);
  return (order !== undefined && order.number !== openOrder(before)?.number) || (isInDoubt(now) && !isInDoubt(before));
}

/** Whether a change of a Machine is news for its Cluster: at once, with others, or not at all. */
export function newsForCluster(now: Machine | undefined, before: Machine | undefined): 'now' | 'soon' | 'no' {
  if (!now) return 'now';
  if (!before) return 'no';
  const urgent = (m: Machine) =>
    canonical([m.metadata.deletionTimestamp, m.status?.health?.order?.action === 'Replace' ? openOrder(m)?.number : 0]);
  if (urgent(now) !== urgent(before)) return 'now';
  const of = (m: Machine) =>
    canonical([
      m.metadata.generation,
      m.metadata.annotations?.[ANNOTATIONS.keepUntil],
      m.status?.server?.state,
      findCondition(m.status?.server?.conditions, CONDITIONS.server)?.reason,
      m.status?.bootstrap?.joinedAt,
      findCondition(m.status?.bootstrap?.conditions, 'Joined')?.message,
      findCondition(m.status?.bootstrap?.conditions, 'Drained')?.message,
      findCondition(m.status?.bootstrap?.conditions, 'MemberRemoved')?.status,
      m.status?.health?.ready,
      m.status?.health?.unreachable,
      m.status?.health?.order?.number,
    ]);
  return of(now) === of(before) ? 'no' : 'soon';
}

/** Whether what a list says of a server needs a pass over its Machine. */
export function serverNeedsPass(view: ServerView, m: Machine | undefined): boolean {
  if (!m || m.metadata.uid !== view.machineUid) return false;
  if (m.metadata.deletionTimestamp) return true;
  const state = stateOf(view.status);
  if (state === undefined) return false;
  const server = m.status?.server;
  if (!server?.activeAt) return true;
  // A server that moved to another host is told at once: who shares a host is what the brake of healing goes by.
  return (
    server.id === view.id && (server.state !== state || (view.hostId !== undefined && server.hostId !== view.hostId))
  );
}

/** Whether a full list of its region's servers lacks the server of a Machine that had one: that proves nothing, but asks for a look at it alone. */
export const isUnlisted = (m: Machine, ids: ReadonlySet<string>): boolean => {
  const server = m.status?.server;
  return server?.activeAt !== undefined && server.id !== undefined && server.state !== 'Gone' && !ids.has(server.id);
};

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
