import type { FaultAction, NodeFault } from '../../core/faults.ts';
import type { Cloud } from '../cloud.ts';
import { allocate } from '../network/addresses.ts';
import { checkQuota, newBase } from '../network/collection.ts';
import { defaultGroup } from '../network/groups.ts';
import { blankPort, releasePort, setDevice } from '../network/ports.ts';
import type { Port } from '../network/state.ts';
import { attachVolume, createVolumeFor, detachVolume, removeVolume } from '../volume/attach.ts';
import { schedule } from './scheduler.ts';
import type { RequestedDisk, RequestedNetwork, Server, ServerAction } from './state.ts';

/** What a server was asked to be made with. */
export interface BootRequest {
  networks: RequestedNetwork[];
  disks: RequestedDisk[];
  doom: FaultAction | undefined;
}

/** Stores a change of a server: updated time and indexes. */
export function change(cloud: Cloud, s: Server, changes: Partial<Server>): void {
  Object.assign(s, changes);
  s.updatedAt = cloud.clock.now();
  if (cloud.compute.servers.get(s.id) === s) cloud.compute.servers.save(s);
}

/** Starts an entry in the server's list of actions. */
export function startAction(cloud: Cloud, s: Server, action: string, requestId: string, userId: string): ServerAction {
  const entry: ServerAction = {
    action,
    requestId,
    userId,
    projectId: s.projectId,
    startedAt: cloud.clock.now(),
    finishedAt: null,
    result: null,
    message: null,
    host: s.host,
  };
  s.actions.unshift(entry);
  return entry;
}

/** Ends it. */
export function endAction(cloud: Cloud, entry: ServerAction, error?: string): void {
  entry.finishedAt = cloud.clock.now();
  entry.result = error === undefined ? 'Success' : 'Error';
  entry.message = error === undefined ? null : 'Error';
}

/** Puts a server in ERROR with a fault. */
export function fail(cloud: Cloud, s: Server, message: string, code = 500): void {
  change(cloud, s, {
    status: 'ERROR',
    vmState: 'error',
    taskState: null,
    fault: { code, message, created: cloud.clock.now(), details: '' },
  });
}

/** Leads a new server from scheduling to ACTIVE or ERROR, in the background. */
export function boot(cloud: Cloud, s: Server, request: BootRequest, action: ServerAction): void {
  const total = cloud.latency.sample('nova.server.boot', () => s.id);
  const alive = () => cloud.compute.servers.get(s.id) === s && s.taskState !== 'deleting';
  const abort = (message: string) => {
    fail(cloud, s, message);
    endAction(cloud, action, message);
  };
  const stage = (share: number, fn: () => void) => {
    cloud.clock.setTimeout(() => {
      if (!alive()) return;
      try {
        fn();
      } catch (error) {
        abort(`Build of instance ${s.id} aborted: ${error instanceof Error ? error.message : String(error)}`);
      }
    }, total * share);
  };
  stage(0.1, () => {
    const host = schedule(cloud, s);
    if (!host) {
      abort('No valid host was found. There are not enough hosts available.');
      return;
    }
    change(cloud, s, { host: host.name, zone: host.zone, taskState: 'networking' });
    action.host = host.name;
    stage(0.3, () => {
      plugNetworks(cloud, s, request.networks);
      change(cloud, s, {
        taskState: request.disks.some((d) => d.destination === 'volume') ? 'block_device_mapping' : 'spawning',
      });
      plugDisks(cloud, s, request.disks);
      change(cloud, s, { taskState: 'spawning' });
      stage(0.6, () => {
        if (request.doom?.type === 'serverError') {
          abort(request.doom.message);
          return;
        }
        const now = cloud.clock.now();
        change(cloud, s, { status: 'ACTIVE', vmState: 'active', taskState: null, powerState: 1, launchedAt: now });
        endAction(cloud, action);
        powerOn(cloud, s);
        const { doom } = request;
        if (doom?.type === 'node') cloud.clock.setTimeout(() => failMachine(cloud, s, doom), doom.afterMs);
      });
    });
  });
}

/** Lets the machine behind a server fail as ordered. */
export function failMachine(cloud: Cloud, s: Server, f: NodeFault): void {
  if (f.fault === 'powerOff') powerOffBehind(cloud, s);
  else cloud.events.nodeFault({ serverId: s.id, fault: f.fault, forMs: f.forMs, curedBy: f.curedBy });
}

/** Somebody switches the machine off without Nova, which finds out when it next compares. */
function powerOffBehind(cloud: Cloud, s: Server): void {
  if (s.vmState !== 'active') return;
  cloud.hypervisor.powerOff(s.id, 'hard');
  cloud.clock.setTimeout(
    () => {
      const known = cloud.compute.servers.get(s.id) === s && s.vmState === 'active' && s.taskState === null;
      if (known) change(cloud, s, { status: 'SHUTOFF', vmState: 'stopped', powerState: 4 });
    },
    cloud.latency.sample('nova.power.sync', () => s.id),
  );
}

/** Starts the machine behind a server. */
export function powerOn(cloud: Cloud, s: Server): void {
  const image = cloud.image.images.get(s.imageId || bootImage(cloud, s));
  cloud.hypervisor.powerOn({
    id: s.id,
    name: s.name,
    userData: s.userData === null ? '' : Buffer.from(s.userData, 'base64').toString('utf8'),
    metadata: s.metadata,
    flavor: { vcpus: s.flavor.vcpus, ramMiB: s.flavor.ram, diskGiB: s.flavor.disk },
    imageId: image?.id ?? '',
    image: { id: image?.id ?? '', name: image?.name ?? '', properties: image?.properties ?? {} },
    zone: s.zone,
    ports: s.portIds.flatMap((id) => {
      const p = cloud.network.ports.get(id);
      const fixed = p?.fixed_ips[0];
      if (!p || !fixed) return [];
      return [
        {
          id: p.id,
          mac: p.mac_address,
          address: fixed.ip_address,
          subnetCidr: cloud.network.subnets.get(fixed.subnet_id)?.cidr ?? '',
          networkId: p.network_id,
          floatingIp: () => cloud.network.floatingAddress(p.id),
        },
      ];
    }),
  });
}

/** The image that the root volume was made from. */
function bootImage(cloud: Cloud, s: Server): string {
  const root = s.volumes.find((v) => v.bootIndex === 0) ?? s.volumes[0];
  return root ? (cloud.volume.volumes.get(root.volumeId)?.imageId ?? '') : '';
}

function plugNetworks(cloud: Cloud, s: Server, networks: RequestedNetwork[]): void {
  for (const wanted of networks) {
    if ('portId' in wanted) {
      const port = cloud.network.ports.get(wanted.portId);
      if (!port) throw new Error(`Port ${wanted.portId} could not be found.`);
      if (port.device_id !== '' && port.device_id !== s.id) throw new Error(`Port ${port.id} is still in use.`);
      plug(cloud, s, port, false);
    } else {
      plug(cloud, s, makePort(cloud, s, wanted.networkId, wanted.fixedIp, s.securityGroups), true);
    }
  }
}

/** A port of Nova's own making for a server. */
export function makePort(cloud: Cloud, s: Server, networkId: string, fixedIp: string | null, groups: string[]): Port {
  const network = cloud.network.networks.get(networkId);
  if (!network) throw new Error(`Network ${networkId} could not be found.`);
  checkQuota(cloud, 'port', cloud.network.ports, s.projectId);
  const port = blankPort(cloud, newBase(cloud, s.projectId), network);
  port.fixed_ips = allocate(cloud, network, fixedIp === null ? undefined : [{ ip_address: fixedIp }]);
  if (port.port_security_enabled)
    port.security_groups = groups.length > 0 ? groups : [defaultGroup(cloud, s.projectId).id];
  return cloud.network.ports.save(port);
}

/** Puts a port into a server. */
export function plug(cloud: Cloud, s: Server, port: Port, own: boolean): void {
  setDevice(cloud, port, s.id, `compute:${s.zone}`, s.host ?? '');
  change(cloud, s, { portIds: [...s.portIds, port.id], ownPortIds: own ? [...s.ownPortIds, port.id] : s.ownPortIds });
}

/** Takes a port out of a server; Nova's own are deleted, others given back. */
export function unplug(cloud: Cloud, s: Server, portId: string): void {
  const port = cloud.network.ports.get(portId);
  if (port && port.device_id === s.id) {
    if (s.ownPortIds.includes(portId)) releasePort(cloud, port);
    else setDevice(cloud, port, '', '', '');
  }
  change(cloud, s, {
    portIds: s.portIds.filter((id) => id !== portId),
    ownPortIds: s.ownPortIds.filter((id) => id !== portId),
  });
}

function plugDisks(cloud: Cloud, s: Server, disks: RequestedDisk[]): void {
  disks.forEach((disk, at) => {
    if (disk.destination !== 'volume') return;
    const volumeId = disk.source === 'volume' ? disk.uuid! : createVolumeFor(cloud, s, disk);
    const device =
      disk.device ??
      `/dev/vd${String.fromCharCode(97 + (disk.bootIndex === 0 ? 0 : at + (disks.some((d) => d.bootIndex === 0 && d.destination === 'volume') ? 0 : 1)))}`;
    attachVolume(cloud, s, volumeId, {
      device,
      deleteOnTermination: disk.deleteOnTermination,
      bootIndex: disk.bootIndex,
      tag: disk.tag,
    });
  });
}

/** Deletes a server in the background: first the machine, then what Nova made for it. */
export function destroy(cloud: Cloud, s: Server, action: ServerAction): void {
  change(cloud, s, { taskState: 'deleting' });
  cloud.clock.setTimeout(() => {
    if (cloud.compute.servers.get(s.id) !== s) return;
    cloud.hypervisor.destroy(s.id);
    for (const id of [...s.portIds]) unplug(cloud, s, id);
    for (const v of [...s.volumes]) {
      detachVolume(cloud, s, v.volumeId);
      if (v.deleteOnTermination) removeVolume(cloud, v.volumeId);
    }
    // Ports that hold this server's id though it never came to plugging.
    for (const port of [...cloud.network.ports.by('device', s.id)]) setDevice(cloud, port, '', '', '');
    const group = s.groupId === null ? undefined : cloud.compute.groups.get(s.groupId);
    if (group) group.members = group.members.filter((id) => id !== s.id);
    const now = cloud.clock.now();
    cloud.compute.servers.delete(s.id);
    cloud.compute.count(s.projectId, s.flavor, -1);
    // Tags go with the server, so a tag filter never finds a deleted one.
    Object.assign(s, {
      status: 'DELETED',
      vmState: 'deleted',
      taskState: null,
      powerState: 0,
      updatedAt: now,
      terminatedAt: now,
      deletedAt: now,
      tags: [],
    });
    cloud.compute.gone.save(s);
    endAction(cloud, action);
  }, cloud.latency.sample('nova.server.destroy'));
}
