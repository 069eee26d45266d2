import { ApiError, isObject } from '../../core/message.ts';
import type { Auth, Cloud } from '../cloud.ts';
import type { Network } from '../network/state.ts';
import { schemaError, show } from './dialect.ts';
import type { RequestedNetwork } from './state.ts';

/** Which ports and networks a new server gets; 400, 403 or 409 in Nova's words. */
export function requestedNetworks(cloud: Cloud, given: unknown, auth: Auth): RequestedNetwork[] {
  const { network } = cloud;
  if (given === 'none') return [];
  if (given === undefined || given === 'auto' || (Array.isArray(given) && given.length === 0)) {
    const own = [...network.networks.by('project', auth.projectId)];
    const shared = own.length > 0 ? [] : [...network.networks.values()].filter((n) => n.shared);
    const usable = [...own, ...shared].filter(
      (n) => !n['router:external'] && network.subnets.count('network', n.id) > 0,
    );
    if (usable.length > 1 && given !== 'auto')
      throw new ApiError(409, 'Multiple possible networks found, use a Network ID to be more specific.');
    return usable.slice(0, 1).map((n) => ({ networkId: n.id, fixedIp: null, tag: null }));
  }
  if (!Array.isArray(given))
    throw schemaError('networks', given, `${show(given)} is not valid under any of the given schemas`);
  return given.map((item): RequestedNetwork => {
    if (!isObject(item)) throw schemaError('networks', item, `${show(item)} is not of type 'object'`);
    const tag = typeof item.tag === 'string' ? item.tag : null;
    if (typeof item.port === 'string') {
      checkPort(cloud, item.port, auth);
      return { portId: item.port, tag };
    }
    if (typeof item.uuid !== 'string')
      throw new ApiError(400, 'Bad networks format: network uuid is not in proper format (None)');
    const target = network.networks.get(item.uuid);
    if (
      !target ||
      !(auth.isAdmin || target.project_id === auth.projectId || target.shared || target['router:external'])
    )
      throw new ApiError(400, `Network ${item.uuid} could not be found.`);
    checkNetwork(cloud, target, auth);
    return { networkId: target.id, fixedIp: typeof item.fixed_ip === 'string' ? item.fixed_ip : null, tag };
  });
}

/** A server may have ports on this network at all. */
export function checkNetwork(cloud: Cloud, target: Network, auth: Auth): void {
  if (target['router:external'] && !target.shared && !auth.isAdmin && target.project_id !== auth.projectId) {
    throw new ApiError(403, `It is not allowed to create an interface on external network ${target.id}`);
  }
  if (cloud.network.subnets.count('network', target.id) === 0)
    throw new ApiError(400, `Network ${target.id} requires a subnet in order to boot instances on.`);
}

/** A port that is there and that nobody uses. */
export function checkPort(cloud: Cloud, id: string, auth: Auth): void {
  const port = cloud.network.ports.get(id);
  if (!port || (!auth.isAdmin && port.project_id !== auth.projectId))
    throw new ApiError(400, `Port id ${id} could not be found.`);
  if (port.device_id !== '') throw new ApiError(409, `Port ${id} is still in use.`);
  if (port.fixed_ips.length === 0) throw new ApiError(400, `Port ${id} requires a FixedIP in order to be used.`);
}
