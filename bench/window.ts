import { setTimeout as sleep } from 'node:timers/promises';
import { type Counts, writesOfServices } from './counts.ts';
import { cpuOf, growth } from './processes.ts';
import type { BenchWorld } from './world.ts';

/** What happened between two moments. */
export interface Window {
  seconds: number;
  cpu: Record<string, number>;
  counts: Counts;
}

/** Nothing was written for so long: it is over. */
const QUIET_MS = 5_000;

/** Opens a window; what it returns closes it. Scrapes lie outside of the CPU figures. */
export async function begin(world: BenchWorld, counts: () => Promise<Counts>): Promise<() => Promise<Window>> {
  const countsBefore = await counts();
  const cpuBefore = cpuOf(world.processes);
  const started = Date.now();
  return async () => {
    const cpu = growth(cpuBefore, cpuOf(world.processes));
    const seconds = (Date.now() - started) / 1000;
    const after = await counts();
    const names = Object.keys(after) as (keyof Counts)[];
    return {
      seconds,
      cpu,
      counts: Object.fromEntries(names.map((n) => [n, growth(countsBefore[n], after[n])])) as unknown as Counts,
    };
  };
}

/** Waits until the services write nothing any more. */
export async function quiet(world: BenchWorld): Promise<void> {
  let last = await writesOfServices(world.system);
  let since = Date.now();
  const deadline = since + 60_000;
  while (Date.now() - since < QUIET_MS && Date.now() < deadline) {
    await sleep(500);
    const now = await writesOfServices(world.system);
    if (now !== last) since = Date.now();
    last = now;
  }
}

/** Does one thing with all clusters at once, and says how far it is. @throws {Error} with the clusters that are not there in time, and why */
export async function together(
  goal: string,
  names: string[],
  timeoutSeconds: number,
  say: (text: string) => void,
  act: (name: string, signal: AbortSignal, told: (message: string) => void) => Promise<void>,
): Promise<void> {
  const messages = new Map<string, string>();
  const signal = AbortSignal.timeout(timeoutSeconds * 1000);
  const started = Date.now();
  let done = 0;
  const progress = setInterval(
    () => say(`${done} of ${names.length} ${goal} after ${Math.round((Date.now() - started) / 1000)} s`),
    10_000,
  );
  try {
    const results = await Promise.allSettled(
      names.map(async (name) => {
        await act(name, signal, (message) => {
          if (names.length === 1 && messages.get(name) !== message) say(`${name}: ${message}`);
          messages.set(name, message);
        });
        done++;
      }),
    );
    const failed = results.flatMap((r, i) =>
      r.status === 'rejected'
        ? [`${names[i]}: ${(r.reason as Error).message} (${messages.get(names[i]!) ?? 'never heard of'})`]
        : [],
    );
    if (failed.length > 0)
      throw new Error(
        `${failed.length} of ${names.length} clusters are not ${goal}:\n  ${failed.slice(0, 10).join('\n  ')}`,
      );
    say(`${done} of ${names.length} ${goal} after ${((Date.now() - started) / 1000).toFixed(1)} s`);
  } finally {
    clearInterval(progress);
  }
}

/** What the project holds in the simulated cloud; what Nova keeps of deleted servers does not count. */
export async function holdings(world: BenchWorld): Promise<Record<string, number>> {
  const answer = await fetch(`${world.system.simulator!.adminUrl}/state`);
  const { projects } = (await answer.json()) as { projects: Record<string, Record<string, number>> };
  return Object.fromEntries(
    Object.entries(projects.shoto ?? {}).filter(([kind, n]) => kind !== 'deletedServers' && kind !== 'images' && n > 0),
  );
}
