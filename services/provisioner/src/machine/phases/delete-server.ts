import { findCondition } from '@shoto/api';
import { WaitingError } from '@shoto/reconciler';
import type { Server } from 'openstack-client-ts';
import { isConflict } from '../../cloud/errors.ts';
import { backendsOf } from '../../cluster/control-planes.ts';
import { bad, CONDITIONS } from '../../conditions.ts';
import { machinesOf } from '../../deps.ts';
import type { MachinePass } from '../pass.ts';
import { stateCondition } from '../server-map.ts';
import { adopt, findPort } from './ensure-port.ts';
import { look, readServer, unsure } from './ensure-server.ts';

/** Whether the Machine's whole Cluster goes, or is gone. */
const isWhole = ({ cluster }: MachinePass): boolean => !cluster || cluster.metadata.deletionTimestamp !== undefined;

/**
 * A leaving control-plane machine of a living Cluster gets no more requests: its back end is out of the endpoint, and the Machine says so, before its
 * etcd member and node go. The Cluster's pass takes it out, since that is who sets the members. Where the server is gone nothing answers any more:
 * that is said at once, so that an endpoint that cannot be changed just now holds up no repair of etcd.
 *
 * @throws {WaitingError} until it is out
 */
export async function leaveEndpoint(pass: MachinePass): Promise<void> {
  const { machine, d, cluster, region } = pass;
  if (machine.spec.role !== 'control-plane' || isWhole(pass) || !cluster) return;
  const address = pass.memory.port?.address ?? machine.status?.server?.addresses?.[0];
  const portId = pass.memory.port?.id ?? machine.status?.server?.portId;
  const ofCluster = d.memory.cluster(cluster.metadata.uid as string);
  const { type } = region.region.spec.apiEndpoint;
  const others = backendsOf(machinesOf(d, cluster), d.memory);
  const isIn =
    type === 'LoadBalancer'
      ? address !== undefined &&
        pass.infra.loadBalancerPoolId !== undefined &&
        (ofCluster.members?.has(address) ?? true)
      : type === 'FloatingIP' && portId !== undefined && others.length > 0 && (ofCluster.boundTo ?? portId) === portId;
  const isGone = machine.status?.server?.state === 'Gone';
  if (isIn && isGone && !findCondition(machine.status?.server?.conditions, CONDITIONS.inEndpoint))
    d.wake.cluster(`${machine.metadata.namespace}/${cluster.metadata.name}`);
  if (isIn && !isGone) {
    d.wake.cluster(`${machine.metadata.namespace}/${cluster.metadata.name}`);
    throw new WaitingError('LeavingEndpoint', `${pass.key} is being taken out of the API endpoint`, 1_000);
  }
  if (address)
    await stateCondition(pass, bad(CONDITIONS.inEndpoint, 'Removed', 'the machine is out of the API endpoint'));
}

/**
 * Deletes the server, then its volumes, then its port, each until the cloud says 404. Finds them also when an earlier pass made them and said nothing.
 *
 * @throws {WaitingError} while something is still going, or a server may still come
 */
export async function deleteServer(pass: MachinePass): Promise<void> {
  const { region, memory, uid, owner } = pass;
  if (!region.deletions.enter(uid, owner.clusterUid, isWhole(pass)))
    throw new WaitingError('DeletionCap', 'as many servers are being deleted as may be at once', 2_000);
  for (const id of await serversOf(pass)) await deleteOne(pass, id);
  await volumesGone(pass);
  await deletePort(pass);
  region.deletions.leave(uid);
  if (memory.serverId) region.servers.forget(memory.serverId);
}

/** All servers that are, or may be, the Machine's. */
async function serversOf(pass: MachinePass): Promise<string[]> {
  const { memory, machine, d } = pass;
  const known = memory.serverId ?? machine.status?.server?.id;
  if (known) return [known];
  // Without a port nobody ever asked for a server.
  const port = await findPort(pass);
  if (!port) {
    delete memory.port;
    return [];
  }
  if (!memory.port) adopt(pass, port, true);
  const { portDevice, byName } = await look(pass);
  const found = [...new Set([...(portDevice ? [portDevice] : []), ...byName])];
  if (found.length > 0) {
    memory.serverId = found[0] as string;
    return found;
  }
  const left = memory.unsureSince === undefined ? 0 : memory.unsureSince + d.times.unsureMs - d.clock.now();
  if (left > 0) throw unsure(pass, 'deleted if it comes, and then the machine goes', Math.min(left, 5_000));
  return [];
}

async function deleteOne(pass: MachinePass, id: string): Promise<void> {
  const { region, key, signal, memory, d } = pass;
  // Where nothing is to be learned from it first, a server is not looked at before it is deleted, only afterwards.
  const server = isLookedAtFirst(pass) ? await readServer(pass, id) : undefined;
  if (isLookedAtFirst(pass) && !server) return;
  memory.serverId = id;
  if (server) memory.volumes ??= rootVolumesOf(server);
  if (server?.['OS-EXT-STS:task_state'] !== 'deleting') {
    await region.cloud.remove(
      `delete the server of ${key}`,
      (c, o) =>
        server?.status === 'SOFT_DELETED' ? c.compute.servers.forceDelete(id, o) : c.compute.servers.delete(id, o),
      signal,
    );
    memory.deleteAsked = true;
    region.servers.expect(id);
  }
  // The region's poller wakes us; a look of our own is only for when it does not.
  throw new WaitingError(
    'ServerDeleting',
    `the cloud is deleting the server of ${key}`,
    Math.min(10_000, d.times.lookAgainMs),
  );
}

/** Whether a server's state matters before it is deleted: what became of an earlier call, which volumes it has, whether it is there at all. */
const isLookedAtFirst = ({ memory, machine }: MachinePass): boolean =>
  memory.deleteAsked === true ||
  machine.spec.rootVolume !== undefined ||
  machine.status?.server?.state === 'Gone' ||
  machine.status?.server?.id === undefined;

/** Volumes that go with the server. Others were attached later, by people or by a cluster's CSI driver: Nova lets go of them, and they stay. */
const rootVolumesOf = (server: Server): string[] =>
  (server['os-extended-volumes:volumes_attached'] ?? [])
    .filter((v) => v.delete_on_termination !== false)
    .map((v) => v.id);

/** The root volume goes with its server; gone is what the cloud says of it. */
async function volumesGone(pass: MachinePass): Promise<void> {
  const { region, key, signal, memory, machine } = pass;
  if (!machine.spec.rootVolume) return;
  for (const id of memory.volumes ?? []) {
    const volume = await region.cloud.find(
      `look up a volume of ${key}`,
      (c, o) => c.blockStorage.volumes.get(id, o),
      signal,
    );
    if (!volume) continue;
    // An old Nova does not say which volumes go with the server; the root volume is one that a machine can boot from.
    if (volume.bootable !== 'true' && volume.status !== 'deleting') continue;
    throw new WaitingError('VolumeDeleting', `the cloud is deleting the root volume of ${key}`, 1_000);
  }
}

async function deletePort(pass: MachinePass): Promise<void> {
  const { region, key, signal, memory, machine } = pass;
  const id = memory.port?.id ?? machine.status?.server?.portId;
  if (!id) return;
  try {
    await region.cloud.remove(`delete the port of ${key}`, (c, o) => c.network.ports.delete(id, o), signal);
  } catch (e) {
    if (!isConflict(e)) throw e;
    throw new WaitingError('PortInUse', `the port of ${key} is still in use`, 1_000);
  }
  // Neutron answers when the port is out of its database; a call without an answer is repeated, until it says 204 or 404.
}
