/** What each Cluster holds of its tenant's quota, by UID; as in `Tenant.status.reserved.clusters`. */
export type Held = Readonly<Record<string, { name: string; machines: number }>>;

/** What a Cluster asks of the quota, all in machines. */
export interface Ask {
  cluster: { uid: string; name: string };
  /** It has these and none of them is on its way out or lost: they are spent, whatever the quota says. */
  has: number;
  /** As many Machines of it are there at all. */
  there: number;
  /** As many as it shall have next. */
  wants: number;
  /** What it holds is not taken back down to this: `wants`, or while machines are replaced what that needs at its height. */
  keeps: number;
  /** What it holds and needs no longer is to be given back now. */
  releases: boolean;
}

/** What a Cluster gets. */
export interface Grant {
  /** So many machines may it have, those that are there included. */
  machines: number;
  /** It holds more than it needs, and gives it back later. */
  isSurplus: boolean;
}

/** A ledger after asks were answered. */
export interface Settled {
  clusters: Held;
  /** By the Cluster's UID. */
  grants: ReadonlyMap<string, Grant>;
  /** What an asker holds is another than before: it has to be stored before anybody acts on it. */
  isChanged: boolean;
}

export const totalOf = (held: Held): number => Object.values(held).reduce((n, c) => n + c.machines, 0);

/**
 * Answers what clusters of one tenant ask for, one after another. What is there counts in any case, what is granted stays granted when the quota is lowered, and only growth is
 * measured against it. Pure.
 *
 * @param before - what is stored
 * @param known - clusters of the tenant that hold nothing as far as is stored (the quota is newer than they), with the Machines that they have
 */
export function settle(
  quota: number,
  before: Held,
  asks: readonly Ask[],
  known: readonly { uid: string; name: string; machines: number }[],
): Settled {
  const clusters: Record<string, { name: string; machines: number }> = { ...before };
  const asking = new Set(asks.map((a) => a.cluster.uid));
  for (const { uid, name, machines } of known)
    if (!clusters[uid] && !asking.has(uid) && machines > 0) clusters[uid] = { name, machines };
  const grants = new Map<string, Grant>();
  for (const ask of asks) {
    const { uid, name } = ask.cluster;
    const held = clusters[uid]?.machines ?? 0;
    const room = quota - (totalOf(clusters) - held);
    const least = Math.max(ask.keeps, ask.there);
    const machines =
      ask.wants > held || ask.has > held
        ? Math.max(held, ask.has, Math.min(ask.wants, room))
        : ask.releases && held > least
          ? least
          : held;
    if (machines > 0) clusters[uid] = { name, machines };
    else delete clusters[uid];
    grants.set(uid, { machines, isSurplus: machines > least });
  }
  const isChanged = asks.some(({ cluster: { uid } }) => clusters[uid]?.machines !== before[uid]?.machines);
  return { clusters, grants, isChanged };
}
