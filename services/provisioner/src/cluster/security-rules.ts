/** One ingress rule of a security group, in Neutron's words; ports as a closed range. */
export interface WantedRule {
  protocol: 'tcp' | 'udp' | 'icmp' | null;
  ports?: readonly [number, number];
  /** From where: everywhere, a network, or the members of a group. */
  from: 'anywhere' | { cidr: string } | { group: string };
  /** Why, for the rule's description. */
  why: string;
}

/** A rule as Neutron lists it. */
export interface StoredRule {
  id?: string;
  direction: string;
  ethertype: string | null;
  protocol: string | null;
  port_range_min: number | null;
  port_range_max: number | null;
  remote_ip_prefix: string | null;
  remote_group_id: string | null;
}

/** IDs of the two groups of a cluster. */
export interface Groups {
  controlPlane: string;
  worker: string;
}

const API: readonly [number, number] = [6443, 6443];
const NODE_PORTS: readonly [number, number] = [30_000, 32_767];

/**
 * What may reach the machines of a cluster. Pod networks (VXLAN on 8472/udp and others), the kubelet (10250) and probes need the nodes to reach each
 * other freely; etcd (2379-2380) and the API are between control-plane machines; from outside come the API and NodePorts. Prometheus runs on a worker
 * and asks every node for its metrics.
 */
export function wantedRules(groups: Groups): Record<keyof Groups, WantedRule[]> {
  const both = [groups.controlPlane, groups.worker];
  const fromWorkers = (protocol: 'tcp' | 'udp', port: number, why: string): WantedRule => ({
    protocol,
    ports: [port, port],
    from: { group: groups.worker },
    why,
  });
  const nodePorts = (['tcp', 'udp'] as const).map(
    (protocol): WantedRule => ({ protocol, ports: NODE_PORTS, from: 'anywhere', why: 'NodePorts' }),
  );
  const icmp: WantedRule = { protocol: 'icmp', from: 'anywhere', why: 'path MTU discovery and ping' };
  return {
    controlPlane: [
      { protocol: 'tcp', ports: API, from: 'anywhere', why: 'Kubernetes API' },
      { protocol: 'tcp', ports: [2379, 2380], from: { group: groups.controlPlane }, why: 'etcd' },
      fromWorkers('tcp', 10_250, 'kubelet'),
      fromWorkers('udp', 8472, 'pod network (VXLAN)'),
      fromWorkers('tcp', 9100, 'metrics of node-exporter'),
      fromWorkers('tcp', 20_257, 'metrics of node-problem-detector'),
      fromWorkers('tcp', 2381, 'metrics of etcd, where a release lets it listen'),
      // Host-network pods and CNIs of other kinds; etcd stays closed to workers.
      { protocol: null, from: { group: groups.controlPlane }, why: 'between control-plane machines' },
      icmp,
      ...nodePorts,
    ],
    worker: [
      ...both.map((group): WantedRule => ({ protocol: null, from: { group }, why: 'node to node' })),
      icmp,
      ...nodePorts,
    ],
  };
}

const prefixOf = (from: WantedRule['from']): string | null =>
  typeof from === 'object' && 'cidr' in from ? from.cidr : null;
const groupOf = (from: WantedRule['from']): string | null =>
  typeof from === 'object' && 'group' in from ? from.group : null;

const isStored = (want: WantedRule, have: StoredRule): boolean =>
  have.direction === 'ingress' &&
  (have.ethertype === 'IPv4' || have.ethertype === null) &&
  have.protocol === want.protocol &&
  have.port_range_min === (want.ports?.[0] ?? null) &&
  have.port_range_max === (want.ports?.[1] ?? null) &&
  have.remote_group_id === groupOf(want.from) &&
  (prefixOf(want.from) ?? '0.0.0.0/0') === (have.remote_ip_prefix ?? '0.0.0.0/0');

/** The rules that a group lacks. Further rules, which a person may have added, stay. */
export const missingRules = (wanted: readonly WantedRule[], stored: readonly StoredRule[]): WantedRule[] =>
  wanted.filter((want) => !stored.some((have) => isStored(want, have)));

/** A rule as the create call wants it. */
export const ruleBody = (groupId: string, rule: WantedRule) => ({
  security_group_id: groupId,
  direction: 'ingress' as const,
  ethertype: 'IPv4' as const,
  description: rule.why,
  ...(rule.protocol ? { protocol: rule.protocol } : {}),
  ...(rule.ports ? { port_range_min: rule.ports[0], port_range_max: rule.ports[1] } : {}),
  ...(groupOf(rule.from) ? { remote_group_id: groupOf(rule.from) as string } : {}),
  ...(prefixOf(rule.from) ? { remote_ip_prefix: prefixOf(rule.from) as string } : {}),
});
