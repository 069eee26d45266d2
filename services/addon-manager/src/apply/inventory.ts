import { HealthCheck, type JsonObject, type Manifest } from '@shoto/bundle';
import { CONFIGMAPS, type HasMeta, type KubeClient } from '@shoto/kube';
import { sharing } from '../shared-strings.ts';
import { FIELD_MANAGER } from './owned-fields.ts';

/** Where inventories lie in the workload cluster, one ConfigMap for each addon. */
const NAMESPACE = 'kube-system';
/** On each of them: the name of its addon. */
const LABEL = 'shoto.dev/inventory';
const KEY = 'inventory.json';

/** An object that an addon has in a cluster. */
export interface Item {
  apiVersion: string;
  kind: string;
  namespace?: string;
  name: string;
  /** UID of the object; absent until it was applied. */
  uid?: string;
  /** What our fields of it looked like after it was applied; see `ownedFields`. */
  owned?: string;
}

/** Objects that are never pruned, as bundle.yaml says it. */
export interface Never {
  apiVersion?: string | undefined;
  kind: string;
  name?: string | undefined;
  namespace?: string | undefined;
}

/** Fields that were taken from another manager by force. */
export interface Taken {
  /** Identity of the object. */
  id: string;
  manager: string;
  paths: string[];
  /** Milliseconds since the epoch. */
  at: number;
  /** They took them back: theirs from now on. */
  left?: boolean;
}

/**
 * What an addon has in a cluster. Written before anything is applied, with what was there and what is to come, so that nothing is ever
 * forgotten; and once more when it is healthy, with what is there now.
 */
export interface Inventory {
  /** AddonBundle. */
  bundle: string;
  /** What it was rendered from: see `inputOf`. */
  input: string;
  /** Digest of what was rendered. */
  digest: string;
  /** When its application began, milliseconds since the epoch. */
  since: number;
  /** It became healthy, and `items` are exactly what it has. */
  settled: boolean;
  items: Item[];
  never: Never[];
  taken: Taken[];
  /** What tells that it is healthy; absent where a version of Shoto that did not keep it wrote it. */
  checks?: HealthCheck[];
  /** What was healthy last, with the values that the Cluster named then. */
  good?: { bundle: string; input: string; digest: string; values: JsonObject };
}

const groupOf = (apiVersion: string): string =>
  apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';

/** Tells an object from all others of a cluster, whatever the version that it is written in. */
export const idOf = (o: Pick<Item, 'apiVersion' | 'kind' | 'namespace' | 'name'>): string =>
  `${groupOf(o.apiVersion)}/${o.kind}/${o.namespace ?? ''}/${o.name}`;

/** An object that is to be applied, as an item. */
export const itemOf = (o: Manifest): Item => ({
  apiVersion: o.apiVersion,
  kind: o.kind,
  ...(o.metadata.namespace ? { namespace: o.metadata.namespace } : {}),
  name: o.metadata.name,
});

/** An object in words: `Deployment kube-system/metrics-server`. */
export const inWords = (o: Pick<Item, 'kind' | 'namespace' | 'name'>): string =>
  `${o.kind} ${o.namespace ? `${o.namespace}/` : ''}${o.name}`;

/** Items of both, those of the second where they are in both. */
export function union(before: readonly Item[], now: readonly Item[]): Item[] {
  const all = new Map(before.map((i) => [idOf(i), i]));
  for (const i of now) {
    const id = idOf(i);
    const known = all.get(id);
    // As it is where it can be: a fleet has many, and each is kept by who applied it, too.
    all.set(id, known ? { ...known, ...i } : i);
  }
  return [...all.values()];
}

interface StoredMap extends HasMeta {
  data?: Record<string, string>;
}

/** Reads one as it is stored; undefined where it is not one of ours: somebody wrote into it. */
function parse(map: StoredMap): Inventory | undefined {
  try {
    const read = JSON.parse(map.data?.[KEY] ?? '') as Partial<Inventory>;
    if (typeof read.bundle !== 'string' || typeof read.input !== 'string' || !Array.isArray(read.items))
      return undefined;
    const items = read.items
      .filter((i) => i && typeof i.apiVersion === 'string' && i.kind && i.name)
      // A UID is nobody else's.
      .map(({ uid, ...i }) => ({ ...sharing(i), ...(uid === undefined ? {} : { uid }) }));
    return {
      bundle: read.bundle,
      input: read.input,
      digest: String(read.digest ?? ''),
      since: Number(read.since) || 0,
      settled: read.settled === true,
      items,
      never: Array.isArray(read.never) ? read.never : [],
      taken: Array.isArray(read.taken) ? read.taken : [],
      ...(Array.isArray(read.checks) ? { checks: read.checks.filter((c) => HealthCheck.safeParse(c).success) } : {}),
      ...(read.good ? { good: read.good } : {}),
    };
  } catch {
    return undefined;
  }
}

/** The inventories of a cluster, by addon. */
export async function readInventories(client: KubeClient): Promise<Map<string, Inventory>> {
  const maps = await client.listAll<StoredMap>(CONFIGMAPS, { namespace: NAMESPACE, labelSelector: LABEL });
  return new Map(
    maps.flatMap((m) => {
      const addon = m.metadata.labels?.[LABEL];
      const inventory = parse(m);
      return addon && inventory ? [[addon, inventory] as const] : [];
    }),
  );
}

const nameOf = (addon: string): string => `shoto-addon-${addon}`;

export async function writeInventory(client: KubeClient, addon: string, inventory: Inventory): Promise<void> {
  const map: StoredMap = {
    metadata: {
      name: nameOf(addon),
      namespace: NAMESPACE,
      labels: { [LABEL]: addon, 'app.kubernetes.io/managed-by': 'shoto' },
    },
    data: { [KEY]: JSON.stringify(inventory) },
  };
  await client.apply(CONFIGMAPS, map, { fieldManager: FIELD_MANAGER, force: true });
}

export async function removeInventory(client: KubeClient, addon: string): Promise<void> {
  await client.delete(CONFIGMAPS, { namespace: NAMESPACE, name: nameOf(addon) });
}
