import type { Clock } from '../../core/clock.ts';
import type { Latency } from '../../core/latency.ts';
import type { Random } from '../../core/random.ts';
import type { ApiServer, KubeObject } from '../../kubernetes/index.ts';
import type { Manifest } from '../kubeadm/objects.ts';
import { apiServices } from './api-services.ts';
import { budgets, refusedBy } from './budgets.ts';
import { type Context, Resources } from './context.ts';
import { daemonSets } from './daemonsets.ts';
import { deployments } from './deployments.ts';
import { endpoints } from './endpoints.ts';
import { Engine } from './engine.ts';
import { jobs } from './jobs.ts';
import { Kubelet, kubeletController, kubeletReports } from './kubelet.ts';
import type { NodeFacts, NodeState } from './node-object.ts';
import { nodeController, podGc, taintEviction } from './nodes.ts';
import { conditionOf, keyOf } from './objects.ts';
import { PodIndex } from './pod-index.ts';
import { replicaSets } from './replicasets.ts';
import { scheduler } from './scheduler.ts';
import { statefulSets } from './statefulsets.ts';
import { tokenCleaner } from './tokens.ts';
import { attachDetach, volumeBinder } from './volumes.ts';

/** What the controllers of one cluster need. */
interface WorkloadsOptions {
  server: ApiServer;
  clock: Clock;
  latency: Latency;
  random: Random;
  podSubnet: string;
  /** Control-plane machines. */
  members: () => { address: string; running: boolean }[];
  /** Told of what should not happen. */
  say: (what: string) => void;
}

/** Everything that acts in a simulated cluster besides its API server: controllers, scheduler, kubelets. */
export class Workloads {
  readonly #x: Context;
  readonly #engine: Engine;
  readonly #kubelets = new Map<string, Kubelet>();
  readonly #silent = new Map<string, number>();

  constructor(o: WorkloadsOptions) {
    const { server, clock, latency, random } = o;
    const pods = new PodIndex(server.store);
    this.#engine = new Engine(server, clock, o.say);
    const alive = (node: string): Kubelet | undefined => this.#kubelets.get(node);
    this.#x = {
      server,
      clock,
      latency,
      random,
      engine: this.#engine,
      pods,
      resources: new Resources(server),
      isAlive: (node) => this.#kubelets.has(node),
      silentSince: (node) => this.#silent.get(node),
    };
    for (const controller of [
      nodeController(this.#x, o.podSubnet),
      podGc(this.#x),
      taintEviction(this.#x),
      daemonSets(this.#x),
      deployments(this.#x),
      replicaSets(this.#x),
      statefulSets(this.#x),
      jobs(this.#x),
      scheduler(this.#x),
      budgets(this.#x),
      endpoints(this.#x, o.members),
      apiServices(this.#x),
      tokenCleaner(this.#x),
      volumeBinder(this.#x),
      attachDetach(this.#x),
      kubeletReports(alive),
      kubeletController(this.#x, alive),
    ])
      this.#engine.add(controller);
  }

  /** Puts an object into the cluster. */
  create(manifest: Manifest): void {
    this.#x.resources.ofManifest(manifest.kind).create(manifest as KubeObject);
  }

  /** Whether the kubelet of a node runs and is reached. */
  isAlive(node: string): boolean {
    return this.#kubelets.has(node);
  }

  isNodeReady(name: string): boolean {
    const node = this.#x.resources.of('Node').get({ name });
    return node !== undefined && conditionOf(node, 'Ready') === 'True';
  }

  /** A kubelet starts on a machine. @param state - of its disk; changed in place */
  kubeletUp(facts: NodeFacts, state: NodeState): void {
    const kubelet = new Kubelet(this.#x, facts, state);
    this.#kubelets.set(facts.name, kubelet);
    this.#silent.delete(facts.name);
    this.#engine.wake('kubelet-report', facts.name);
    for (const pod of this.#x.pods.onNode(facts.name)) this.#engine.wake('kubelet', keyOf(pod));
  }

  /** It stops, or nobody hears of it any more. */
  kubeletDown(name: string): void {
    if (!this.#kubelets.delete(name)) return;
    this.#silent.set(name, this.#x.clock.now());
    this.#engine.wake('nodes', name);
  }

  /** Something is wrong with its machine, or well again. */
  kubeletChanged(name: string): void {
    this.#engine.wake('kubelet-report', name);
    for (const pod of this.#x.pods.onNode(name)) this.#engine.wake('kubelet', keyOf(pod));
  }

  /** Whether a budget refuses the eviction of a pod now. */
  mayEvict(pod: KubeObject): { budget: string; message: string } | undefined {
    return refusedBy(this.#x, pod);
  }

  /** Control-plane machines came or went. */
  membersChanged(): void {
    this.#engine.wake('endpoints', 'default/kubernetes');
  }

  suspend(): void {
    this.#engine.suspend();
  }

  resume(): void {
    this.#engine.resume();
  }

  close(): void {
    this.#engine.close();
  }
}
