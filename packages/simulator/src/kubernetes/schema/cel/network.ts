import { isIPv4, isIPv6 } from 'node:net';
import type { Environment } from '@marcbachmann/cel-js';
import { isCidr } from '../formats.ts';

/** An IP address as a number of 32 or 128 bits. */
class CelIp {
  readonly value: bigint;
  readonly family: 4 | 6;
  constructor(value: bigint, family: 4 | 6) {
    this.value = value;
    this.family = family;
  }

  static parse(text: string): CelIp {
    if (isIPv4(text)) return new CelIp(v4(text), 4);
    if (!isIPv6(text) || text.includes('%')) {
      throw new Error(`IP Address ${JSON.stringify(text)} parse error during conversion from string`);
    }
    if (text.includes('.')) throw new Error('IPv4-mapped IPv6 address is not allowed');
    return new CelIp(v6(text), 6);
  }

  toString(): string {
    if (this.family === 4) return [24n, 16n, 8n, 0n].map((bits) => (this.value >> bits) & 255n).join('.');
    const groups = Array.from({ length: 8 }, (_, i) => ((this.value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16));
    // The platform's own URL parser writes the canonical form (RFC 5952).
    return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
  }
}

/** An address block: an address and the number of its leading bits that count. */
class CelCidr {
  readonly ip: CelIp;
  readonly prefix: number;
  constructor(ip: CelIp, prefix: number) {
    this.ip = ip;
    this.prefix = prefix;
  }

  static parse(text: string): CelCidr {
    if (!isCidr(text)) {
      const words = 'network address parse error during conversion from string';
      const reason = text.includes('/') ? 'invalid address block' : "no '/'";
      throw new Error(`${words}: ${words}: netip.ParsePrefix(${JSON.stringify(text)}): ${reason}`);
    }
    const slash = text.lastIndexOf('/');
    return new CelCidr(CelIp.parse(text.slice(0, slash)), Number(text.slice(slash + 1)));
  }

  get #bits(): number {
    return this.ip.family === 4 ? 32 : 128;
  }

  masked(): CelCidr {
    const host = BigInt(this.#bits - this.prefix);
    return new CelCidr(new CelIp((this.ip.value >> host) << host, this.ip.family), this.prefix);
  }

  containsIp(ip: CelIp): boolean {
    const host = BigInt(this.#bits - this.prefix);
    return ip.family === this.ip.family && ip.value >> host === this.ip.value >> host;
  }

  containsCidr(other: CelCidr): boolean {
    return other.prefix >= this.prefix && this.containsIp(other.ip);
  }

  toString(): string {
    return `${this.ip}/${this.prefix}`;
  }
}

const v4 = (text: string): bigint => text.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);

function v6(text: string): bigint {
  const [head = '', tail] = text.split('::');
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const middle = tail === undefined ? [] : Array<string>(8 - left.length - right.length).fill('0');
  return [...left, ...middle, ...right].reduce((sum, part) => (sum << 16n) | BigInt(`0x${part}`), 0n);
}

function attempt(parse: (text: string) => unknown): (text: string) => boolean {
  return (text) => {
    try {
      parse(text);
      return true;
    } catch {
      return false;
    }
  };
}

/** Kubernetes' IP and CIDR libraries. */
export function registerNetworkFunctions(environment: Environment): void {
  environment.registerType('net.IP', { ctor: CelIp, fields: {} });
  environment.registerType('net.CIDR', { ctor: CelCidr, fields: {} });
  class IpNamespace {}
  environment.registerType('IpNamespace', IpNamespace);
  environment.registerConstant('ip', 'IpNamespace', new IpNamespace());
  const range = (low: string): CelCidr => CelCidr.parse(low);
  const inAny = (...blocks: string[]): ((ip: CelIp) => boolean) => {
    const cidrs = blocks.map(range);
    return (ip) => cidrs.some((cidr) => cidr.containsIp(ip));
  };
  const linkLocalMulticast = inAny('224.0.0.0/24', 'ff02::/16');
  const linkLocal = inAny('169.254.0.0/16', 'fe80::/10');
  const special = inAny('0.0.0.0/32', '255.255.255.255/32', '::/128', '127.0.0.0/8', '::1/128');
  const multicast = inAny('224.0.0.0/4', 'ff00::/8');
  environment
    .registerOperator('net.IP == net.IP', (a: CelIp, b: CelIp) => a.value === b.value && a.family === b.family)
    .registerOperator('net.CIDR == net.CIDR', (a: CelCidr, b: CelCidr) => a.toString() === b.toString())
    .registerFunction('isIP(string): bool', attempt(CelIp.parse))
    .registerFunction('ip(string): net.IP', (text: string) => CelIp.parse(text))
    .registerFunction('IpNamespace.isCanonical(string): bool', (_: unknown, text: string) => {
      return CelIp.parse(text).toString() === text;
    })
    .registerFunction('net.IP.family(): int', (ip: CelIp) => BigInt(ip.family))
    .registerFunction('net.IP.isUnspecified(): bool', inAny('0.0.0.0/32', '::/128'))
    .registerFunction('net.IP.isLoopback(): bool', inAny('127.0.0.0/8', '::1/128'))
    .registerFunction('net.IP.isLinkLocalMulticast(): bool', linkLocalMulticast)
    .registerFunction('net.IP.isLinkLocalUnicast(): bool', linkLocal)
    .registerFunction('net.IP.isGlobalUnicast(): bool', (ip: CelIp) => !special(ip) && !multicast(ip) && !linkLocal(ip))
    .registerFunction('string(net.IP): string', (ip: CelIp) => ip.toString())
    .registerFunction('isCIDR(string): bool', attempt(CelCidr.parse))
    .registerFunction('cidr(string): net.CIDR', (text: string) => CelCidr.parse(text))
    .registerFunction('net.CIDR.containsIP(net.IP): bool', (cidr: CelCidr, ip: CelIp) => cidr.containsIp(ip))
    .registerFunction('net.CIDR.containsIP(string): bool', (cidr: CelCidr, ip: string) =>
      cidr.containsIp(CelIp.parse(ip)),
    )
    .registerFunction('net.CIDR.containsCIDR(net.CIDR): bool', (cidr: CelCidr, other: CelCidr) =>
      cidr.containsCidr(other),
    )
    .registerFunction('net.CIDR.containsCIDR(string): bool', (cidr: CelCidr, other: string) =>
      cidr.containsCidr(CelCidr.parse(other)),
    )
    .registerFunction('net.CIDR.ip(): net.IP', (cidr: CelCidr) => cidr.ip)
    .registerFunction('net.CIDR.prefixLength(): int', (cidr: CelCidr) => BigInt(cidr.prefix))
    .registerFunction('net.CIDR.masked(): net.CIDR', (cidr: CelCidr) => cidr.masked())
    .registerFunction('string(net.CIDR): string', (cidr: CelCidr) => cidr.toString());
}
