import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Redis } from 'ioredis';
import { type EngineTimes, RetryableError, type RunContext } from '../src/index.ts';

/** Production's times, about a fifth of them, so that a test of 30 s takes 6. */
export const testTimes: EngineTimes = {
  lockMs: 2_000,
  stalledMs: 500,
  pollMs: 200,
  memberMs: 1_000,
  holdMs: 1_000,
  wedgedMs: 3_000,
  blockMs: 2_000,
};

/** What a replica did. `at` is milliseconds of the monotonic clock that all processes of a machine share. */
export interface Report {
  what: 'ready' | 'start' | 'end';
  key: string;
  version: number;
  at: number;
}

const now = (): number => Number(process.hrtime.bigint()) / 1e6;

/** A pass: reads what is wanted of its key, takes some time, fails one time in ten. */
export async function work(world: Redis, key: string, ctx: RunContext, say: (r: Report) => void): Promise<undefined> {
  const at = now();
  const version = Number((await world.get(key)) ?? 0);
  say({ what: 'start', key, version, at });
  await sleep(20 + Math.random() * 130, undefined, { signal: ctx.signal }).catch(() => {});
  say({ what: 'end', key, version: ctx.signal.aborted ? 0 : version, at: now() });
  ctx.signal.throwIfAborted();
  if (Math.random() < 0.1) throw new RetryableError('Chance', 'one pass in ten fails');
  return undefined;
}

/** Runs of one key, in one process. */
interface Run {
  key: string;
  version: number;
  from: number;
  to: number;
}

/** Collects the reports of replicas and judges them. */
export class Judge {
  readonly #runs: Run[] = [];
  readonly #open = new Map<string, Run>();

  /** A listener for one replica's reports. */
  of(replica: string): (r: Report) => void {
    return (r) => {
      const id = `${replica} ${r.key}`;
      if (r.what === 'start') {
        const run = { key: r.key, version: r.version, from: r.at, to: Number.POSITIVE_INFINITY };
        this.#runs.push(run);
        this.#open.set(id, run);
      } else if (r.what === 'end') {
        const run = this.#open.get(id);
        this.#open.delete(id);
        if (run) Object.assign(run, { to: r.at, version: r.version });
      }
    };
  }

  /** The replica was killed: what it ran ended now, and counts for nothing. */
  died(replica: string): number {
    let runs = 0;
    for (const [id, run] of this.#open) {
      if (!id.startsWith(`${replica} `)) continue;
      Object.assign(run, { to: now(), version: 0 });
      this.#open.delete(id);
      runs++;
    }
    return runs;
  }

  get runs(): number {
    return this.#runs.length;
  }

  /** Pairs of runs of one key that overlap. */
  doubles(): string[] {
    const found: string[] = [];
    const last = new Map<string, Run>();
    for (const run of [...this.#runs].sort((a, b) => a.from - b.from)) {
      const before = last.get(run.key);
      if (before && run.from < before.to)
        found.push(`${run.key}: ${before.from}-${before.to} and ${run.from}-${run.to}`);
      if (!before || run.to > before.to) last.set(run.key, run);
    }
    return found;
  }

  /** Keys whose newest version no finished run has seen. */
  lost(wanted: ReadonlyMap<string, number>): string[] {
    const seen = new Map<string, number>();
    for (const run of this.#runs) {
      if (Number.isFinite(run.to)) seen.set(run.key, Math.max(run.version, seen.get(run.key) ?? 0));
    }
    return [...wanted].filter(([key, version]) => (seen.get(key) ?? 0) < version).map(([key]) => key);
  }
}

/** Starts a replica in a process of its own and waits until it works. */
export async function startReplica(
  redisUrl: string,
  worldUrl: string,
  onReport: (r: Report) => void,
): Promise<ChildProcess> {
  const program = fileURLToPath(new URL('./replica.ts', import.meta.url));
  const child = spawn(process.execPath, [program, redisUrl, worldUrl], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise<void>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`replica ended with ${code}`)));
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const report = JSON.parse(line) as Report;
      if (report.what === 'ready') resolve();
      else onReport(report);
    });
  });
  return child;
}

/** Ends a process and waits for it. */
export async function end(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await gone;
}
