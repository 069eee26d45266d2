import { createHash } from 'node:crypto';

/** Shares are given out in this many parts; a Cluster and all that is its is in one. */
const SHARDS = 256;
const known = new Map<string, number>();
const KNOWN_MAX = 50_000;

function hash(text: string): number {
  return createHash('sha1').update(text).digest().readUInt32BE(0);
}

/** The shard of a key, the same in every process. */
export function shardOf(key: string): number {
  let shard = known.get(key);
  if (shard === undefined) {
    shard = hash(key) % SHARDS;
    if (known.size >= KNOWN_MAX) known.clear();
    known.set(key, shard);
  }
  return shard;
}

let cached: { members: readonly string[]; owners: (string | undefined)[] } = { members: [], owners: [] };

/** The member with the highest weight owns a shard (rendezvous hashing): one that comes or goes moves only its own share. */
export function ownerOf(shard: number, members: readonly string[]): string | undefined {
  if (cached.members !== members) cached = { members, owners: [] };
  if (!(shard in cached.owners)) {
    let best: string | undefined;
    let most = -1;
    for (const member of members) {
      const weight = hash(`${member}\n${shard}`);
      if (weight > most) [best, most] = [member, weight];
    }
    cached.owners[shard] = best;
  }
  return cached.owners[shard];
}

/** Where in a resync period a key has its turn: 0 to `parts` - 1. */
export function turnOf(key: string, parts: number): number {
  return shardOf(key) % parts;
}
