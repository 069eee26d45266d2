import type { TerminalError } from '@shoto/reconciler';

/** IDs that the machines of a pool are made from. */
export interface PoolIds {
  image: string;
  flavor: string;
}

/** What the spec's names mean in the cloud, or why they mean nothing. */
export interface Ids {
  /** Image of each release that was looked up. */
  images: ReadonlyMap<string, string | TerminalError>;
  /** Flavor of each pool; the error may be of its zones. */
  flavors: ReadonlyMap<string, string | TerminalError>;
}

/** What a pool's machines are made from with a release, or why they cannot be made. */
export function idsOf(ids: Ids, pool: string, release: string): PoolIds | TerminalError | undefined {
  const image = ids.images.get(release);
  const flavor = ids.flavors.get(pool);
  if (typeof flavor !== 'string') return flavor;
  return typeof image === 'string' ? { image, flavor } : image;
}
