import type { ConditionInput } from '@shoto/api';
import type { Outcome } from '@shoto/reconciler';
import type { Server } from 'openstack-client-ts';
import { faultOf } from '../../cloud/errors.ts';
import { bad, CONDITIONS, good } from '../../conditions.ts';
import type { ServerView } from '../../region/server-poller.ts';
import { isInDoubt } from '../decide-order.ts';
import { type MachineEvent, tell } from '../events.ts';
import type { MachinePass } from '../pass.ts';
import { type ServerFields, stateOf, storedFields, writeServer } from '../server-map.ts';
import { readServer } from './ensure-server.ts';

/** What was seen of a server, in a list or by a look at it alone. */
type Seen = Pick<ServerView, 'status' | 'hostId'> & {
  /** The server by itself, when it was looked at; undefined: only a list told. */
  live?: { server: Server | undefined };
};

const seenOf = (server: Server | undefined): Seen => ({
  status: server?.status ?? 'DELETED',
  hostId: server?.hostId || undefined,
  live: { server },
});

/**
 * A server that ran already: says what became of it, whichever way. To mend it is the business of self-healing.
 *
 * What no list tells (it was purged, or shut off while nobody looked) a look at the server alone does: when its node is silent or missing, or the
 * region's full list lacks it; at most once per `recheckMs`.
 */
export async function followServer(pass: MachinePass): Promise<Outcome> {
  const { memory, region, d } = pass;
  const id = pass.machine.status?.server?.id;
  if (!id) return;
  const now = d.clock.now();
  const again = () => (memory.lookedAt ?? Number.NEGATIVE_INFINITY) + d.times.recheckMs - now;
  if ((memory.unlisted || isInDoubt(pass.machine)) && again() <= 0) {
    const server = await readServer(pass, id);
    memory.lookedAt = now;
    delete memory.unlisted;
    await stateServer(pass, seenOf(server));
  } else {
    const view = region.servers.get(id);
    if (view) await stateServer(pass, view);
  }
  return memory.unlisted || isInDoubt(pass.machine) ? { requeueAfterMs: Math.max(1, again()) } : undefined;
}

/**
 * The server of a Machine that goes, while its node is not out of its cluster yet: a node whose server is gone needs no drain and could never
 * be drained, so that it is gone must be told. What no list tells (it was deleted while nobody looked) a look of our own does, seldom.
 */
export async function followLeaving(pass: MachinePass): Promise<Outcome> {
  const { machine, region, memory, cluster, d } = pass;
  const server = machine.status?.server;
  // With the whole cluster no node is waited for.
  if (!server?.id || server.state === 'Gone' || !cluster || cluster.metadata.deletionTimestamp) return undefined;
  const now = d.clock.now();
  const listed = region.servers.get(server.id);
  // A list is believed for a while: most nodes are out long before that.
  memory.leavingLookedAt ??= listed && stateOf(listed.status) !== 'Gone' ? now : Number.NEGATIVE_INFINITY;
  if (now - memory.leavingLookedAt < d.times.recheckMs) {
    if (listed) await stateServer(pass, listed);
  } else {
    const found = await readServer(pass, server.id);
    memory.leavingLookedAt = now;
    await stateServer(pass, seenOf(found));
  }
  if (pass.machine.status?.server?.state === 'Gone') return undefined;
  return { requeueAfterMs: memory.leavingLookedAt + d.times.recheckMs - now };
}

/** States that a server was found gone, with `more` in the same write. */
export const stateGone = (pass: MachinePass, more: Partial<ServerFields>): Promise<void> =>
  stateServer(pass, seenOf(undefined), more);

/** States what a status of Nova's means for a server that ran already. */
async function stateServer(pass: MachinePass, seen: Seen, more: Partial<ServerFields> = {}): Promise<void> {
  const { machine } = pass;
  const server = machine.status?.server;
  const id = server?.id;
  if (!server || !id) return;
  const was = server.state;
  const { state, condition } = await meaning(pass, id, seen);
  const hostId = seen.hostId ?? server.hostId;
  await writeServer(
    pass,
    { ...storedFields(pass), ...more, ...(state ? { state } : {}), ...(hostId ? { hostId } : {}) },
    state === was ? undefined : condition,
  );
  const event = EVENTS[condition?.reason ?? ''];
  if (event && condition && state !== was) await tell(pass, event, condition.message);
}

const EVENTS: Record<string, MachineEvent> = {
  ServerGone: { type: 'Warning', reason: 'ServerGone', action: 'FollowServer' },
  ServerStopped: { type: 'Warning', reason: 'ServerStopped', action: 'FollowServer' },
  ServerFailed: { type: 'Warning', reason: 'ServerFailed', action: 'FollowServer' },
};

/** The state that a status leads to, and what is said of it; the state as it is where the status is in between. */
async function meaning(
  pass: MachinePass,
  id: string,
  seen: Seen,
): Promise<{ state: ServerFields['state']; condition?: ConditionInput }> {
  const { machine } = pass;
  const was = machine.status?.server?.state;
  const state = stateOf(seen.status);
  if (state === undefined || state === was) return { state: was };
  if (state === 'Gone') {
    // A list may say so of a server that is only on its way; gone is what the cloud says of it alone.
    const left = seen.live ? seen.live.server : await readServer(pass, id);
    const isOff = left?.status === 'SOFT_DELETED' && machine.metadata.deletionTimestamp !== undefined;
    if (left && !isOff) return { state: was ?? 'Active' };
    const next = machine.metadata.deletionTimestamp
      ? 'its node goes without a drain'
      : 'another machine is made in its place';
    return {
      state,
      condition: bad(CONDITIONS.server, 'ServerGone', `the server ${id} was deleted, and not by Shoto: ${next}`),
    };
  }
  if (state === 'Stopped')
    return { state, condition: bad(CONDITIONS.server, 'ServerStopped', `the server ${id} is shut off`) };
  if (state === 'Error') {
    const fault = faultOf((seen.live?.server ?? (await readServer(pass, id)))?.fault);
    return {
      state,
      condition: bad(CONDITIONS.server, 'ServerFailed', `the server ${id} is in ERROR: ${fault.message}`),
    };
  }
  return { state, condition: good(CONDITIONS.server, 'Active', 'the server runs') };
}
