import type { Cluster } from '@shoto/api';
import type { HasMeta } from '@shoto/kube';
import type { Store } from './store.ts';

/** An Event as the management cluster stores it (events.k8s.io/v1), as far as it is shown. */
export interface StoredEvent extends HasMeta {
  eventTime?: string;
  deprecatedLastTimestamp?: string;
  deprecatedCount?: number;
  series?: { count: number; lastObservedTime: string };
  type?: string;
  reason?: string;
  note?: string;
  regarding?: { kind?: string; name?: string; uid?: string };
}

/** An event as it is answered. */
export interface ClusterEvent {
  /** RFC 3339, when it was last seen. */
  time: string;
  type: string;
  reason: string;
  /** `Kind/name`. */
  object: string;
  message: string;
  count: number;
}

const timeOf = (e: StoredEvent): string =>
  e.series?.lastObservedTime ?? e.deprecatedLastTimestamp ?? e.eventTime ?? e.metadata.creationTimestamp ?? '';

/** The events of a cluster and of its machines, those that are gone too; oldest first. */
export function eventsOf(
  cluster: Cluster,
  all: StoredEvent[],
  store: Pick<Store, 'machinesOf' | 'clusters'>,
): ClusterEvent[] {
  const machines = new Set(store.machinesOf(cluster).map((m) => m.metadata.uid));
  // Machines are named <cluster>-<pool>-<chance>; those of web-2 are not those of web.
  const names = [cluster, ...store.clusters(cluster.metadata.namespace!)].map((c) => c.metadata.name);
  const ownerOf = (machine: string): string | undefined =>
    names.filter((n) => machine.startsWith(`${n}-`)).sort((a, b) => b.length - a.length)[0];
  // One of that name may have been here before.
  const born = Date.parse(cluster.metadata.creationTimestamp ?? '') || 0;
  const isOwn = ({ regarding: r, ...e }: StoredEvent): boolean => {
    if (r?.uid === cluster.metadata.uid || machines.has(r?.uid)) return true;
    return r?.kind === 'Machine' && ownerOf(r.name ?? '') === cluster.metadata.name && Date.parse(timeOf(e)) >= born;
  };
  return all
    .filter(isOwn)
    .map((e) => ({
      time: timeOf(e),
      type: e.type ?? 'Normal',
      reason: e.reason ?? '',
      object: `${e.regarding?.kind ?? ''}/${e.regarding?.name ?? ''}`,
      message: e.note ?? '',
      count: e.series?.count ?? e.deprecatedCount ?? 1,
    }))
    .sort((a, b) => Date.parse(a.time) - Date.parse(b.time));
}
