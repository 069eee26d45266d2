/** An address range in CIDR notation, taken apart. */
export interface Cidr {
  version: 4 | 6;
  /** First and last address, as numbers. */
  first: bigint;
  last: bigint;
  prefix: number;
  /** With the host bits zero, in the usual notation. */
  text: string;
}

/** The address as a number, or undefined if it is none. */
export function parseIp(text: string): { version: 4 | 6; value: bigint } | undefined {
  const v4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (v4) {
    let value = 0;
    for (const part of v4.slice(1)) {
      if (Number(part) > 255) return undefined;
      value = value * 256 + Number(part);
    }
    return { version: 4, value: BigInt(value) };
  }
  if (!text.includes(':') || !/^[0-9a-fA-F:]+$/.test(text)) return undefined;
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = halves[0] ? halves[0].split(':') : [];
  const tail = halves[1] ? halves[1].split(':') : [];
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...Array<string>(halves.length === 2 ? missing : 0).fill('0'), ...tail];
  let value = 0n;
  for (const group of groups) {
    if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined;
    value = (value << 16n) | BigInt(Number.parseInt(group, 16));
  }
  return { version: 6, value };
}

/** The usual notation of an address. */
export function formatIp(version: 4 | 6, value: bigint): string {
  if (version === 4) {
    const n = Number(value);
    return `${Math.floor(n / 2 ** 24)}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}`;
  }
  const groups: string[] = [];
  for (let shift = 112n; shift >= 0n; shift -= 16n) groups.push(((value >> shift) & 0xffffn).toString(16));
  let start = -1;
  let length = 1;
  for (let at = 0; at < 8; at++) {
    let end = at;
    while (end < 8 && groups[end] === '0') end++;
    if (end - at > length) [start, length] = [at, end - at];
    at = Math.max(at, end);
  }
  if (start < 0) return groups.join(':');
  return `${groups.slice(0, start).join(':')}::${groups.slice(start + length).join(':')}`;
}

/** The range, or undefined if the text is none. Without a prefix it is a single address. */
export function parseCidr(text: string): Cidr | undefined {
  const [address, prefixText] = text.split('/');
  const ip = parseIp(address ?? '');
  if (!ip) return undefined;
  const bits = ip.version === 4 ? 32 : 128;
  if (prefixText !== undefined && !/^\d{1,3}$/.test(prefixText)) return undefined;
  const prefix = prefixText === undefined ? bits : Number(prefixText);
  if (prefix > bits) return undefined;
  const size = 1n << BigInt(bits - prefix);
  const first = ip.value - (ip.value % size);
  return {
    version: ip.version,
    first,
    last: first + size - 1n,
    prefix,
    text: `${formatIp(ip.version, first)}/${prefix}`,
  };
}

/** Whether an address lies in a range. */
export function contains(cidr: Cidr, address: string): boolean {
  const ip = parseIp(address);
  return ip !== undefined && ip.version === cidr.version && ip.value >= cidr.first && ip.value <= cidr.last;
}

/** Whether two ranges share an address. */
export function overlaps(a: Cidr, b: Cidr): boolean {
  return a.version === b.version && a.first <= b.last && b.first <= a.last;
}
