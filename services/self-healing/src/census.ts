import { findCondition, type Machine } from '@shoto/api';
import { keyOf } from '@shoto/kube';
import { isOpen } from './ladder.ts';

/** Where machines fail together. Each is one group of machines that is counted. */
export const GROUP = {
  pool: (m: Machine): string => `pool/${m.spec.cluster.uid}/${m.spec.pool}`,
  cluster: (m: Machine): string => `cluster/${m.spec.cluster.uid}`,
  zone: (m: Machine): string | undefined => zoneOf(m) && `zone/${m.spec.region}/${zoneOf(m)}`,
  region: (m: Machine): string => `region/${m.spec.region}`,
  /** Machines of one cluster in one zone, and on one host: does the cluster have others elsewhere? */
  clusterZone: (m: Machine): string | undefined => zoneOf(m) && `zone/${m.spec.cluster.uid}/${zoneOf(m)}`,
  clusterHost: (m: Machine): string | undefined => hostOf(m) && `host/${m.spec.cluster.uid}/${hostOf(m)}`,
} as const;

export const zoneOf = (m: Machine): string | undefined => m.status?.server?.zone ?? m.spec.zone;
export const hostOf = (m: Machine): string | undefined => m.status?.server?.hostId;

const groupsOf = (m: Machine): string[] => Object.values(GROUP).flatMap((of) => of(m) ?? []);

/** Machines that came into service and are not on their way out: what shares are shares of. */
const counts = (m: Machine): boolean =>
  (m.status?.server?.activeAt ?? m.status?.bootstrap?.joinedAt) !== undefined &&
  (m.metadata.deletionTimestamp === undefined || isReplaced(m));

const isReplaced = (m: Machine): boolean => m.status?.health?.order?.action === 'Replace';
const BAD_STATES: ReadonlySet<string> = new Set(['Stopped', 'Error', 'Gone']);

/**
 * Whether healing has to look at a machine: it may be sick, an order is open, or what was last said of it is no longer so. A healthy machine costs
 * nothing.
 */
export function isSuspect(m: Machine): boolean {
  const { server, bootstrap, health } = m.status ?? {};
  const isOrdered = isOpen(health?.order, server?.handled ?? 0);
  if (m.metadata.deletionTimestamp) return isReplaced(m);
  const said = findCondition(health?.conditions, 'Remediation');
  const joined = findCondition(bootstrap?.conditions, 'Joined');
  return (
    health?.sickSince !== undefined ||
    BAD_STATES.has(server?.state ?? '') ||
    (server?.activeAt !== undefined && !bootstrap?.joinedAt) ||
    (!bootstrap?.joinedAt && joined?.reason === 'TicketExpired') ||
    isOrdered ||
    (said !== undefined && said.reason !== 'Recovered')
  );
}

/** The cloud refuses or fails this machine: a sign that its OpenStack does not work as it should. */
const CLOUD_TROUBLE: ReadonlySet<string> = new Set([
  'CloudError',
  'CloudUnreachable',
  'CloudTimeout',
  'RateLimited',
  'NoValidHost',
  'QuotaExceeded',
]);
const hasCloudTrouble = (m: Machine): boolean => {
  const c = findCondition(m.status?.server?.conditions, 'ServerReady');
  return c?.status === 'False' && CLOUD_TROUBLE.has(c.reason) && !m.metadata.deletionTimestamp;
};

/** All machines, counted as they change, so that a pass over a region costs what is sick and not what is there. */
export class Census {
  readonly #counts = new Map<string, number>();
  readonly #suspects = new Map<string, Map<string, Machine>>();
  readonly #troubled = new Map<string, Set<string>>();

  /** To be told every change of a Machine, as a reflector does. */
  onChange(now: Machine | undefined, before: Machine | undefined): void {
    if (before && counts(before)) for (const g of groupsOf(before)) this.#add(g, -1);
    if (now && counts(now)) for (const g of groupsOf(now)) this.#add(g, 1);
    const known = before ?? now;
    if (!known) return;
    const key = keyOf(known);
    const { region } = known.spec;
    const suspects = this.#suspects.get(region) ?? new Map<string, Machine>();
    if (now && isSuspect(now)) suspects.set(key, now);
    else suspects.delete(key);
    this.#suspects.set(region, suspects);
    const troubled = this.#troubled.get(region) ?? new Set<string>();
    if (now && hasCloudTrouble(now)) troubled.add(key);
    else troubled.delete(key);
    this.#troubled.set(region, troubled);
  }

  /** How many machines a group has. */
  count(group: string | undefined): number {
    return (group && this.#counts.get(group)) || 0;
  }

  /** Machines of a region that have to be looked at. */
  suspects(region: string): Machine[] {
    return [...(this.#suspects.get(region)?.values() ?? [])];
  }

  /** How many machines of a region the cloud refuses or fails. */
  troubled(region: string): number {
    return this.#troubled.get(region)?.size ?? 0;
  }

  #add(group: string, by: number): void {
    const n = (this.#counts.get(group) ?? 0) + by;
    if (n === 0) this.#counts.delete(group);
    else this.#counts.set(group, n);
  }
}
