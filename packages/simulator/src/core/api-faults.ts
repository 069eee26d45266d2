import type { Clock, Timer } from './clock.ts';
import type { Random } from './random.ts';

/** Which requests to a Kubernetes API a rule is about; every given field must fit. */
export interface ApiFaultMatch {
  /** `management`, the name of a workload cluster, or its outside address; every API without it. */
  cluster?: string | undefined;
  /** Kubernetes verb: get, list, watch, create, update, patch, delete. */
  verb?: string | undefined;
  /** Plural, such as `machines`. */
  resource?: string | undefined;
  /** Regular expression on the user's name. */
  user?: string | undefined;
}

/** What a rule does to a request. */
export type ApiFaultAction =
  /** The request is dealt with `ms` later. */
  | { type: 'delay'; ms: number }
  | { type: 'status'; status: number; message?: string | undefined; retryAfter?: number | undefined }
  /** No answer, no deed. */
  | { type: 'hang' }
  /** The connection is cut, nothing is done. */
  | { type: 'reset' }
  /** The deed is done, then the connection is cut. */
  | { type: 'lostAnswer' };

/** One rule. */
export interface ApiFaultRule {
  id: string;
  match: ApiFaultMatch;
  /** Share of fitting requests that are hit, 0 to 1. */
  rate?: number | undefined;
  /** Hits at most. */
  count?: number | undefined;
  /** Fitting requests that pass before the first hit. */
  after?: number | undefined;
  /** The rule ends by itself after so many milliseconds. */
  forMs?: number | undefined;
  action: ApiFaultAction;
}

/** A request as rules see it. */
export interface ApiRequest {
  /** What the API goes by: its name, and the outside addresses that lead to it. */
  cluster: readonly string[];
  verb: string;
  resource: string;
  user: string;
}

interface Loaded {
  rule: ApiFaultRule;
  seen: number;
  hits: number;
  timer: Timer | undefined;
}

/** The rules for Kubernetes APIs that are in force. Delays add up; of the others the first that hits wins, after the delays. */
export class ApiFaults {
  readonly #clock: Clock;
  readonly #random: Random;
  #rules: Loaded[] = [];
  #serial = 0;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Whether there is no rule at all. */
  get isEmpty(): boolean {
    return this.#rules.length === 0;
  }

  /** Adds a rule, replacing one of the same id; answers it with its id. */
  add(given: Omit<ApiFaultRule, 'id'> & { id?: string | undefined }): ApiFaultRule {
    const rule: ApiFaultRule = { ...given, id: given.id ?? `api-fault-${++this.#serial}` };
    this.remove(rule.id);
    const { forMs, id } = rule;
    const timer = forMs === undefined ? undefined : this.#clock.setTimeout(() => this.remove(id), forMs);
    this.#rules.push({ rule, seen: 0, hits: 0, timer });
    return rule;
  }

  /** Takes one rule out, or all; false if it was not there. */
  remove(id?: string): boolean {
    const going = this.#rules.filter((r) => id === undefined || r.rule.id === id);
    for (const r of going) r.timer?.cancel();
    this.#rules = this.#rules.filter((r) => !going.includes(r));
    return id === undefined || going.length > 0;
  }

  /** The rules with how many requests fitted and were hit. */
  list(): (ApiFaultRule & { seen: number; hits: number })[] {
    return this.#rules.map((r) => ({ ...r.rule, seen: r.seen, hits: r.hits }));
  }

  /** What is to be done to a request, once its delays are over; undefined lets it through. */
  async decide(request: ApiRequest): Promise<Exclude<ApiFaultAction, { type: 'delay' }> | undefined> {
    let delay = 0;
    let action: Exclude<ApiFaultAction, { type: 'delay' }> | undefined;
    for (const loaded of this.#rules) {
      const { rule } = loaded;
      if (action && rule.action.type !== 'delay') continue;
      if (!fits(rule.match, request)) continue;
      loaded.seen++;
      if (loaded.seen <= (rule.after ?? 0)) continue;
      if (rule.count !== undefined && loaded.hits >= rule.count) continue;
      if (rule.rate !== undefined && this.#random.next() >= rule.rate) continue;
      loaded.hits++;
      if (rule.action.type === 'delay') delay += rule.action.ms;
      else action = rule.action;
    }
    if (delay > 0) await this.#clock.sleep(delay);
    return action;
  }
}

function fits(match: ApiFaultMatch, r: ApiRequest): boolean {
  if (match.cluster !== undefined && !r.cluster.includes(match.cluster)) return false;
  if (match.verb !== undefined && match.verb !== r.verb) return false;
  if (match.resource !== undefined && match.resource !== r.resource) return false;
  return match.user === undefined || new RegExp(match.user).test(r.user);
}
