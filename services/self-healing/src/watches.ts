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
import type { Logger } from '@shoto/service';
import { type NodeView, type PodView, sameNode, trimNode } from './node.ts';

/** Silence after which a cluster counts as unreachable, in milliseconds. */
const SILENCE_MS = 90_000;

interface Watch {
  namespace: string;
  cluster: string;
  reflector: Reflector<NodeView>;
  /** Milliseconds since the epoch of the last answer, and what the last error said. */
  error: string | undefined;
}

/** What {@link NodeWatches} needs. */
export interface NodeWatchesOptions {
  client: KubeClient;
  systemNamespace: string;
  log: Logger;
  /** A node, which bears the name of its Machine, is not as it was. */
  onNode: (namespace: string, machine: string) => void;
  /** Whether a cluster can be reached may have changed. */
  onCluster: (namespace: string, cluster: string) => void;
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
    const connection: Connection | undefined = await connectionFromSecret(
      this.#o.client,
      workloadSecretRef(this.#o.systemNamespace, 'self-healing', uid),
    );
    if (!connection) return false;
    const client = await this.#pool.get(uid, async () => connection);
    if (this.#watches.has(uid)) return true;
    const at = { namespace: cluster.metadata.namespace!, cluster: cluster.metadata.name };
    const watch: Watch = {
      ...at,
      error: undefined,
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
          watch.error = undefined;
          this.#o.onCluster(at.namespace, at.cluster);
        },
        onError: (e) => {
          const words = e instanceof Error ? e.message : String(e);
          if (watch.error === words) return;
          watch.error = words;
          this.#o.log.warn({ cluster: at.cluster, err: words }, 'watch of nodes');
          this.#o.onCluster(at.namespace, at.cluster);
        },
      }),
    };
    this.#watches.set(uid, watch);
    watch.reflector.start();
    return true;
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
