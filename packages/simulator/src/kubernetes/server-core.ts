import type { Registry } from './registry/registry.ts';
import type { StrategyContext } from './registry/resource-type.ts';
import type { Schemas } from './schema-port.ts';
import type { Store } from './store/store.ts';
import type { Clock, User } from './types.ts';

/** What the operations of one server share. */
export interface Core {
  /** In events and messages. */
  name: string;
  store: Store;
  registry: Registry;
  schemas: Schemas;
  clock: Clock;
  /** [0, 1) */
  random: () => number;
  /** IPv4 CIDR of cluster IPs. */
  serviceCidr: string;
}

/** How one request wants to be carried out. */
export interface Call {
  user: User;
  /** Whose fields the write becomes; undefined keeps no managedFields (in-process writers, for speed). */
  manager?: string | undefined;
  dryRun?: boolean;
  fieldValidation?: 'Ignore' | 'Warn' | 'Strict';
  /** Takes the text of a Warning header. */
  warn?: (text: string) => void;
}

/** The identity of the simulation's own parts. */
export const systemUser: User = { name: 'system:apiserver', groups: ['system:masters', 'system:authenticated'] };

export const strategyContext = (core: Core, call: Call): StrategyContext => ({
  store: core.store,
  user: call.user,
  nowMs: core.clock.now(),
  random: core.random,
  serviceCidr: core.serviceCidr,
});

const hex = (n: number): string => n.toString(16).padStart(2, '0');

/** A version 4 UUID out of the server's own randomness, so that a seed repeats a run. */
export function newUid(random: () => number): string {
  const b = Array.from({ length: 16 }, () => Math.floor(random() * 256));
  b[6] = ((b[6] as number) & 0x0f) | 0x40;
  b[8] = ((b[8] as number) & 0x3f) | 0x80;
  const s = b.map(hex).join('');
  return `${s.slice(0, 8)}-${s.slice(8, 12)}-${s.slice(12, 16)}-${s.slice(16, 20)}-${s.slice(20)}`;
}

const alphabet = 'bcdfghjklmnpqrstvwxz2456789';

/** The five letters that follow metadata.generateName. */
export const nameSuffix = (random: () => number): string =>
  Array.from({ length: 5 }, () => alphabet[Math.floor(random() * alphabet.length)]).join('');
