import { timestamp } from '@shoto/api';
import { RetryableError, WaitingError } from '@shoto/reconciler';
import { encodeUserData, type Server, type ServerCreate } from 'openstack-client-ts';
import { isConflict, mayHaveHappened } from '../../cloud/errors.ts';
import { METADATA, machineTags } from '../../names.ts';
import { decideServer } from '../decide-server.ts';
import { mayDestroy } from '../may-destroy.ts';
import type { MachinePass } from '../pass.ts';
import { ensurePort } from './ensure-port.ts';

/** Microversion from which Nova takes a host name of its own. */
const HOSTNAME = '2.90';

/**
 * Port, then server. Never asks for a second server: see `decideServer`.
 *
 * Afterwards `memory.serverId` is set.
 * @throws {WaitingError} while it is unsure whether a server is coming, or the bootstrap-worker is not ready to say what it boots with
 */
export async function ensureServer(pass: MachinePass): Promise<void> {
  const { memory, d, machine } = pass;
  if (memory.serverId) return;
  const now = d.clock.now();
  if (memory.retryAt !== undefined && now < memory.retryAt)
    throw new WaitingError('Backoff', `the server of ${pass.key} is tried again soon`, memory.retryAt - now);
  const ref = { namespace: machine.metadata.namespace as string, name: machine.metadata.name };
  // A new port and its user-data are needed both: side by side.
  const early = memory.port ? undefined : d.userData(ref, pass.signal);
  early?.catch(() => {}); // its error counts only if it is needed
  await ensurePort(pass);
  if (memory.serverId) return;
  if (!memory.port?.fresh) memory.unsureSince ??= now;
  const decision = decideServer({
    fresh: memory.port?.fresh ?? false,
    unsureSince: memory.unsureSince,
    ...(memory.port?.fresh && memory.unsureSince === undefined
      ? { portDevice: undefined, byName: [] }
      : await look(pass)),
    now: d.clock.now(),
    unsureMs: d.times.unsureMs,
  });
  switch (decision.do) {
    case 'adopt':
      if (decision.extra.length > 0) mayDestroy(pass);
      memory.serverId = decision.id;
      delete memory.unsureSince;
      delete memory.unanswered;
      for (const id of decision.extra) await removeDouble(pass, id);
      return;
    case 'wait':
      throw unsure(pass, 'and asked for then if there is none', decision.ms);
    case 'create':
      return await create(pass, await (early ?? d.userData(ref, pass.signal)));
  }
}

/**
 * Nobody knows whether the cloud makes a server for the Machine. The text stays the same as long as it is so.
 *
 * @param then - what is done when the time is over
 */
export function unsure({ memory, d }: MachinePass, then: string, ms: number): WaitingError {
  const since = memory.unsureSince ?? d.clock.now();
  const asked = memory.unanswered
    ? `the cloud was asked for a server and had not answered at ${timestamp(since)}`
    : `an earlier process made the port of the machine, and may have asked the cloud for its server before ${timestamp(since)}`;
  return new WaitingError(
    'ServerUnsure',
    `${asked}: one may still come. It is looked for until ${timestamp(since + d.times.unsureMs)}, ${then}`,
    ms,
  );
}

/** Looks live: who has the port, and which servers of that name are provably the Machine's. */
export async function look(pass: MachinePass): Promise<{ portDevice: string | undefined; byName: string[] }> {
  const { region, key, memory, signal, machine, uid } = pass;
  const portId = memory.port?.id;
  const [port, servers] = await Promise.all([
    portId
      ? region.cloud.find(`look up the port of ${key}`, (c, o) => c.network.ports.get(portId, o), signal)
      : undefined,
    region.cloud.call(
      `look up the server of ${key}`,
      (c, o) => c.compute.servers.list({ name: `^${machine.metadata.name}$` }, o).all(),
      signal,
    ),
  ]);
  if (portId && !port) delete memory.port; // somebody deleted it
  const ours = servers.filter((s) => s.metadata[METADATA.machineUid] === uid && s.status !== 'DELETED');
  return { portDevice: port?.device_id, byName: ours.map((s) => s.id) };
}

async function create(pass: MachinePass, userData: string): Promise<void> {
  const { memory, d, region, key, signal } = pass;
  const body = serverBody(pass, userData);
  let server: { id: string };
  try {
    server = await region.cloud.call(
      `make the server of ${key}`,
      async (c, o) => {
        const offered = await c.compute.client.microversion(o);
        const hostname = offered !== undefined && isAtLeast(offered, HOSTNAME) ? { hostname: body.name } : {};
        return await c.compute.servers.create({ ...body, ...hostname }, { ...o, retries: 0 });
      },
      signal,
    );
  } catch (e) {
    // Either it may still come, or the port is taken: from now on only looking tells.
    if (mayHaveHappened(e) || isConflict(e)) {
      memory.unsureSince = d.clock.now();
      memory.unanswered = mayHaveHappened(e);
    } else if (e instanceof RetryableError && e.reason === 'QuotaExceeded') backOff(pass);
    throw e;
  }
  memory.serverId = server.id;
  memory.askedAt = d.clock.now();
  delete memory.unsureSince;
  delete memory.unanswered;
  if (memory.port) memory.port.fresh = false;
  region.servers.expect(server.id);
}

/** The next attempt comes after a pause that grows with each failure in a row. */
export function backOff(pass: MachinePass): void {
  const { memory, d } = pass;
  const pause = Math.min(d.times.retryMaxMs, d.times.retryMs * 2 ** Math.min(memory.failures, 20));
  memory.failures++;
  memory.retryAt = d.clock.now() + pause;
}

function serverBody(pass: MachinePass, userData: string): ServerCreate {
  const { machine, infra, owner, uid, key, memory } = pass;
  const { spec } = machine;
  const group = infra.serverGroups?.[spec.pool];
  return {
    name: machine.metadata.name,
    flavorRef: spec.flavor,
    networks: [{ port: memory.port?.id as string }],
    user_data: encodeUserData(userData),
    tags: machineTags(owner, uid),
    metadata: {
      [METADATA.installation]: owner.installation,
      [METADATA.clusterUid]: owner.clusterUid,
      [METADATA.machineUid]: uid,
      [METADATA.machine]: key,
    },
    ...(spec.zone === undefined ? {} : { availability_zone: spec.zone }),
    ...(group === undefined ? {} : { 'os:scheduler_hints': { group } }),
    ...(spec.rootVolume
      ? {
          block_device_mapping_v2: [
            {
              boot_index: 0,
              uuid: spec.image,
              source_type: 'image' as const,
              destination_type: 'volume' as const,
              volume_size: spec.rootVolume.sizeGiB,
              delete_on_termination: true,
              ...(spec.rootVolume.type ? { volume_type: spec.rootVolume.type } : {}),
            },
          ],
        }
      : { imageRef: spec.image }),
  };
}

/** A second server of this Machine, that does not have its port: provably ours, never in use. */
async function removeDouble(pass: MachinePass, id: string): Promise<void> {
  const { region, key, signal, d, machine } = pass;
  d.log.warn(
    {
      cluster: `${machine.metadata.namespace}/${machine.spec.cluster.name}`,
      machine: machine.metadata.name,
      server: id,
    },
    'two servers of one machine: the one without its port is deleted',
  );
  await region.cloud.remove(`delete the second server of ${key}`, (c, o) => c.compute.servers.delete(id, o), signal);
}

/** The server as the cloud has it now; undefined when it is gone. */
export async function readServer(pass: MachinePass, id: string): Promise<Server | undefined> {
  const server = await pass.region.cloud.find(
    `look up the server of ${pass.key}`,
    (c, o) => c.compute.servers.get(id, o),
    pass.signal,
  );
  return server?.status === 'DELETED' ? undefined : server;
}

function isAtLeast(version: string, least: string): boolean {
  const [a, b] = [version, least].map((v) => v.split('.').map(Number)) as [number[], number[]];
  return (a[0] ?? 0) !== (b[0] ?? 0) ? (a[0] ?? 0) > (b[0] ?? 0) : (a[1] ?? 0) >= (b[1] ?? 0);
}
