import type { Strategy, StrategyContext } from '../registry/resource-type.ts';
import { invalid } from '../status.ts';
import type { FieldError, Json, KubeObject } from '../types.ts';
import { invalidValue, required } from '../util/field-errors.ts';
import { at, isRecord, list, record, text } from '../util/json.ts';

const toNumber = (ip: string): number => ip.split('.').reduce((n, part) => n * 256 + Number(part), 0);
const toAddress = (n: number): string => [24, 16, 8, 0].map((shift) => Math.floor(n / 2 ** shift) % 256).join('.');

/** First address and size of an IPv4 CIDR. */
function range(cidr: string): { first: number; size: number } {
  const [base = '0.0.0.0', bits = '32'] = cidr.split('/');
  const size = 2 ** (32 - Number(bits));
  return { first: Math.floor(toNumber(base) / size) * size, size };
}

function taken(context: StrategyContext): { ips: Set<string>; ports: Set<number> } {
  const ips = new Set<string>();
  const ports = new Set<number>();
  for (const s of context.store.scan('services', undefined)) {
    ips.add(text(at(s, 'spec', 'clusterIP')));
    for (const p of list(at(s, 'spec', 'ports')))
      if (typeof record(p).nodePort === 'number') ports.add(record(p).nodePort as number);
  }
  return { ips, ports };
}

/** Gives the service what it lacks of cluster IP and node ports. */
function allocate(o: KubeObject, context: StrategyContext): void {
  const spec = record(o.spec);
  if (spec.type === 'ExternalName') {
    for (const field of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy', 'internalTrafficPolicy'])
      delete spec[field];
    return;
  }
  const { ips, ports } = taken(context);
  const { first, size } = range(context.serviceCidr);
  const asked = text(spec.clusterIP);
  if (asked === '') {
    // The lower 16th is left to services that ask for a fixed address, as kube-apiserver leaves it.
    const band = Math.min(256, Math.max(16, size / 16));
    const spare = size - band - 1;
    let offset = Math.floor(context.random() * spare);
    let tries = 0;
    while (ips.has(toAddress(first + band + offset)) && tries++ < spare) offset = (offset + 1) % spare;
    spec.clusterIP = toAddress(first + band + offset);
  } else if (asked !== 'None') {
    const n = toNumber(asked);
    if (n < first || n >= first + size) {
      throw invalid('', 'Service', o.metadata.name, [
        invalidValue(
          'spec.clusterIPs',
          [asked],
          `failed to allocate IP ${asked}: the provided IP (${asked}) is not in the valid range. The range of valid IPs is ${context.serviceCidr}`,
        ),
      ]);
    }
    if (ips.has(asked))
      throw invalid('', 'Service', o.metadata.name, [
        invalidValue('spec.clusterIPs', [asked], `failed to allocate IP ${asked}: provided IP is already allocated`),
      ]);
  }
  spec.clusterIPs = [spec.clusterIP];
  if (spec.ipFamilies === undefined) spec.ipFamilies = ['IPv4'];
  if (spec.ipFamilyPolicy === undefined) spec.ipFamilyPolicy = 'SingleStack';
  nodePorts(spec, ports, context);
}

function nodePorts(spec: Json, taken: Set<number>, context: StrategyContext): void {
  if (spec.type !== 'NodePort' && spec.type !== 'LoadBalancer') return;
  if (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts === false) return;
  for (const port of list(spec.ports)) {
    if (!isRecord(port) || port.nodePort) continue;
    let n = 30_000 + Math.floor(context.random() * 2768);
    while (taken.has(n)) n = n === 32_767 ? 30_000 : n + 1;
    taken.add(n);
    port.nodePort = n;
  }
}

function validate(o: KubeObject, old: KubeObject | undefined): FieldError[] {
  const errors: FieldError[] = [];
  const spec = record(o.spec);
  const ports = list(spec.ports);
  if (ports.length === 0 && spec.clusterIP !== 'None' && spec.type !== 'ExternalName')
    errors.push(required('spec.ports'));
  ports.forEach((p, i) => {
    const port = record(p).port;
    if (typeof port === 'number' && (port < 1 || port > 65_535))
      errors.push(invalidValue(`spec.ports[${i}].port`, port, 'must be between 1 and 65535, inclusive'));
    if (ports.length > 1 && !record(p).name) errors.push(required(`spec.ports[${i}].name`));
  });
  const before = text(at(old, 'spec', 'clusterIP'));
  if (old && before !== '' && spec.type !== 'ExternalName' && spec.clusterIP !== before) {
    errors.push(invalidValue('spec.clusterIPs[0]', [spec.clusterIP], 'may not change once set'));
  }
  return errors;
}

/** Services: cluster IPs and node ports are given out here. */
export const serviceStrategy: Strategy = {
  initialStatus: () => ({ loadBalancer: {} }),
  defaults: (o) => {
    if (!isRecord(o.spec)) return;
    const spec = o.spec;
    spec.type ??= 'ClusterIP';
    spec.sessionAffinity ??= 'None';
    if (spec.sessionAffinity === 'ClientIP') spec.sessionAffinityConfig ??= { clientIP: { timeoutSeconds: 10_800 } };
    if (spec.type !== 'ExternalName') spec.internalTrafficPolicy ??= 'Cluster';
    if (spec.type === 'LoadBalancer') spec.allocateLoadBalancerNodePorts ??= true;
    if (spec.type === 'NodePort' || spec.type === 'LoadBalancer') spec.externalTrafficPolicy ??= 'Cluster';
    for (const p of list(spec.ports)) {
      if (!isRecord(p)) continue;
      p.protocol ??= 'TCP';
      if (p.targetPort === undefined || p.targetPort === '' || p.targetPort === 0) p.targetPort = p.port;
    }
  },
  onCreate: allocate,
  onUpdate: (o, old, context) => {
    const spec = record(o.spec);
    if (spec.type === 'ExternalName') return;
    const before = record(old.spec);
    // A client that leaves the allocated values out keeps them.
    for (const field of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy'])
      if (spec[field] === undefined || spec[field] === '') spec[field] = before[field];
    const known = new Map(
      list(before.ports).map((p) => [`${record(p).protocol}/${record(p).port}`, record(p).nodePort]),
    );
    for (const p of list(spec.ports)) {
      const had = known.get(`${record(p).protocol}/${record(p).port}`);
      if (isRecord(p) && !p.nodePort && had && spec.type !== 'ClusterIP') p.nodePort = had;
      if (isRecord(p) && spec.type === 'ClusterIP') delete p.nodePort;
    }
    if (before.type === 'ExternalName') allocate(o, context);
    else nodePorts(spec, taken(context).ports, context);
  },
  validate,
  fields: (o) => ({ 'spec.clusterIP': text(at(o, 'spec', 'clusterIP')), 'spec.type': text(at(o, 'spec', 'type')) }),
};
