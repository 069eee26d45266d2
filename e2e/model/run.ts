import fc from 'fast-check';
import { type Action, action } from './action.ts';
import { Actor, wantedMachines } from './actor.ts';
import { leftovers, settle } from './settled.ts';
import { isUsable, Truth } from './truth.ts';
import { mulberry32 } from './virtual-time.ts';
import { Watch } from './watch.ts';
import { CLUSTERS, NAMESPACE, startWorld } from './world.ts';

const MINUTE = 60_000;
/** A cluster must be settled within this, whatever was done to it. */
const SETTLES_MS = 240 * MINUTE;
/** Passes that settling may take: some for the cluster, and some for each machine that it has or has to replace. */
const PASSES = { base: 2_000, perMachine: 400 };

/** What a sequence came to. */
export interface Outcome {
  seed: number;
  /** What was done, line by line. */
  log: string[];
  /** What did not hold; empty: all did. */
  broken: string[];
  passes: number;
  virtualMs: number;
}

/** A cluster, and what is done to it, one after the other, with pauses. */
interface Sequence {
  controlPlanes: 1 | 3;
  workers: number;
  /** Whether it is settled before anything is done; else it is still being made. */
  settled: boolean;
  steps: { action: Action; thenSeconds: number }[];
}

const sequence: fc.Arbitrary<Sequence> = fc.record({
  controlPlanes: fc.constantFrom(1 as const, 3 as const),
  workers: fc.integer({ min: 0, max: 4 }),
  settled: fc.constantFrom(true, true, true, false),
  steps: fc.array(
    fc.record({
      action,
      thenSeconds: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 30 }), fc.integer({ min: 30, max: 400 })),
    }),
    { minLength: 3, maxLength: 10 },
  ),
});

/** The sequence of a seed. */
function sequenceOf(seed: number): Sequence {
  const [made] = fc.sample(sequence, { seed, numRuns: 1 });
  if (!made) throw new Error('fast-check gave no sample');
  return made;
}

/** Seeds of a run. */
export function seedsOf(seed: number, runs: number): number[] {
  const random = mulberry32(seed);
  return Array.from({ length: runs }, () => Math.floor(random() * 2 ** 31));
}

/** Makes a world with one cluster, does a sequence to it, lets it settle, deletes it; and says what did not hold. */
export async function runSequence(seed: number): Promise<Outcome> {
  const { controlPlanes, workers, settled, steps } = sequenceOf(seed);
  const world = await startWorld({ seed });
  const name = 'web';
  try {
    const truth = new Truth(world);
    const watch = new Watch(world, truth);
    const actor = new Actor(world, truth, name);
    const broken: string[] = [];
    await world.createCluster(name, {
      release: 'v1.34.6',
      controlPlane: { count: controlPlanes, flavor: 'm1.medium' },
      nodePools: [{ name: 'default', count: workers, flavor: 'm1.small' }],
    });
    actor.log.push(`${controlPlanes} control planes, ${workers} workers`);
    if (settled) {
      const { lacks } = await settle(world, truth, name, SETTLES_MS);
      if (lacks.length > 0) broken.push(`not settled at first: ${lacks.join('; ')}`);
    }
    for (const { action, thenSeconds } of steps) {
      await actor.do(action);
      await world.time.advance(thenSeconds * 1000);
    }
    await actor.calm();
    const { lacks, passes } = await settle(world, truth, name, SETTLES_MS);
    const cluster = truth.cluster(name)!;
    if (lacks.length > 0) {
      broken.push(`not settled after ${SETTLES_MS / MINUTE} min: ${lacks.join('; ')}`);
      actor.log.push(...toldBy(truth, name));
    } else {
      const bound = PASSES.base + PASSES.perMachine * wantedMachines(cluster);
      if (passes > bound) broken.push(`settling took ${passes} passes, and may take ${bound}`);
      await world.kube.delete(CLUSTERS, { namespace: NAMESPACE, name });
      await world.time.until(() => leftovers(world, truth, name).length === 0, 60 * MINUTE, 2000);
      const left = leftovers(world, truth, name);
      if (left.length > 0) broken.push(`left after deletion: ${left.join(', ')}`);
    }
    for (const d of watch.wrong) broken.push(`${d.machine} was deleted and worked, and nobody asked for it`);
    return {
      seed,
      log: actor.log,
      broken: [...watch.violations, ...broken],
      passes: world.passes.length,
      virtualMs: world.time.elapsed,
    };
  } finally {
    await world.close();
  }
}

/** What the objects themselves say of what holds them up. */
function toldBy(truth: Truth, name: string): string[] {
  const { infrastructure, controlPlane, conditions } = truth.cluster(name)?.status ?? {};
  const out: string[] = [];
  const say = (of: string, c: { type: string; status: string; reason: string; message: string }) =>
    out.push(`${of}: ${c.type} ${c.status} ${c.reason}: ${c.message}`);
  for (const part of [infrastructure?.conditions, controlPlane?.conditions, conditions])
    for (const c of part ?? []) say(name, c);
  for (const m of truth.machines(name)) {
    if (!m.status || (isUsable(m) && truth.works(m))) continue;
    const { server, bootstrap, health } = m.status;
    out.push(
      `${m.metadata.name}: server ${server.state}, health ${JSON.stringify({ ...health, conditions: undefined })}`,
    );
    for (const part of [server, bootstrap, health]) for (const c of part.conditions ?? []) say(m.metadata.name, c);
  }
  return out;
}

/** An outcome for people. */
export const describeOutcome = (o: Outcome): string =>
  [`seed ${o.seed}:`, ...o.log.map((l) => `  ${l}`), ...o.broken.map((b) => `  BROKEN ${b}`)].join('\n');
