import {
  type Cluster,
  ClusterKind,
  FINALIZERS,
  type KubernetesRelease,
  type Machine,
  MachineKind,
  type Region,
  resourceOf,
} from '@shoto/api';
import { type HasMeta, isNewer, type KubeClient, keyOf } from '@shoto/kube';

/** What of a client this service uses, so that a test can stand in for it. */
export type Kube = Pick<
  KubeClient,
  | 'get'
  | 'listAll'
  | 'create'
  | 'mergePatch'
  | 'jsonPatch'
  | 'apply'
  | 'delete'
  | 'patchStatusMap'
  | 'removeFinalizer'
  | 'raw'
  | 'exec'
>;

/** The reading half of a reflector. */
export interface Cache<T> {
  get(key: string): T | undefined;
  list(): T[];
  byIndex(name: string, value: string): T[];
}

export const CLUSTERS = resourceOf(ClusterKind);
export const MACHINES = resourceOf(MachineKind);

/** Ways to find a Machine: by its UID, by its Cluster's UID, by the hash of the key that its ticket is bound to. */
export const MACHINE_INDEXES = {
  uid: (m: Machine) => m.metadata.uid,
  cluster: (m: Machine) => m.spec.cluster.uid,
  keyHash: (m: Machine) => m.status?.bootstrap.keyHash,
};

/** A watch that is this late is broken; what it does not have then is gone. */
const NOTED_MS = 60_000;

/**
 * A cache that also knows what this process wrote or read live a moment ago, until the watch has brought it: a machine asks again within
 * milliseconds after its ticket was taken.
 */
export class Freshest<T extends HasMeta> {
  readonly #cache: Cache<T>;
  readonly #noted = new Map<string, { object: T; at: number }>();

  constructor(cache: Cache<T>) {
    this.#cache = cache;
  }

  /** Remembers an object that was just written or read live. */
  note(object: T): T {
    this.#noted.set(keyOf(object), { object, at: performance.now() });
    return object;
  }

  /** Forgets what was noted of an object that is gone. To be called on each change that the watch brings. */
  seen(key: string, object: T | undefined): void {
    const noted = this.#noted.get(key)?.object;
    if (noted && (!object || !isNewer(noted.metadata.resourceVersion ?? '', object.metadata.resourceVersion ?? ''))) {
      this.#noted.delete(key);
    }
  }

  get(key: string): T | undefined {
    const cached = this.#cache.get(key);
    const entry = this.#noted.get(key);
    if (!entry) return cached;
    const noted = entry.object;
    // An answer that came after the watch told of the deletion: the object will never be seen again.
    if (!cached && performance.now() - entry.at > NOTED_MS) {
      this.#noted.delete(key);
      return undefined;
    }
    const newer = !cached || isNewer(noted.metadata.resourceVersion ?? '', cached.metadata.resourceVersion ?? '');
    return newer ? noted : cached;
  }

  /** The objects that an index names, each in its newest form. */
  byIndex(name: string, value: string): T[] {
    return this.#cache.byIndex(name, value).flatMap((o) => this.get(keyOf(o)) ?? []);
  }

  /** What was noted and the cache does not have yet in that form. */
  noted(): T[] {
    return [...this.#noted.values()].map((n) => n.object);
  }

  list(): T[] {
    return this.#cache.list();
  }
}

/** Everything that is read. */
export interface World {
  clusters: Freshest<Cluster>;
  machines: Freshest<Machine>;
  regions: Cache<Region>;
  releases: Cache<KubernetesRelease>;
}

/** Key of the Cluster that a Machine belongs to. */
export const clusterKeyOf = (m: Machine): string => `${m.metadata.namespace}/${m.spec.cluster.name}`;

/** The Cluster of a Machine; undefined where it is gone, also when another one has its name now. */
export function clusterOf(world: Pick<World, 'clusters'>, m: Machine): Cluster | undefined {
  const cluster = world.clusters.get(clusterKeyOf(m));
  return cluster?.metadata.uid === m.spec.cluster.uid ? cluster : undefined;
}

/** UID of an object that was read from an API server, which always has one. */
export function uidOf(o: HasMeta): string {
  const { uid } = o.metadata;
  if (!uid) throw new Error(`${keyOf(o)} has no UID: it did not come from an API server`);
  return uid;
}

/** Whether the Machine still waits for its node to be taken out by us. */
export const holdsNode = (m: Machine): boolean => m.metadata.finalizers?.includes(FINALIZERS.node) ?? false;
