import {
  type Cluster,
  type ClusterTemplate,
  findCondition,
  isTrue,
  type KubernetesRelease,
  keepOf,
  type Machine,
  type Region,
  type Tenant,
} from '@shoto/api';
import { windowText } from '../window.ts';
import { age } from './table.ts';

/** How a kind is fetched and shown. */
export interface Shown<T> {
  /** Names on the command line, the first is the one of messages. */
  names: string[];
  /** Columns; those of `wide` only with -o wide. */
  columns: { head: string; wide?: boolean; cell: (o: T, now: number) => string }[];
}

const count = (c: Cluster): number => c.spec.controlPlane.count + c.spec.nodePools.reduce((n, p) => n + p.count, 0);
const ready = (c: Cluster): number => (c.status?.infrastructure?.pools ?? []).reduce((n, p) => n + p.ready, 0);

export const clusters: Shown<Cluster> = {
  names: ['clusters', 'cluster', 'scl'],
  columns: [
    { head: 'NAME', cell: (c) => c.metadata.name },
    {
      head: 'READY',
      cell: (c) =>
        c.metadata.deletionTimestamp ? 'Deleting' : (findCondition(c.status?.conditions, 'Ready')?.status ?? 'Unknown'),
    },
    { head: 'NODES', cell: (c) => `${ready(c)}/${count(c)}` },
    { head: 'RELEASE', cell: (c) => c.spec.release },
    { head: 'REGION', cell: (c) => c.spec.region },
    { head: 'AGE', cell: (c, now) => age(c.metadata.creationTimestamp, now) },
    { head: 'ENDPOINT', wide: true, cell: (c) => c.status?.infrastructure?.endpoint?.external ?? '-' },
    { head: 'MESSAGE', wide: true, cell: (c) => findCondition(c.status?.conditions, 'Ready')?.message ?? '-' },
  ],
};
/** What is out of the ordinary with a machine: kept until when, or what ails it and what is done about it. */
export function noteOf(m: Machine, now: number): string {
  const kept = keepOf(m, now);
  const until = Number.isFinite((kept as { until?: number }).until)
    ? new Date((kept as { until: number }).until).toISOString().replace(/\.000Z$/, 'Z')
    : 'it is let go';
  const health = m.status?.health;
  const ails = findCondition(health?.conditions, 'Healthy')?.reason;
  const done = findCondition(health?.conditions, 'Remediation')?.reason;
  return (
    [
      ...(kept.state === 'kept' ? [`kept until ${until}`] : []),
      ...(health?.sickSince ? [`sick: ${[ails, done].filter(Boolean).join(', ') || 'not healthy'}`] : []),
    ].join('; ') || '-'
  );
}

export const machines: Shown<Machine> = {
  names: ['machines', 'machine', 'sm'],
  columns: [
    { head: 'NAME', cell: (m) => m.metadata.name },
    { head: 'POOL', cell: (m) => m.spec.pool },
    {
      head: 'SERVER',
      cell: (m) => (m.metadata.deletionTimestamp ? 'Deleting' : (m.status?.server?.state ?? 'Pending')),
    },
    { head: 'JOINED', cell: (m) => (isTrue(m.status?.bootstrap?.conditions, 'Joined') ? 'True' : 'False') },
    { head: 'READY', cell: (m) => (m.status?.health?.ready ? 'True' : 'False') },
    { head: 'RELEASE', cell: (m) => m.spec.release },
    { head: 'AGE', cell: (m, now) => age(m.metadata.creationTimestamp, now) },
    { head: 'NOTE', cell: noteOf },
    { head: 'ZONE', wide: true, cell: (m) => m.status?.server?.zone ?? m.spec.zone ?? '-' },
    { head: 'ADDRESS', wide: true, cell: (m) => m.status?.server?.addresses?.[0] ?? '-' },
    { head: 'SERVER ID', wide: true, cell: (m) => m.status?.server?.id ?? '-' },
  ],
};
export const regions: Shown<Region> = {
  names: ['regions', 'region', 'rgn'],
  columns: [
    { head: 'NAME', cell: (r) => r.metadata.name },
    { head: 'READY', cell: (r) => findCondition(r.status?.provisioner?.conditions, 'Ready')?.status ?? 'Unknown' },
    { head: 'ENDPOINT', cell: (r) => r.spec.apiEndpoint.type },
    { head: 'ZONES', cell: (r) => r.spec.zones?.join(',') || '-' },
    { head: 'AGE', cell: (r, now) => age(r.metadata.creationTimestamp, now) },
    {
      head: 'MESSAGE',
      wide: true,
      cell: (r) => findCondition(r.status?.provisioner?.conditions, 'Ready')?.message ?? '-',
    },
  ],
};
export const releases: Shown<KubernetesRelease> = {
  names: ['releases', 'release', 'kr'],
  columns: [
    { head: 'NAME', cell: (r) => r.metadata.name },
    { head: 'VERSION', cell: (r) => r.spec.version },
    { head: 'REGIONS', cell: (r) => r.spec.images.map((i) => i.region).join(',') },
    { head: 'WITHDRAWN', cell: (r) => String(r.spec.support?.withdrawn ?? false) },
    { head: 'UNTIL', cell: (r) => r.spec.support?.until ?? '-' },
    { head: 'AGE', cell: (r, now) => age(r.metadata.creationTimestamp, now) },
  ],
};
const HEALING: Record<string, string> = { true: 'on', false: 'off' };

export const templates: Shown<ClusterTemplate> = {
  names: ['templates', 'template', 'ctpl'],
  columns: [
    { head: 'NAME', cell: (t) => t.metadata.name },
    { head: 'REGION', cell: (t) => t.spec.region ?? '-' },
    { head: 'RELEASE', cell: (t) => t.spec.release ?? '-' },
    { head: 'DESCRIPTION', cell: (t) => t.spec.description ?? '-' },
    {
      head: 'WINDOW',
      wide: true,
      cell: (t) => (t.spec.maintenanceWindow ? windowText(t.spec.maintenanceWindow) : '-'),
    },
    { head: 'HEALING', wide: true, cell: (t) => HEALING[String(t.spec.healing?.enabled)] ?? '-' },
  ],
};
export const tenants: Shown<Tenant> = {
  names: ['tenants', 'tenant', 'tn'],
  columns: [
    { head: 'NAME', cell: (t) => t.metadata.name },
    { head: 'DISPLAY NAME', cell: (t) => t.spec.displayName ?? '-' },
    { head: 'QUOTA', cell: (t) => String(t.spec.quota?.machines ?? '-') },
    {
      head: 'MACHINES',
      cell: (t) => (t.spec.quota?.machines === undefined ? '-' : String(t.status?.reserved?.machines ?? 0)),
    },
  ],
};
