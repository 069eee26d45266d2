import { ADDON_LABEL } from '@shoto/bundle';
import { type HasMeta, type KubeClient, Reflector, type ResourceType } from '@shoto/kube';
import { idOf } from '../apply/inventory.ts';
import { ownedFields } from '../apply/owned-fields.ts';
import { shared } from '../shared-strings.ts';

/** An object as it is kept: where it is, whose it is, and what our fields of it look like. */
interface Seen extends HasMeta {
  addon: string;
  owned: string;
}

/** An object of an addon that came, changed or went. */
export interface Sighting {
  addon: string;
  /** Identity of the object. */
  id: string;
  /** What our fields look like; undefined where it is gone. */
  owned: string | undefined;
}

interface KindWatch {
  type: ResourceType;
  reflector: Reflector<Seen>;
}

/** What {@link DriftWatches} tells. */
export interface DriftWatchesOptions {
  /** An object was seen for the first time, changed (in its status alone, too) or went; `uid` is the cluster's. */
  onSight: (uid: string, s: Sighting) => void;
  /** All objects of a kind (`group/kind`) are known. */
  onKnown: (uid: string, kind: string) => void;
  onError: (uid: string, e: unknown) => void;
  /** A cluster is not watched any more. */
  onForget: (uid: string) => void;
}

/** Cut down to what is compared: a fleet has many. */
function trim(raw: Seen): Seen {
  const { name, namespace, resourceVersion, labels } = raw.metadata;
  return {
    metadata: {
      name: shared(name),
      ...(namespace ? { namespace: shared(namespace) } : {}),
      ...(resourceVersion ? { resourceVersion } : {}),
    },
    addon: shared(labels?.[ADDON_LABEL] ?? ''),
    owned: ownedFields(raw.metadata),
  };
}

const kindOf = (t: ResourceType): string => `${t.group}/${t.kind}`;

/**
 * One watch for each kind that the addons of a cluster have, of metadata only and of objects with our label only. While nothing changes nothing
 * is asked.
 */
export class DriftWatches {
  readonly #o: DriftWatchesOptions;
  readonly #clusters = new Map<string, Map<string, KindWatch>>();

  constructor(o: DriftWatchesOptions) {
    this.#o = o;
  }

  /** Watches these kinds of a cluster, and no others any more. */
  watch(uid: string, client: KubeClient, types: readonly ResourceType[]): void {
    const known = this.#clusters.get(uid) ?? new Map<string, KindWatch>();
    this.#clusters.set(uid, known);
    const wanted = new Set(types.map(kindOf));
    for (const [kind, w] of known) {
      if (wanted.has(kind)) continue;
      known.delete(kind);
      void w.reflector.stop();
    }
    for (const type of types) if (!known.has(kindOf(type))) known.set(kindOf(type), this.#start(uid, client, type));
  }

  #start(uid: string, client: KubeClient, type: ResourceType): KindWatch {
    const kind = kindOf(type);
    const idOfSeen = (s: Seen) =>
      idOf({
        apiVersion: type.group ? `${type.group}/${type.version}` : type.version,
        kind: type.kind,
        name: s.metadata.name,
        ...(s.metadata.namespace ? { namespace: s.metadata.namespace } : {}),
      });
    const reflector: Reflector<Seen> = new Reflector<Seen>({
      client,
      type,
      labelSelector: ADDON_LABEL,
      metadataOnly: true,
      // Beginning anew is a request for each kind; whether the connection lives is known without.
      watchSeconds: 1800,
      trim,
      onError: (e) => this.#o.onError(uid, e),
      onChange: (_key, now, before) => {
        const seen = now ?? before!;
        this.#o.onSight(uid, { addon: seen.addon, id: idOfSeen(seen), owned: now?.owned });
      },
      onSynced: () => this.#o.onKnown(uid, kind),
    });
    reflector.start();
    return { type, reflector };
  }

  /** Whether all objects of a kind are known. */
  knows(uid: string, kind: string): boolean {
    return this.#clusters.get(uid)?.get(kind)?.reflector.isSynced ?? false;
  }

  /** What our fields of an object look like; undefined where it is not there, or not known. */
  owned(uid: string, kind: string, key: string): string | undefined {
    return this.#clusters.get(uid)?.get(kind)?.reflector.get(key)?.owned;
  }

  /** How many watches there are. */
  get size(): number {
    return [...this.#clusters.values()].reduce((n, kinds) => n + kinds.size, 0);
  }

  /** Watches a cluster no more. */
  async forget(uid: string): Promise<void> {
    const kinds = this.#clusters.get(uid);
    this.#clusters.delete(uid);
    this.#o.onForget(uid);
    await Promise.all([...(kinds?.values() ?? [])].map((w) => w.reflector.stop()));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#clusters.keys()].map((uid) => this.forget(uid)));
  }
}
