import { setTimeout as sleep } from 'node:timers/promises';
import { type Machine, MachineKind, resourceOf, tenantNamespace } from '@shoto/api';
import { type HasMeta, Reflector } from '@shoto/kube';
import { makeFleet } from '../fleet.ts';
import type { BenchOptions } from '../options.ts';
import { sumOf } from '../processes.ts';
import { percentile, round } from '../statistics.ts';
import { type Groups, groups, isApiServer, isOurs, writesByUs } from '../sums.ts';
import { begin, quiet } from '../window.ts';
import type { BenchWorld } from '../world.ts';

/** What a storm did, and what was done about it. */
export interface StormFigures {
  scenario: 'storm';
  clusters: number;
  machines: number;
  /** Machines that died at once. */
  killed: number;
  /** Orders by action that were given while it lasted. */
  orders: Record<string, number>;
  /** Servers that we deleted; those of healthy machines count as wrong. */
  deletions: number;
  wrongDeletions: number;
  /** Clusters that said that healing is held, by brake. */
  held: Record<string, number>;
  storm: { seconds: number; cpuSeconds: Groups; cpuSecondsAll: number; apiWrites: number };
  /** Machines that were lost one at a time before it, and how long each took from the order to a healthy one in its place. */
  single: { machines: number; replaceSeconds: { p50: number; p95: number } };
}

/** Share of the machines that die. */
const SHARE = 0.4;
/** How long the storm is watched. */
const WATCH_SECONDS = 120;
/** Clusters that lose one machine each in the first part. */
const SINGLES = 10;

type Seen = Machine & HasMeta;

/** In some clusters one machine dies; when all is whole again, 40 % of all machines die at once. @throws {Error} where clusters cannot be made */
export async function measureStorm(
  world: BenchWorld,
  o: BenchOptions,
  say: (text: string) => void,
): Promise<StormFigures> {
  const { names, counts } = await makeFleet(world, o, say);
  const machines = new Watched(world);
  await machines.start();
  const all = machines.list().length;

  const workers = machines.list().filter((m) => m.spec.role === 'worker');
  // Before the storm: after it nothing is replaced anywhere in the region until somebody has looked.
  const first = new Set(names.slice(-Math.min(SINGLES, Math.floor(o.clusters / 5))));
  const lone = [...first].flatMap((name) => workers.find((m) => m.spec.cluster.name === name) ?? []);
  say(`one machine dies in each of ${lone.length} clusters`);
  const seconds = await Promise.all(lone.map((m) => replacement(world, machines, m, o.timeoutSeconds)));
  await quiet(world);
  machines.forget();

  const victims = workers.filter((m) => !first.has(m.spec.cluster.name)).slice(0, Math.floor(all * SHARE));
  say(`${victims.length} of ${all} machines die at once; watching for ${WATCH_SECONDS} s`);
  const storm = await begin(world, counts);
  await Promise.all(victims.map((m) => die(world, m)));
  await sleep(WATCH_SECONDS * 1000);
  const seen = await storm();
  const dead = new Set(victims.map((m) => m.metadata.uid));
  const gone = machines.leaving();
  const held: Record<string, number> = {};
  for (const reason of await heldClusters(world)) held[reason] = (held[reason] ?? 0) + 1;
  const orders = machines.orders();
  await machines.stop();
  return {
    scenario: 'storm',
    clusters: o.clusters,
    machines: all,
    killed: victims.length,
    orders,
    deletions: gone.length,
    wrongDeletions: gone.filter((uid) => !dead.has(uid)).length,
    held,
    storm: {
      seconds: round(seen.seconds),
      cpuSeconds: groups(seen.cpu),
      cpuSecondsAll: round(sumOf(seen.cpu, (n) => isOurs(n) || isApiServer(n))),
      apiWrites: writesByUs(seen),
    },
    single: {
      machines: seconds.length,
      replaceSeconds: { p50: round(percentile(seconds, 0.5) ?? 0), p95: round(percentile(seconds, 0.95) ?? 0) },
    },
  };
}

/** The machine's data are gone, and it answers nobody. */
async function die(world: BenchWorld, machine: Seen): Promise<void> {
  const answer = await fetch(`${world.system.simulator!.adminUrl}/node-faults`, {
    method: 'POST',
    body: JSON.stringify({ server: machine.status?.server.id, fault: 'die' }),
  });
  if (!answer.ok) throw new Error(`the simulator does not let ${machine.metadata.name} die: ${await answer.text()}`);
}

/** Seconds from the order to replace a machine until its pool is whole again. @throws {Error} when that takes too long */
async function replacement(
  world: BenchWorld,
  machines: Watched,
  victim: Seen,
  timeoutSeconds: number,
): Promise<number> {
  const healthy = () =>
    machines
      .list()
      .filter((m) => m.spec.cluster.uid === victim.spec.cluster.uid && m.spec.pool === victim.spec.pool)
      .filter((m) => m.metadata.uid !== victim.metadata.uid && m.status?.health.ready);
  const before = healthy().length;
  await die(world, victim);
  const deadline = Date.now() + timeoutSeconds * 1000;
  let ordered: number | undefined;
  for (;;) {
    if (machines.get(victim)?.status?.health.order?.action === 'Replace' || !machines.get(victim))
      ordered ??= Date.now();
    if (ordered !== undefined && healthy().length > before) return (Date.now() - ordered) / 1000;
    if (Date.now() > deadline)
      throw new Error(
        `${victim.metadata.name} is not replaced: ${JSON.stringify(machines.get(victim)?.status?.health)}`,
      );
    await sleep(50);
  }
}

async function heldClusters(world: BenchWorld): Promise<string[]> {
  const { items } = JSON.parse(
    (
      await world.kube.raw(
        'GET',
        `/apis/shoto.dev/v1alpha1/namespaces/${tenantNamespace(world.system.tenant)}/clusters?limit=5000`,
      )
    ).body,
  ) as { items: { status?: { health?: { conditions?: { type: string; status: string; reason: string }[] } } }[] };
  return items.flatMap((c) =>
    (c.status?.health?.conditions ?? [])
      .filter((x) => x.type === 'HealingHeld' && x.status === 'True')
      .map((x) => x.reason),
  );
}

/** Machines as they change: one watch. */
class Watched {
  readonly #machines: Reflector<Seen>;
  readonly #orders = new Map<string, string>();
  readonly #leaving = new Set<string>();

  constructor(world: BenchWorld) {
    this.#machines = new Reflector<Seen>({
      client: world.kube,
      type: resourceOf(MachineKind),
      onChange: (_key, now, before) => {
        const m = now ?? before;
        const order = now?.status?.health.order;
        if (order) this.#orders.set(`${now.metadata.uid}/${order.number}`, order.action);
        if (m && (!now || now.metadata.deletionTimestamp)) this.#leaving.add(m.metadata.uid ?? '');
      },
    });
  }

  async start(): Promise<void> {
    this.#machines.start();
    await this.#machines.synced;
  }
  list = (): Seen[] => this.#machines.list();
  get = (m: Seen): Seen | undefined => this.#machines.get(`${m.metadata.namespace}/${m.metadata.name}`);
  /** Counts orders and deletions anew. */
  forget(): void {
    this.#orders.clear();
    this.#leaving.clear();
  }
  /** UIDs of Machines that were deleted. */
  leaving = (): string[] => [...this.#leaving];
  /** Orders so far, by action. */
  orders(): Record<string, number> {
    const by: Record<string, number> = {};
    for (const action of this.#orders.values()) by[action] = (by[action] ?? 0) + 1;
    return by;
  }
  stop = (): Promise<void> => this.#machines.stop();
}
