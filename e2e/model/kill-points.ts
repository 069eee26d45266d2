import type { ClusterSpecInput } from '@shoto/api';
import { type OutsideCall, watchCalls } from './life.ts';
import { describeCall, isPoint } from './outside-calls.ts';
import { SERVICES, type ServiceName } from './services.ts';
import { leftovers, settle } from './settled.ts';
import { Truth } from './truth.ts';
import { Watch } from './watch.ts';
import { CLUSTERS, NAMESPACE, startWorld, type World } from './world.ts';

const MINUTE = 60_000;
/** Each step of the story must be over within this, deaths and all. */
const STEP_MS = 60 * MINUTE;
/** Stories in one world: its certificates last for some hours of simulated time. */
const STORIES_PER_WORLD = 20;

type StoryName = 'a worker' | 'the control plane';

/** What is told: a cluster is made, machines of it are replaced by others of another flavor, and all is taken away. */
const STORIES: Record<StoryName, { change: Partial<ClusterSpecInput> } & Partial<ClusterSpecInput>> = {
  'a worker': {
    controlPlane: { count: 1, flavor: 'm1.medium' },
    nodePools: [{ name: 'w', count: 1, flavor: 'm1.small' }],
    change: { nodePools: [{ name: 'w', count: 1, flavor: 'm1.medium' }] },
  },
  'the control plane': {
    controlPlane: { count: 3, flavor: 'm1.medium' },
    nodePools: [],
    change: { controlPlane: { count: 3, flavor: 'm1.large' } },
  },
};

/** Where a service dies: before its n-th outside call is sent, or when the answer is there and nothing was made of it yet. */
export interface KillPoint {
  /** What is replaced in the story. */
  story: StoryName;
  service: ServiceName;
  /** From 0, among the calls of this service. */
  call: number;
  side: 'before' | 'after';
  /** What was called when the points were counted. */
  what: string;
}

/** What became of a story in which a service died. */
export interface StoryEnd {
  point: KillPoint | undefined;
  died: boolean;
  /** What did not hold; empty: all did. */
  broken: string[];
  virtualMs: number;
}

/** Runs create, replace and delete of a cluster; a service dies at `point`, and comes again a second later. */
async function story(
  world: World,
  truth: Truth,
  watch: Watch,
  name: string,
  which: StoryName,
  point?: KillPoint,
): Promise<StoryEnd & { calls: KillPoint[] }> {
  const calls: KillPoint[] = [];
  const counts = new Map<string, number>();
  let died = false;
  const numbered = new WeakMap<OutsideCall, number>();
  const hit = (call: OutsideCall, side: KillPoint['side']): boolean => {
    const n = numbered.get(call);
    if (n === undefined || died || point?.service !== call.service || point.side !== side || point.call !== n)
      return false;
    died = true;
    return true;
  };
  watchCalls({
    before: (call) => {
      if (!isPoint(call.method, call.path)) return false;
      const n = counts.get(call.service) ?? 0;
      counts.set(call.service, n + 1);
      numbered.set(call, n);
      for (const side of ['before', 'after'] as const)
        calls.push({
          story: which,
          service: call.service as ServiceName,
          call: n,
          side,
          what: describeCall(call.method, call.path),
        });
      return hit(call, 'before');
    },
    after: (call) => hit(call, 'after'),
  });
  const start = world.time.elapsed;
  const broken: string[] = [];
  const step = async (what: string): Promise<boolean> => {
    const { lacks } = await settle(world, truth, name, STEP_MS);
    if (lacks.length > 0) broken.push(`${what}: ${lacks.join('; ')}`);
    return lacks.length === 0;
  };
  const { change, ...spec } = STORIES[which];
  await world.createCluster(name, spec);
  if (await step('create')) {
    await world.kube.mergePatch(CLUSTERS, { namespace: NAMESPACE, name }, { spec: change });
    await step('replace');
  }
  await world.kube.delete(CLUSTERS, { namespace: NAMESPACE, name });
  await world.time.until(() => leftovers(world, truth, name).length === 0, STEP_MS, 2000);
  const left = leftovers(world, truth, name);
  if (left.length > 0) broken.push(`left after deletion: ${left.join(', ')}`);
  watchCalls();
  broken.push(...watch.violations.splice(0));
  return { point, died, broken, virtualMs: world.time.elapsed - start, calls };
}

/** Finds all points, by running each story once and looking at what the services call. */
export async function findPoints(seed: number): Promise<KillPoint[]> {
  const world = await startWorld({ seed });
  try {
    const truth = new Truth(world);
    const watch = new Watch(world, truth);
    const calls: KillPoint[] = [];
    for (const [i, which] of (Object.keys(STORIES) as StoryName[]).entries()) {
      const end = await story(world, truth, watch, `web${i}`, which);
      if (end.broken.length > 0) throw new Error(`the story fails though nobody dies: ${end.broken.join('; ')}`);
      calls.push(...end.calls);
    }
    return calls;
  } finally {
    await world.close();
  }
}

/** Runs its story once for each point. */
export async function killAt(seed: number, points: readonly KillPoint[], told: (end: StoryEnd) => void): Promise<void> {
  for (let from = 0; from < points.length; from += STORIES_PER_WORLD) {
    let world: World | undefined;
    let truth: Truth | undefined;
    let watch: Watch | undefined;
    try {
      for (const [i, point] of points.slice(from, from + STORIES_PER_WORLD).entries()) {
        world ??= await startWorld({ seed: seed + from });
        truth ??= new Truth(world);
        watch ??= new Watch(world, truth);
        const end = await story(world, truth, watch, `web${i}`, point.story, point);
        told(end);
        // What one story has broken must not be held against the next.
        if (end.broken.length > 0) {
          await world.close();
          world = truth = watch = undefined;
        }
      }
    } finally {
      await world?.close();
    }
  }
}

/** `n` of the points, evenly over all of them. */
export function sample(points: readonly KillPoint[], n: number): KillPoint[] {
  if (points.length <= n) return [...points];
  return Array.from({ length: n }, (_, i) => points[Math.floor((i * points.length) / n)]!);
}

/** How many points each service has. */
export const countByService = (points: readonly KillPoint[]): string =>
  SERVICES.map((s) => `${s} ${points.filter((p) => p.service === s).length}`).join(', ');
