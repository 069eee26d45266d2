import type { Manifest } from '@shoto/bundle';
import type { HasMeta, KubeClient, KubeObject, ResourceType } from '@shoto/kube';
import { inWords, itemOf } from '../apply/inventory.ts';
import { FIELD_MANAGER } from '../apply/owned-fields.ts';

/** Paths that are told of one object, at most. */
const PATHS = 16;
/** What an API server writes by itself, or what is no content. */
const NOT_CONTENT: ReadonlySet<string> = new Set([
  '/metadata/managedFields',
  '/metadata/resourceVersion',
  '/metadata/generation',
  '/metadata/uid',
  '/metadata/creationTimestamp',
  '/status',
]);

/** An object that is not as it was applied. */
export interface Drifted {
  /** In words. */
  object: string;
  /** JSON pointers of what differs; the root, '', where the object is gone. */
  paths: string[];
}

const step = (key: string | number): string => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`;

/** Where two values differ, as JSON pointers: the deepest fields, lists of other length as a whole. Pure. */
export function differences(a: unknown, b: unknown, at = ''): string[] {
  if (NOT_CONTENT.has(at) || Object.is(a, b)) return [];
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return [at];
  if (Array.isArray(a) !== Array.isArray(b)) return [at];
  if (Array.isArray(a) && Array.isArray(b)) {
    if (a.length !== b.length) return [at];
    return a.flatMap((v, i) => differences(v, b[i], at + step(i)));
  }
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].flatMap((k) =>
    differences((a as Record<string, unknown>)[k], (b as Record<string, unknown>)[k], at + step(k)),
  );
}

/** Whether a pointer is one of these, or inside one. */
export const isUnder = (pointer: string, paths: readonly string[]): boolean =>
  paths.some((p) => pointer === p || pointer.startsWith(`${p}/`));

/**
 * What an application of an object would change, asked of the API server by a dry run.
 *
 * @param ignored - fields that are left to whoever changes them
 * @returns the live object, undefined where it is gone; and what differs, undefined where nothing does
 */
export async function compare(
  client: KubeClient,
  type: ResourceType,
  o: Manifest,
  ignored: readonly string[],
): Promise<{ live: HasMeta | undefined; drifted: Drifted | undefined }> {
  const object = inWords(itemOf(o));
  const ref = { namespace: o.metadata.namespace, name: o.metadata.name };
  const live = await client.get<KubeObject>(type, ref);
  if (!live) return { live, drifted: { object, paths: [''] } };
  const would = await client.apply<KubeObject>(type, o as HasMeta, {
    fieldManager: FIELD_MANAGER,
    force: true,
    dryRun: true,
  });
  const paths = differences(live, would).filter((p) => !isUnder(p, ignored));
  return { live, drifted: paths.length > 0 ? { object, paths: paths.slice(0, PATHS) } : undefined };
}
