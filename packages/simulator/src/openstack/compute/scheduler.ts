import type { Cloud } from '../cloud.ts';
import type { Host, Server } from './state.ts';

/** Chooses the host for a server, or undefined: "No valid host was found". */
export function schedule(cloud: Cloud, server: Server): Host | undefined {
  const { compute } = cloud;
  const group = server.groupId === null ? undefined : compute.groups.get(server.groupId);
  const used = new Map<string, number>();
  if (group) {
    for (const other of compute.servers.by('group', group.id)) {
      if (other.id !== server.id && other.host !== null) used.set(other.host, (used.get(other.host) ?? 0) + 1);
    }
  }
  const most = group?.policy === 'anti-affinity' ? (group.rules.max_server_per_host ?? 1) : Number.POSITIVE_INFINITY;
  let best: Host | undefined;
  let bestScore = Number.POSITIVE_INFINITY;
  const [zone, forced] = (server.requestedZone ?? '').split(':');
  for (const host of zone ? compute.hosts.by('zone', zone) : compute.hosts.values()) {
    if (host.disabled || (forced && host.name !== forced)) continue;
    const together = used.get(host.name) ?? 0;
    if (together >= most) continue;
    if (group?.policy === 'affinity' && used.size > 0 && together === 0) continue;
    // Spread, unless the group wants company.
    const weight = group?.policy.endsWith('anti-affinity') ? together : group ? -together : 0;
    const score = weight * 1_000_000 + compute.servers.count('host', host.name);
    if (score < bestScore) [best, bestScore] = [host, score];
  }
  return best;
}
