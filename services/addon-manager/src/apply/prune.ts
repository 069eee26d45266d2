import { ADDON_LABEL } from '@shoto/bundle';
import { type HasMeta, type KubeClient, KubeError, type ResourceType } from '@shoto/kube';
import { type Inventory, type Item, idOf, type Never } from './inventory.ts';
import type { KindFinder } from './kinds.ts';

/** What holds data, or others' things: never pruned, whatever a bundle says. */
const KEPT_KINDS: ReadonlySet<string> = new Set(['/PersistentVolumeClaim', '/PersistentVolume', '/Namespace']);

const kindOf = (i: Item): string => idOf(i).split('/').slice(0, 2).join('/');

const matches = (n: Never, i: Item): boolean =>
  n.kind === i.kind &&
  (n.apiVersion === undefined || n.apiVersion === i.apiVersion) &&
  (n.name === undefined || n.name === i.name) &&
  (n.namespace === undefined || n.namespace === i.namespace);

/**
 * What an addon has and no longer wants, last applied first: dependants before what they need. Pure.
 *
 * @param others - inventories of the cluster's other addons: what one of them has is theirs now
 */
export function toPrune(
  have: readonly Item[],
  want: ReadonlySet<string>,
  never: readonly Never[],
  others: Iterable<Inventory>,
): Item[] {
  const theirs = new Set([...others].flatMap((inv) => inv.items.map(idOf)));
  return have
    .filter((i) => !want.has(idOf(i)) && !theirs.has(idOf(i)))
    .filter((i) => !KEPT_KINDS.has(kindOf(i)) && !never.some((n) => matches(n, i)))
    .toReversed();
}

interface Definition extends HasMeta {
  spec?: {
    group?: string;
    scope?: string;
    names?: { plural?: string; kind?: string };
    versions?: { name: string; served?: boolean }[];
  };
}

/** What pruning needs. */
export interface PruneContext {
  client: KubeClient;
  finder: KindFinder;
  version: string;
  addon: string;
  signal?: AbortSignal | undefined;
}

/** Removes objects that are provably the addon's: by UID, and by its label where we may read it. Definitions that still have objects stay. Safe to repeat. */
export async function prune(c: PruneContext, items: readonly Item[]): Promise<void> {
  for (const item of items) {
    c.signal?.throwIfAborted();
    const type = await c.finder.find(c.client, c.version, item);
    // Its kind is not served any more, and so it is not there.
    if (!type) continue;
    const ref = { namespace: item.namespace, name: item.name };
    const uid = item.kind === 'Secret' ? item.uid : await provenUid(c, type, item);
    if (uid === undefined) continue;
    if (item.kind === 'CustomResourceDefinition' && (await hasObjects(c, type, item))) continue;
    try {
      await c.client.delete(type, ref, {
        uid,
        propagationPolicy: 'Background',
        ...(c.signal ? { signal: c.signal } : {}),
      });
    } catch (e) {
      // Another object of that name: not ours.
      if (!(e instanceof KubeError && e.isConflict)) throw e;
    }
  }
}

/** UID of the object, where it is there and the addon's. */
async function provenUid(c: PruneContext, type: ResourceType, item: Item): Promise<string | undefined> {
  const live = await c.client.get<HasMeta>(type, { namespace: item.namespace, name: item.name });
  if (!live || live.metadata.labels?.[ADDON_LABEL] !== c.addon) return undefined;
  return item.uid === undefined || item.uid === live.metadata.uid ? live.metadata.uid : undefined;
}

/** Whether anything of the kind that a definition defines is there; also where that cannot be seen. */
async function hasObjects(c: PruneContext, type: ResourceType, item: Item): Promise<boolean> {
  const spec = (await c.client.get<Definition>(type, { name: item.name }))?.spec;
  const version = spec?.versions?.find((v) => v.served !== false)?.name;
  if (!spec?.group || !spec.names?.plural || !version) return true;
  const of: ResourceType = {
    group: spec.group,
    version,
    plural: spec.names.plural,
    kind: spec.names.kind ?? '',
    namespaced: spec.scope === 'Namespaced',
  };
  try {
    return (await c.client.list(of, { limit: 1 }, { metadataOnly: true })).items.length > 0;
  } catch (e) {
    if (e instanceof KubeError && e.isForbidden) return true;
    if (e instanceof KubeError && e.isNotFound) return false;
    throw e;
  }
}
