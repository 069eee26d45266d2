import type { ClusterTemplate } from '@shoto/api';
import { stringify } from 'yaml';
import { windowText } from '../window.ts';
import { field, part } from './page.ts';
import { age, table } from './table.ts';

type Spec = ClusterTemplate['spec'];

const LEFT = 'left to the cluster';

/** What is preset of how machines leave, in words. */
const leaving = (o: {
  nodeDrainTimeoutSeconds?: number | undefined;
  nodeVolumeDetachTimeoutSeconds?: number | undefined;
}) => [
  ...(o.nodeDrainTimeoutSeconds === undefined ? [] : [`drains for ${o.nodeDrainTimeoutSeconds} s`]),
  ...(o.nodeVolumeDetachTimeoutSeconds === undefined
    ? []
    : [`waits ${o.nodeVolumeDetachTimeoutSeconds} s for volumes`]),
];

function machinesOf(
  o: NonNullable<Spec['controlPlane']> & NonNullable<Spec['nodePoolDefaults']> & { release?: string | undefined },
): string {
  const parts = [
    ...(o.count === undefined ? [] : [`${o.count} machine${o.count === 1 ? '' : 's'}`]),
    ...(o.flavor ? [o.flavor] : []),
    ...(o.release ? [o.release] : []),
    ...(o.zones?.length ? [`zones ${o.zones.join(',')}`] : []),
    ...(o.rootVolume ? [`volume of ${o.rootVolume.sizeGiB} GiB`] : []),
    ...(o.serverGroupPolicy ? [o.serverGroupPolicy] : []),
    ...leaving(o),
  ];
  return parts.join(', ') || LEFT;
}

function networksOf(n: Spec['network']): string {
  const named = [
    ['pods', n?.podCIDR],
    ['Services', n?.serviceCIDR],
    ['machines', n?.nodeCIDR],
  ].flatMap(([what, cidr]) => (cidr ? [`${what} ${cidr}`] : []));
  return named.join(', ') || LEFT;
}

/**
 * What a cluster that is made from a template gets, on a page.
 *
 * @param now - milliseconds since the epoch
 */
export function describeTemplate(t: ClusterTemplate, now: number): string {
  const { spec: s } = t;
  const healing = s.healing?.enabled;
  const addons = (s.addons ?? []).map((a) => [
    a.name,
    a.version ?? 'the newest that fits',
    a.channel ?? 'stable',
    a.drift ?? 'Correct',
    (a.valuesFrom ?? []).map((v) => `${v.secretName}/${v.key}`).join(',') || '-',
  ]);
  const values = Object.fromEntries((s.addons ?? []).flatMap((a) => (a.values ? [[a.name, a.values]] : [])));
  return [
    field('Name', t.metadata.name),
    field('Created', `${t.metadata.creationTimestamp} (${age(t.metadata.creationTimestamp, now)} ago)`),
    ...(s.description ? [field('Description', s.description)] : []),
    field('Region', s.region ?? LEFT),
    field('Release', s.release ?? LEFT),
    field('Window', s.maintenanceWindow ? windowText(s.maintenanceWindow) : LEFT),
    field('Healing', healing === undefined ? LEFT : healing ? 'on' : 'off'),
    field('Networks', networksOf(s.network)),
    field('Control plane', machinesOf(s.controlPlane ?? {})),
    ...(s.nodePools ?? []).map((p) => field(`Pool ${p.name}`, machinesOf(p))),
    field('Other pools', machinesOf(s.nodePoolDefaults ?? {})),
    ...(addons.length > 0
      ? part('Addons', table(['NAME', 'VERSION', 'CHANNEL', 'DRIFT', 'VALUES FROM'], addons))
      : ['', 'Addons: none']),
    ...(Object.keys(values).length > 0 ? part('Values of addons', stringify(values).trimEnd()) : []),
  ].join('\n');
}
