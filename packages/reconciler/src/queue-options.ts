import type { ReconcileError } from './errors.ts';

/** What a pass asks for: another pass after a time, or nothing (then only a change wakes the key). */
export type Outcome = { requeueAfterMs?: number } | undefined;

/** What a pass knows besides its key. */
export interface RunContext {
  /** Aborted when the pass must stop: its time is over, its lock is lost, the process ends. Pass it on to every call. */
  signal: AbortSignal;
  /** 1, and one more after each failure in a row. */
  attempt: number;
  /** Set when another replica fed this key: a cache older than this resourceVersion must be passed by (`Reflector.read`). */
  wake?: { resourceVersion?: string };
}

export interface QueueOptions {
  /** Passes at once in this process. */
  concurrency: number;
  /** Longest pass; its signal is aborted then. Default 20 000. */
  maxRunMs?: number;
  /** First pause after a failure; default 100. */
  baseDelayMs?: number;
  /** Longest pause after a failure; default 300 000. */
  maxDelayMs?: number;
  /** At most `max` passes are started per `perMs`, over all replicas. */
  limiter?: { max: number; perMs: number };
  /** After so many `outage` errors in a row (over all keys) nothing starts for `openMs`, then one pass may try. */
  breaker?: { failures: number; openMs: number };
  /** One pass over one key. May be cut short, repeated or late, and must end the same. */
  reconcile: (key: string, ctx: RunContext) => Promise<Outcome> | Promise<void>;
  /** Told after a pass that failed. `nextMs`: when it is tried again; undefined: not before a change. */
  onError?: (key: string, error: ReconcileError, nextMs: number | undefined) => Promise<void> | void;
}

export interface AddOptions {
  /** `event` (default) goes before `resync`. */
  priority?: 'event' | 'resync';
  /** The version of the change that caused this. */
  resourceVersion?: string;
}
