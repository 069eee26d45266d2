/** What is known of a Machine's server when none is known by id. */
export interface Evidence {
  /** We made the port and nobody asked for a server since. */
  fresh: boolean;
  /** Since when a server may come that we know nothing of. */
  unsureSince: number | undefined;
  /** What the port says that it belongs to; undefined: not looked. */
  portDevice: string | undefined;
  /** Servers of that name that are provably the Machine's. */
  byName: readonly string[];
  now: number;
  /** How long a request whose answer was lost may still be carried out. */
  unsureMs: number;
}

/** What to do. */
export type Decision =
  | { do: 'create' }
  | { do: 'adopt'; id: string /** Others of this Machine: the port's holder stays. */; extra: string[] }
  | { do: 'wait'; ms: number };

/** How often to look while unsure. */
const LOOK_MS = 5_000;

/** Whether to ask for a server: never while one may come that was asked for before. Pure. */
export function decideServer(e: Evidence): Decision {
  const holder = e.portDevice || undefined;
  const [first, ...rest] = [...new Set([...(holder ? [holder] : []), ...[...e.byName].sort()])];
  if (first !== undefined) return { do: 'adopt', id: first, extra: rest };
  if (e.fresh && e.unsureSince === undefined) return { do: 'create' };
  const left = (e.unsureSince ?? e.now) + e.unsureMs - e.now;
  return left > 0 ? { do: 'wait', ms: Math.min(left, LOOK_MS) } : { do: 'create' };
}
