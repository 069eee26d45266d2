import { Team } from './clusters.ts';
import { type Counts, takeCounts } from './counts.ts';
import type { BenchOptions } from './options.ts';
import { quiet, together } from './window.ts';
import type { BenchWorld } from './world.ts';

/** Clusters that are Ready and at rest, for a scenario to do something with. */
export interface Fleet {
  team: Team;
  /** Names of the clusters. */
  names: string[];
  /** Reads every counter once. */
  counts: () => Promise<Counts>;
}

/** Makes the clusters of a scenario. @throws {Error} with those that are not Ready in time, and why */
export async function makeFleet(world: BenchWorld, o: BenchOptions, say: (text: string) => void): Promise<Fleet> {
  const team = new Team(world.system);
  const names = Array.from({ length: o.clusters }, (_, i) => `bench-${String(i + 1).padStart(3, '0')}`);
  say(`creating ${o.clusters} clusters of 1 control plane and ${o.workers} workers`);
  await together('ready', names, o.timeoutSeconds, say, async (name, signal, told) => {
    await team.create(name, o.workers);
    await team.follow(name, 'ready', signal, told);
  });
  await quiet(world);
  return { team, names, counts: () => takeCounts(world.system, world.countsItself ? world.kube : undefined) };
}
