import type { Random } from './random.ts';

/** Which calls a rule is about; every given field must fit. */
export interface FaultMatch {
  /** keystone, nova, neutron, glance, cinder, octavia, placement. */
  service?: string | undefined;
  /** HTTP method. */
  method?: string | undefined;
  /** Regular expression on the path, without the query. */
  path?: string | undefined;
  /** Operation, as in the latency table: `nova.server.create`. */
  operation?: string | undefined;
  /** Regular expression on the name of the resource in the body, or of the one addressed. */
  name?: string | undefined;
  /** Metadata that the resource must have. */
  metadata?: Record<string, string> | undefined;
  /** A tag that the resource must have. */
  tag?: string | undefined;
}

/** What a rule does to a call it fits. */
export type FaultAction =
  | { type: 'status'; status: number; body?: unknown; retryAfter?: number | undefined }
  /** The deed is done, then the connection is cut. */
  | { type: 'lostAnswer' }
  /** No answer ever comes, and the deed is done `afterMs` later. */
  | { type: 'lateDeed'; afterMs: number }
  /** No answer, no deed. */
  | { type: 'hang' }
  /** The server that this call creates ends in ERROR with this fault message. */
  | { type: 'serverError'; message: string }
  /** The machine of the server that this call creates fails so, `afterMs` after it became ACTIVE. */
  | ({ type: 'node'; afterMs: number } & NodeFault);

/** Conditions of a node that can be ordered: of its kubelet, and of a node-problem-detector. */
export const NODE_CONDITIONS = [
  'MemoryPressure',
  'DiskPressure',
  'PIDPressure',
  'ReadonlyFilesystem',
  'KernelDeadlock',
] as const;
/** One of them. */
export type NodeCondition = (typeof NODE_CONDITIONS)[number];

/**
 * How a machine can fail: `die` (gone with its data), `silent` (runs, and nobody reaches it), `powerOff` (switched off behind Nova's back), `diskFull` (the same
 * as DiskPressure), `noPodNetwork` (its CNI does not come up, or breaks), or a condition of its node. `none` ends all but `die`.
 */
export const NODE_FAULTS = [
  'die',
  'silent',
  'powerOff',
  'diskFull',
  'noPodNetwork',
  ...NODE_CONDITIONS,
  'none',
] as const;

/** What ends a failure, besides its time. */
export const CURES = ['reboot', 'hardReboot', 'nothing'] as const;

/** An ordered failure of a machine. */
export interface NodeFault {
  fault: (typeof NODE_FAULTS)[number];
  /** It ends by itself after so many milliseconds. */
  forMs?: number | undefined;
  /** Default `reboot` (any of it, stop and start too); `nothing` for a full disk. */
  curedBy?: (typeof CURES)[number] | undefined;
}

/** One rule. Without rate, count and after it always applies. */
export interface FaultRule {
  id: string;
  match: FaultMatch;
  /** Share of fitting calls that are hit, 0 to 1. */
  rate?: number | undefined;
  /** Hits at most; afterwards the rule is spent. */
  count?: number | undefined;
  /** Fitting calls that pass before the first hit. */
  after?: number | undefined;
  action: FaultAction;
}

/** What is known of a call when rules are tried. */
export interface FaultSubject {
  service: string;
  method: string;
  path: string;
  operation: string;
  /** Looked up only if a rule asks. */
  resource: () => { name?: string; metadata?: Record<string, string>; tags?: readonly string[] } | undefined;
}

interface Loaded {
  rule: FaultRule;
  path: RegExp | undefined;
  name: RegExp | undefined;
  seen: number;
  hits: number;
}

/** The rules in force, tried in order; the first that hits wins. */
export class Faults {
  #rules: Loaded[] = [];
  #random: Random;
  #serial = 0;

  constructor(rules: readonly Omit<FaultRule, 'id'>[], random: Random) {
    this.#random = random;
    for (const rule of rules) this.add(rule);
  }

  /** Adds a rule, replacing one of the same id; answers it with its id. */
  add(given: Omit<FaultRule, 'id'> & { id?: string | undefined }): FaultRule {
    const rule: FaultRule = { ...given, id: given.id ?? `fault-${++this.#serial}` };
    const loaded: Loaded = {
      rule,
      path: rule.match.path === undefined ? undefined : new RegExp(rule.match.path),
      name: rule.match.name === undefined ? undefined : new RegExp(rule.match.name),
      seen: 0,
      hits: 0,
    };
    const at = this.#rules.findIndex((r) => r.rule.id === rule.id);
    if (at >= 0) this.#rules[at] = loaded;
    else this.#rules.push(loaded);
    return rule;
  }

  /** Takes one rule out, or all; false if it was not there. */
  remove(id?: string): boolean {
    const before = this.#rules.length;
    this.#rules = id === undefined ? [] : this.#rules.filter((r) => r.rule.id !== id);
    return id === undefined || this.#rules.length < before;
  }

  /** The rules with how many calls fitted and were hit. */
  list(): (FaultRule & { seen: number; hits: number })[] {
    return this.#rules.map((r) => ({ ...r.rule, seen: r.seen, hits: r.hits }));
  }

  /** The action for this call, if a rule hits it. */
  hit(subject: FaultSubject): FaultAction | undefined {
    for (const loaded of this.#rules) {
      if (!fits(loaded, subject)) continue;
      loaded.seen++;
      const { rule } = loaded;
      if (loaded.seen <= (rule.after ?? 0)) continue;
      if (rule.count !== undefined && loaded.hits >= rule.count) continue;
      if (rule.rate !== undefined && this.#random.next() >= rule.rate) continue;
      loaded.hits++;
      return rule.action;
    }
    return undefined;
  }
}

function fits(loaded: Loaded, s: FaultSubject): boolean {
  const { match } = loaded.rule;
  if (match.service !== undefined && match.service !== s.service) return false;
  if (match.method !== undefined && match.method !== s.method) return false;
  if (match.operation !== undefined && match.operation !== s.operation) return false;
  if (loaded.path && !loaded.path.test(s.path)) return false;
  if (!loaded.name && !match.metadata && match.tag === undefined) return true;
  const resource = s.resource();
  if (!resource) return false;
  if (loaded.name && !loaded.name.test(resource.name ?? '')) return false;
  if (match.tag !== undefined && !resource.tags?.includes(match.tag)) return false;
  return Object.entries(match.metadata ?? {}).every(([k, v]) => resource.metadata?.[k] === v);
}
