import { type Cluster, findCondition } from '@shoto/api';
import type { NodeView } from './node.ts';

/** Where an {@link Observer} looks. Both throw when the cluster does not answer. */
export interface Sight {
  /** All Nodes of a cluster, read live. */
  nodes: (cluster: Cluster) => Promise<readonly NodeView[]>;
  /** One Node, read live; undefined where there is none. */
  node: (cluster: Cluster, name: string) => Promise<NodeView | undefined>;
}

/** A cluster that did not answer is not asked again for so long: it must not cost each pass its time. */
const SILENT_MS = 30_000;

/** What a look at a node before a deed gives. */
export type Sighting =
  | { state: 'seen'; node: NodeView | undefined }
  /** The cluster was not observed twice yet: look again after so many milliseconds. */
  | { state: 'again'; ms: number }
  | { state: 'unreachable'; message: string };

/**
 * The last look before a deed. Since this process started, and since the cluster was last out of reach, all its nodes must have been seen twice, some
 * time apart: what was stored may be older than a restart, a restore or a cut line. Only clusters with something to be done are looked at, and whichever
 * replica decides looks itself.
 */
export class Observer {
  readonly #sight: Sight;
  readonly #now: () => number;
  readonly #gapMs: number;
  readonly #seen = new Map<string, { first: number; second?: number }>();
  readonly #silent = new Map<string, { until: number; message: string }>();

  constructor(o: { sight: Sight; now: () => number; gapMs: number }) {
    this.#sight = o.sight;
    this.#now = o.now;
    this.#gapMs = o.gapMs;
  }

  /** A node as it is at this moment, if its cluster was observed well enough. Never throws. */
  async look(cluster: Cluster, name: string): Promise<Sighting> {
    const uid = cluster.metadata.uid as string;
    const silent = this.#silent.get(uid);
    if (silent && this.#now() < silent.until) return { state: 'unreachable', message: silent.message };
    this.#silent.delete(uid);
    const reachableSince = Date.parse(
      findCondition(cluster.status?.health?.conditions, 'Reachable')?.lastTransitionTime ?? '',
    );
    const known = this.#seen.get(uid);
    const seen = known && !(known.first < reachableSince) ? known : undefined;
    try {
      if (!seen) {
        await this.#sight.nodes(cluster);
        this.#seen.set(uid, { first: this.#now() });
        return { state: 'again', ms: this.#gapMs };
      }
      if (seen.second === undefined) {
        const left = seen.first + this.#gapMs - this.#now();
        if (left > 0) return { state: 'again', ms: left };
        await this.#sight.nodes(cluster);
        seen.second = this.#now();
      }
      return { state: 'seen', node: await this.#sight.node(cluster, name) };
    } catch (e) {
      const message = e instanceof Error ? e.message : String(e);
      this.forget(uid);
      this.#silent.set(uid, { until: this.#now() + SILENT_MS, message });
      return { state: 'unreachable', message };
    }
  }

  /** A cluster is out of reach, or gone: observation starts anew. */
  forget(uid: string): void {
    this.#seen.delete(uid);
  }
}
