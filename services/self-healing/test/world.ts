import { type Cluster, type EmergencyStop, findCondition, type Machine, type Region, withCondition } from '@shoto/api';
import { type EventRecord, type HasMeta, KubeError, keyOf, type ResourceType } from '@shoto/kube';
import { Census, isSuspect } from '../src/census.ts';
import { JoinBackoff } from '../src/join-backoff.ts';
import { clusterMovesRegion, movesRegion, regionChanged } from '../src/needs.ts';
import type { NodeView } from '../src/node.ts';
import { Observer } from '../src/observer.ts';
import { reconcileMachine } from '../src/reconcile-machine.ts';
import { reconcileRegion } from '../src/reconcile-region.ts';
import type { RegionDeps } from '../src/region-pass.ts';
import { DEFAULTS } from '../src/settings.ts';

const START = Date.parse('2026-11-01T12:00:00Z');
export const REGION = 'one';
const LONG_AGO = '2026-10-01T00:00:00Z';

type NodeState = 'ready' | 'silent' | 'not-ready' | 'disk';
const NODE: Record<NodeState, [string, 'True' | 'False' | 'Unknown'][]> = {
  ready: [
    ['Ready', 'True'],
    ['NetworkUnavailable', 'False'],
  ],
  silent: [['Ready', 'Unknown']],
  'not-ready': [['Ready', 'False']],
  disk: [
    ['Ready', 'True'],
    ['NetworkUnavailable', 'False'],
    ['DiskPressure', 'True'],
  ],
};

export const condition = (type: string, status: 'True' | 'False', reason: string, at = LONG_AGO) => ({
  type,
  status,
  reason,
  message: '',
  lastTransitionTime: at,
});

/** A Cluster that is up and reached. */
export function aCluster(name: string, o: { spec?: object; infrastructure?: object; health?: object } = {}): Cluster {
  return {
    apiVersion: 'shoto.dev/v1alpha1',
    kind: 'Cluster',
    metadata: { name, namespace: 'tenant-blue', uid: `uid-${name}` },
    spec: { region: REGION, paused: false, healing: { enabled: true }, controlPlane: { count: 1 }, ...o.spec },
    status: {
      infrastructure: { revision: 1, ...o.infrastructure },
      controlPlane: { revision: 1, initialized: true, initializedAt: LONG_AGO },
      health: { revision: 1, conditions: [condition('Reachable', 'True', 'Watching')], ...o.health },
    },
  } as unknown as Cluster;
}

/** A Machine in good health. */
export function aMachine(
  cluster: string,
  name: string,
  o: {
    role?: 'worker' | 'control-plane';
    pool?: string;
    zone?: string;
    server?: object;
    bootstrap?: object;
    health?: object;
    annotations?: Record<string, string>;
    deletionTimestamp?: string;
  } = {},
): Machine {
  const role = o.role ?? 'worker';
  return {
    apiVersion: 'shoto.dev/v1alpha1',
    kind: 'Machine',
    metadata: {
      name,
      namespace: 'tenant-blue',
      uid: `uid-${name}`,
      ...(o.annotations ? { annotations: o.annotations } : {}),
      ...(o.deletionTimestamp ? { deletionTimestamp: o.deletionTimestamp } : {}),
    },
    spec: {
      cluster: { name: cluster, uid: `uid-${cluster}` },
      role,
      pool: o.pool ?? (role === 'worker' ? 'default' : 'control-plane'),
      region: REGION,
    },
    status: {
      server: {
        revision: 1,
        state: 'Active',
        id: `srv-${name}`,
        activeAt: LONG_AGO,
        zone: o.zone ?? 'az1',
        conditions: [condition('ServerReady', 'True', 'Active')],
        ...o.server,
      },
      bootstrap: {
        revision: 1,
        joinedAt: LONG_AGO,
        conditions: [condition('Joined', 'True', 'Joined')],
        ...o.bootstrap,
      },
      health: { revision: 1, ready: true, conditions: [condition('Healthy', 'True', 'NodeReady')], ...o.health },
    },
  } as unknown as Machine;
}

const REFUSED = () =>
  new KubeError({ status: 422, reason: 'TestFailed', method: 'PATCH', path: '/', message: 'another revision' });

/** A region with its clusters, on a clock of its own. It does what a provisioner and the clusters do only as it is told. */
export class World {
  now = START;
  readonly events: EventRecord[] = [];
  /** Accepted writes, `machine name` or `cluster name`. */
  readonly writes: string[] = [];
  /** Orders as they were written: `minute machine action reason`. */
  readonly orders: string[] = [];
  stop: EmergencyStop | 'unknown' | undefined;
  region: Region | undefined;
  /** The last that was told to the metrics. */
  told = { sick: new Map<string, number>(), held: new Map<string, number>() };
  /** What a provisioner does with an order; nothing where absent. */
  onOrder: ((m: Machine) => void) | undefined;
  readonly #machines = new Map<string, Machine>();
  readonly #clusters = new Map<string, Cluster>();
  readonly #nodes = new Map<string, NodeView>();
  readonly #cut = new Set<string>();
  readonly #census = new Census();
  #observer = this.#newObserver();
  readonly #backoff = new JoinBackoff(DEFAULTS.joinMs, () => this.now);
  #due: number | undefined = START;
  readonly #machinesDue = new Set<string>();

  constructor() {
    this.setRegion(true);
  }

  setRegion(ready: boolean): void {
    const now = {
      metadata: { name: REGION },
      status: { provisioner: { conditions: [condition('Ready', ready ? 'True' : 'False', 'Answers')] } },
    } as unknown as Region;
    if (this.region && regionChanged(now, this.region)) this.#wake();
    this.region = now;
  }

  /** The service is killed and starts again: nothing but what is stored is known. */
  restart(): void {
    this.#observer = this.#newObserver();
    this.#wake();
  }

  put(...objects: (Machine | Cluster)[]): void {
    for (const o of objects) {
      if (o.kind === 'Cluster') {
        const c = o as Cluster;
        if (clusterMovesRegion(c, this.#clusters.get(keyOf(c)))) this.#wake();
        this.#clusters.set(keyOf(c), structuredClone(c));
      } else this.#putMachine(o as Machine);
    }
  }

  machine(name: string): Machine {
    return this.#machines.get(`tenant-blue/${name}`) as Machine;
  }

  cluster(name: string): Cluster {
    return this.#clusters.get(`tenant-blue/${name}`) as Cluster;
  }

  remediation(name: string): string | undefined {
    return findCondition(this.machine(name).status?.health?.conditions, 'Remediation')?.reason;
  }

  held(cluster: string) {
    return findCondition(this.cluster(cluster).status?.health?.conditions, 'HealingHeld');
  }

  /** The nodes of machines say something else from now on. */
  nodes(state: NodeState | 'missing', ...names: string[]): void {
    for (const name of names) {
      if (state === 'missing') this.#nodes.delete(name);
      else
        this.#nodes.set(name, {
          metadata: { name },
          status: { conditions: NODE[state].map(([type, status]) => ({ type, status })) },
        });
      this.#machinesDue.add(name);
    }
  }

  /** The cloud says something else of a server. */
  server(name: string, state: string, reason: string): void {
    const m = structuredClone(this.machine(name));
    const server = m.status!.server!;
    server.state = state as 'Active';
    server.conditions = withCondition(
      server.conditions,
      { type: 'ServerReady', status: state === 'Active' ? 'True' : 'False', reason, message: '' },
      this.now,
    );
    this.#putMachine(m);
  }

  /** The provisioner says that it has carried out the last order. */
  carryOut(name: string): void {
    const m = structuredClone(this.machine(name));
    m.status!.server!.handled = m.status!.health!.order!.number;
    this.#putMachine(m);
  }

  /** A Machine is gone. */
  drop(name: string): void {
    const before = this.machine(name);
    this.#machines.delete(keyOf(before));
    this.#census.onChange(undefined, before);
    if (movesRegion(undefined, before, isSuspect)) this.#wake();
  }

  /** The way from us to a cluster is cut, or is there again. */
  reach(cluster: string, ok: boolean): void {
    const c = structuredClone(this.cluster(cluster));
    if (ok) this.#cut.delete(cluster);
    else {
      this.#cut.add(cluster);
      this.#observer.forget(c.metadata.uid as string);
    }
    c.status!.health!.conditions = withCondition(
      c.status!.health!.conditions,
      { type: 'Reachable', status: ok ? 'True' : 'False', reason: ok ? 'Watching' : 'Unreachable', message: '' },
      this.now,
    );
    this.put(c);
    if (ok) for (const m of this.#machines.values()) this.#machinesDue.add(m.metadata.name);
  }

  /** Lets time go on: what is due is passed over, second by second. */
  async run(ms: number): Promise<void> {
    for (const end = this.now + ms; this.now < end; this.now += 1000) {
      for (const name of [...this.#machinesDue]) {
        this.#machinesDue.delete(name);
        if (this.#machines.has(`tenant-blue/${name}`)) await this.#passMachine(name);
      }
      if (this.#due !== undefined && this.#due <= this.now) await this.pass();
    }
  }

  /** One pass over the region. */
  async pass(): Promise<void> {
    this.#due = undefined;
    const outcome = await reconcileRegion(this.deps(), REGION);
    if (outcome?.requeueAfterMs !== undefined)
      this.#due = Math.min(this.#due ?? Number.POSITIVE_INFINITY, this.now + outcome.requeueAfterMs);
  }

  /** What a pass is given. */
  deps(): RegionDeps {
    return {
      kube: this.#kube,
      census: this.#census,
      region: () => this.region,
      clusters: () => [...this.#clusters.values()],
      machinesOf: (uid) => [...this.#machines.values()].filter((m) => m.spec.cluster.uid === uid),
      observer: this.#observer,
      backoff: this.#backoff,
      emergencyStop: () => (this.stop === undefined || this.stop === 'unknown' ? this.stop : { stop: this.stop }),
      wrote: { machine: () => {}, cluster: () => {} },
      events: (e) => this.events.push(e),
      metrics: {
        ordered: () => {},
        region: (_region, sick, held) => {
          this.told = { sick: new Map(sick), held: new Map(held) };
        },
      },
      settings: DEFAULTS,
      now: () => this.now,
    };
  }

  get #kube() {
    return {
      get: async (_type: ResourceType, ref: { name: string }) => structuredClone(this.machine(ref.name)),
      patchStatusMap: async (_type: ResourceType, object: HasMeta, map: string, next: object) =>
        this.#patch(object, map, next),
    } as unknown as RegionDeps['kube'];
  }

  #patch(object: HasMeta, map: string, next: object): Machine | Cluster {
    const isMachine = (object as { kind?: string }).kind === 'Machine';
    const stored: Machine | Cluster = isMachine
      ? this.machine(object.metadata.name)
      : this.cluster(object.metadata.name);
    const revisionOf = (o: unknown): number =>
      (o as { status?: Record<string, { revision?: number }> }).status?.[map]?.revision ?? 0;
    if (revisionOf(stored) !== revisionOf(object)) throw REFUSED();
    const status = { ...stored.status, [map]: { ...next, revision: revisionOf(stored) + 1 } };
    const now = { ...structuredClone(stored), status: structuredClone(status) } as Machine | Cluster;
    this.writes.push(`${isMachine ? 'machine' : 'cluster'} ${object.metadata.name}`);
    const given = isMachine ? (now as Machine).status?.health?.order : undefined;
    const isNew = given && given.number !== (stored as Machine).status?.health?.order?.number;
    this.put(now);
    if (isNew) {
      const minute = Math.floor((this.now - START) / 60_000);
      this.orders.push(`${minute} ${now.metadata.name} ${given.action} ${given.reason}`);
      this.onOrder?.(now as Machine);
    }
    return now;
  }

  #putMachine(m: Machine): void {
    const before = this.#machines.get(keyOf(m));
    const now = structuredClone(m);
    this.#machines.set(keyOf(m), now);
    if (!this.#nodes.has(m.metadata.name) && !before) this.nodes('ready', m.metadata.name);
    this.#census.onChange(now, before);
    if (movesRegion(now, before, isSuspect)) this.#wake();
  }

  async #passMachine(name: string): Promise<void> {
    const outcome = await reconcileMachine(
      {
        client: this.#kube as never,
        read: async () => this.machine(name),
        wrote: () => {},
        owns: () => true,
        silentMs: DEFAULTS.silentMs,
        watches: {
          state: (uid) => ({
            watched: true,
            synced: true,
            ...(this.#cut.has(uid.replace('uid-', '')) ? { error: 'no answer' } : {}),
          }),
          node: (_uid, node) => this.#nodes.get(node),
          podsOn: async () => [],
        },
        now: () => this.now,
      },
      `tenant-blue/${name}`,
    );
    if (outcome?.requeueAfterMs !== undefined) this.#machinesDue.add(name);
  }

  #newObserver(): Observer {
    const answer = (c: Cluster): void => {
      if (this.#cut.has(c.metadata.name)) throw new Error('no answer');
    };
    return new Observer({
      sight: {
        nodes: async (c) => {
          answer(c);
          return [...this.#nodes.values()];
        },
        node: async (c, name) => {
          answer(c);
          return this.#nodes.get(name);
        },
      },
      now: () => this.now,
      gapMs: DEFAULTS.observeMs,
    });
  }

  /** News is gathered for a second. */
  #wake(): void {
    this.#due = Math.min(this.#due ?? Number.POSITIVE_INFINITY, this.now + 1000);
  }
}

/** Minutes in milliseconds. */
export const minutes = (n: number): number => n * 60_000;

/** `w1`, `w2`, ... */
export const names = (prefix: string, n: number): string[] => Array.from({ length: n }, (_, i) => `${prefix}${i + 1}`);

/** A cluster with a control plane and workers, all well. */
export function worldOf(workers: number, zones: readonly string[] = ['az1']): World {
  const w = new World();
  w.put(aCluster('web'), aMachine('web', 'cp', { role: 'control-plane', zone: zones[0]! }));
  names('w', workers).forEach((name, i) => void w.put(aMachine('web', name, { zone: zones[i % zones.length]! })));
  return w;
}
