import { type Cluster, workloadSecretRef } from '@shoto/api';
import {
  type Connection,
  connectionFromSecret,
  type KubeClient,
  NODES,
  PODS,
  Reflector,
  WorkloadPool,
} from '@shoto/kube';
import type { Clock, Logger } from '@shoto/service';
import { type NodeView, type PodView, sameNode, trimNode } from './node.ts';

/** Silence after which a cluster counts as unreachable, in milliseconds. */
const SILENCE_MS = 90_000;
/** After an error it is asked whether the cluster answers: soon at first, since a connection breaks with each control-plane machine that goes. */
const PROBE_MS = { first: 1_000, again: 5_000 };
/** A look before a deed may take so long. */
const LOOK_MS = 5_000;

interface Watch {
  namespace: string;
  cluster: string;
  reflector: Reflector<NodeView>;
  /** The watch broke, and nothing was heard since. */
  broken: boolean;
  /** Why the cluster does not answer; none while it does, or one broken connection is all that is known. */
  error: string | undefined;
  /** Ends the timer of the next probe. */
  unprobe: (() => void) | undefined;
}

/** What {@link NodeWatches} needs. */
export interface NodeWatchesOptions {
  client: KubeClient;
  systemNamespace: string;
  clock: Clock;
  log: Logger;
  /** A node, which bears the name of its Machine, is not as it was. */
  onNode: (namespace: string, machine: string) => void;
  /** Whether a cluster can be reached may have changed. */
  onCluster: (namespace: string, cluster: string) => void;
  /** A cluster, by UID, does not answer: what was seen of it may be old by now. */
  onLost: (uid: string) => void;
}

/** One watch of the Nodes of each cluster that this replica owns. */
export class NodeWatches {
  readonly #watches = new Map<string, Watch>();
  readonly #pool: WorkloadPool;
  readonly #o: NodeWatchesOptions;

  constructor(o: NodeWatchesOptions) {
    this.#o = o;
    this.#pool = new WorkloadPool({ userAgent: 'shoto-self-healing' });
  }

  /**
   * Watches a cluster, if it is not watched yet.
   *
   * @returns false while its kubeconfig is not there
   */
  async ensure(cluster: Cluster): Promise<boolean> {
    const uid = cluster.metadata.uid!;
    if (this.#watches.has(uid)) return true;
    const connection = await this.#connection(uid);
    if (!connection) return false;
    const client = await this.#pool.get(uid, async () => connection);
    if (this.#watches.has(uid)) return true;
    const at = { namespace: cluster.metadata.namespace!, cluster: cluster.metadata.name };
    const watch: Watch = {
      ...at,
      broken: false,
      error: undefined,
      unprobe: undefined,
      reflector: new Reflector<NodeView>({
        client,
        type: NODES,
        trim: trimNode,
        idleMs: SILENCE_MS,
        onChange: (_key, now, before) => {
          if (now && before && sameNode(now, before)) return;
          this.#o.onNode(at.namespace, (now ?? before)!.metadata.name);
        },
        onSynced: () => {
          watch.broken = false;
          watch.error = undefined;
          watch.unprobe?.();
          watch.unprobe = undefined;
          this.#o.onCluster(at.namespace, at.cluster);
        },
        onError: () => {
          watch.unprobe ??= this.#o.clock.after(PROBE_MS.first, () => void this.#probe(uid, watch, client));
          if (watch.broken) return;
          watch.broken = true;
          this.#o.onLost(uid);
        },
      }),
    };
    this.#watches.set(uid, watch);
    watch.reflector.start();
    return true;
  }

  /**
   * Asks whether a cluster answers again. A watch that goes on where it stood says nothing while no node changes; once the cluster answers, all
   * its nodes are listed anew.
   */
  async #probe(uid: string, watch: Watch, client: KubeClient): Promise<void> {
    watch.unprobe = undefined;
    if (!watch.broken || this.#watches.get(uid) !== watch) return;
    try {
      await client.list(NODES, { limit: 1 });
    } catch (e) {
      watch.unprobe = this.#o.clock.after(PROBE_MS.again, () => void this.#probe(uid, watch, client));
      const words = e instanceof Error ? e.message : String(e);
      if (watch.error === words) return;
      watch.error = words;
      this.#o.log.warn({ cluster: watch.cluster, err: words }, 'a cluster does not answer');
      this.#o.onCluster(watch.namespace, watch.cluster);
      return;
    }
    watch.reflector.relist();
  }

  #connection(uid: string): Promise<Connection | undefined> {
    return connectionFromSecret(this.#o.client, workloadSecretRef(this.#o.systemNamespace, 'self-healing', uid));
  }

  /** A client of any cluster, watched by this replica or not. */
  #client(cluster: Cluster): Promise<KubeClient> {
    const uid = cluster.metadata.uid!;
    return this.#pool.get(uid, async () => {
      const connection = await this.#connection(uid);
      if (!connection) throw new Error(`there is no kubeconfig for cluster ${cluster.metadata.name} yet`);
      return connection;
    });
  }

  /** All Nodes of a cluster, read live. @throws {KubeError} when it does not answer */
  async nodes(cluster: Cluster): Promise<NodeView[]> {
    return (await (await this.#client(cluster)).listAll<NodeView>(NODES, {}, { timeoutMs: LOOK_MS })).map(trimNode);
  }

  /** One Node, read live. @throws {KubeError} when its cluster does not answer */
  async liveNode(cluster: Cluster, name: string): Promise<NodeView | undefined> {
    const node = await (await this.#client(cluster)).get<NodeView>(NODES, { name }, { timeoutMs: LOOK_MS });
    return node && trimNode(node);
  }

  /** Whether a cluster is watched and its nodes are known, and what keeps us from reaching it. */
  state(uid: string): { watched: boolean; synced: boolean; error?: string } {
    const watch = this.#watches.get(uid);
    if (!watch) return { watched: false, synced: false };
    return { watched: true, synced: watch.reflector.isSynced, ...(watch.error ? { error: watch.error } : {}) };
  }

  /** A node as it was last seen. */
  node(uid: string, name: string): NodeView | undefined {
    return this.#watches.get(uid)?.reflector.get(name);
  }

  /** The pods on a node, read live. */
  async podsOn(uid: string, node: string): Promise<PodView[]> {
    const client = await this.#pool.get(uid, () => Promise.reject(new Error('this cluster is not watched')));
    return client.listAll<PodView>(PODS, { fieldSelector: `spec.nodeName=${node}` });
  }

  /** Watches a cluster no more. */
  async forget(uid: string): Promise<void> {
    const watch = this.#watches.get(uid);
    this.#watches.delete(uid);
    watch?.unprobe?.();
    await watch?.reflector.stop();
    await this.#pool.evict(uid);
  }

  /** Clusters that are watched now, by UID. */
  uids(): string[] {
    return [...this.#watches.keys()];
  }

  async close(): Promise<void> {
    await Promise.all(this.uids().map((uid) => this.forget(uid)));
    await this.#pool.close();
  }
}
