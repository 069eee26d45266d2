import type { Clock, Timer } from './clock.ts';
import type { Random } from './random.ts';

/** One ordered failure: which requests it is about, how often it hits, and what it does. */
export interface Rule<Match, Action> {
  id: string;
  match: Match;
  /** Share of fitting requests that are hit, 0 to 1. */
  rate?: number | undefined;
  /** Hits at most. */
  count?: number | undefined;
  /** Fitting requests that pass before the first hit. */
  after?: number | undefined;
  /** The rule ends by itself after so many milliseconds. */
  forMs?: number | undefined;
  action: Action;
}

/** The request is dealt with `ms` later. */
export type Delay = { type: 'delay'; ms: number };

interface Loaded<Match, Action> {
  rule: Rule<Match, Action>;
  seen: number;
  hits: number;
  timer: Timer | undefined;
}

/** The rules that are in force. Delays add up; of the others the first that hits wins, after the delays. */
export class FaultRules<Match, Action extends { type: string }, Request> {
  readonly #clock: Clock;
  readonly #random: Pick<Random, 'next'>;
  readonly #fits: (match: Match, request: Request) => boolean;
  readonly #prefix: string;
  #rules: Loaded<Match, Action | Delay>[] = [];
  #serial = 0;

  /** @param prefix - of the ids of rules that are given without one */
  constructor(
    clock: Clock,
    random: Pick<Random, 'next'>,
    prefix: string,
    fits: (match: Match, request: Request) => boolean,
  ) {
    this.#clock = clock;
    this.#random = random;
    this.#prefix = prefix;
    this.#fits = fits;
  }

  /** Whether there is no rule at all. */
  get isEmpty(): boolean {
    return this.#rules.length === 0;
  }

  /** Adds a rule, replacing one of the same id; answers it with its id. */
  add(given: Omit<Rule<Match, Action | Delay>, 'id'> & { id?: string | undefined }): Rule<Match, Action | Delay> {
    const rule = { ...given, id: given.id ?? `${this.#prefix}-${++this.#serial}` };
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
  list(): (Rule<Match, Action | Delay> & { seen: number; hits: number })[] {
    return this.#rules.map((r) => ({ ...r.rule, seen: r.seen, hits: r.hits }));
  }

  /** What is to be done to a request, once its delays are over; undefined lets it through. */
  async decide(request: Request): Promise<Action | undefined> {
    let delay = 0;
    let action: Action | undefined;
    for (const loaded of this.#rules) {
      const { rule } = loaded;
      if (action && !isDelay(rule.action)) continue;
      if (!this.#fits(rule.match, request)) continue;
      loaded.seen++;
      if (loaded.seen <= (rule.after ?? 0)) continue;
      if (rule.count !== undefined && loaded.hits >= rule.count) continue;
      if (rule.rate !== undefined && this.#random.next() >= rule.rate) continue;
      loaded.hits++;
      if (isDelay(rule.action)) delay += rule.action.ms;
      else action = rule.action;
    }
    if (delay > 0) await this.#clock.sleep(delay);
    return action;
  }
}

const isDelay = (action: { type: string }): action is Delay => action.type === 'delay';
