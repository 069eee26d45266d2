import { type Addon, type AddonBundle, type AddonRegistry, findCondition } from '@shoto/api';
import type { Shown } from './kinds.ts';
import { age } from './table.ts';

/** What is out of the ordinary with an addon, in a line. */
export function noteOf(a: Addon): string {
  const m = a.status?.manager;
  const upToDate = findCondition(m?.conditions, 'UpToDate');
  const healthy = findCondition(m?.conditions, 'Healthy');
  return (
    [
      ...(m?.failed ? [`${m.failed.bundle} failed: ${m.failed.message}`] : []),
      ...(!m?.failed && upToDate?.status === 'False' ? [upToDate.message] : []),
      ...(healthy?.status === 'False' ? [healthy.message] : []),
      ...(m?.drift?.length ? [`drifted: ${m.drift.map((d) => d.object).join(', ')}`] : []),
      ...(m?.conflicts?.length
        ? [`held by others: ${m.conflicts.map((x) => `${x.object} (${x.manager})`).join(', ')}`]
        : []),
    ].join('; ') || '-'
  );
}

const condition = (a: Addon, type: string): string =>
  findCondition(a.status?.manager?.conditions, type)?.status ?? 'Unknown';

export const addons: Shown<Addon> = {
  names: ['addons', 'addon', 'ad'],
  columns: [
    { head: 'CLUSTER', cell: (a) => a.spec.clusterName },
    { head: 'ADDON', cell: (a) => a.spec.addon },
    { head: 'VERSION', cell: (a) => a.status?.manager?.version ?? '-' },
    { head: 'HEALTHY', cell: (a) => condition(a, 'Healthy') },
    { head: 'UP TO DATE', cell: (a) => condition(a, 'UpToDate') },
    { head: 'AGE', cell: (a, now) => age(a.metadata.creationTimestamp, now) },
    { head: 'NOTE', cell: noteOf },
  ],
};

export const addonBundles: Shown<AddonBundle> = {
  names: ['addonbundles', 'addonbundle', 'ab'],
  columns: [
    { head: 'NAME', cell: (b) => b.metadata.name },
    { head: 'ADDON', cell: (b) => b.spec.addon },
    { head: 'VERSION', cell: (b) => b.spec.version },
    { head: 'CHANNEL', cell: (b) => b.spec.channel ?? 'stable' },
    { head: 'KUBERNETES', cell: (b) => b.spec.kubernetes },
    { head: 'PROVIDES', cell: (b) => b.spec.provides.join(',') || '-' },
    { head: 'SIGNED', cell: (b) => (b.spec.signedBy ? 'True' : 'False') },
    { head: 'AGE', cell: (b, now) => age(b.metadata.creationTimestamp, now) },
    { head: 'SOURCE', wide: true, cell: (b) => b.spec.oci?.repository ?? 'inline' },
  ],
};

export const addonRegistries: Shown<AddonRegistry> = {
  names: ['addonregistries', 'addonregistry', 'areg'],
  columns: [
    { head: 'NAME', cell: (r) => r.metadata.name },
    { head: 'URL', cell: (r) => r.spec.url },
    { head: 'REACHABLE', cell: (r) => findCondition(r.status?.manager?.conditions, 'Reachable')?.status ?? 'Unknown' },
    { head: 'BUNDLES', cell: (r) => String(r.status?.manager?.bundles ?? '-') },
    { head: 'REFUSED', cell: (r) => String(r.status?.manager?.refused?.length ?? 0) },
    { head: 'POLLED', cell: (r, now) => age(r.status?.manager?.lastPolledAt, now) },
    {
      head: 'MESSAGE',
      wide: true,
      cell: (r) =>
        [
          findCondition(r.status?.manager?.conditions, 'Reachable')?.message,
          ...(r.status?.manager?.refused ?? []).map((x) => `${x.reference}: ${x.reason}`),
        ]
          .filter(Boolean)
          .join('; ') || '-',
    },
  ],
};
