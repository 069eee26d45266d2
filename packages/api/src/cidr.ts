/** An IPv4 network as numbers: first address and prefix length. */
export interface Network {
  first: number;
  prefix: number;
}

/**
 * Reads `a.b.c.d/n`; host bits are cut off.
 *
 * @returns undefined where it is not an IPv4 network
 */
export function parseCidr(text: string): Network | undefined {
  const m = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text);
  if (!m) return undefined;
  const parts = m.slice(1, 5).map(Number);
  const prefix = Number(m[5]);
  if (parts.some((p) => p > 255) || prefix > 32) return undefined;
  const address = parts.reduce((sum, p) => sum * 256 + p, 0);
  const size = 2 ** (32 - prefix);
  return { first: address - (address % size), prefix };
}

/** Whether two networks share an address. Text that is no network shares none. */
export function overlap(a: string, b: string): boolean {
  const x = parseCidr(a);
  const y = parseCidr(b);
  if (!x || !y) return false;
  const size = 2 ** (32 - Math.min(x.prefix, y.prefix));
  return x.first - (x.first % size) === y.first - (y.first % size);
}
