import { KubeError } from './errors.ts';
import { pointer } from './paths.ts';
import type { CallOptions, HasMeta, JsonPatchOp, ObjectRef, ResourceType, WriteOptions } from './types.ts';

/** What of a client these patches need. */
interface Patcher {
  get<T extends HasMeta>(type: ResourceType, ref: ObjectRef, o?: CallOptions): Promise<T | undefined>;
  jsonPatch<T extends HasMeta>(
    type: ResourceType,
    ref: ObjectRef,
    ops: readonly JsonPatchOp[],
    o?: WriteOptions & { subresource?: 'status' },
  ): Promise<T>;
}

const TRIES = 5;

function statusOf(obj: HasMeta): Record<string, { revision?: number } | undefined> | undefined {
  return (obj as { status?: Record<string, { revision?: number } | undefined> }).status;
}

/**
 * Writes one map of the status (`status.server`), which belongs to one service, and only if nobody wrote that map since
 * the object was read. Other maps may change in between: that is no conflict. One request, in the regular case.
 *
 * - The map is there with a `revision` (a CRD default of 0 counts): a JSON patch tests `metadata.uid` and
 *   `status.<map>.revision`, then puts `{...next, revision: n + 1}`.
 * - Status, map or its revision is absent in `obj`: JSON patch has no portable test for absence, so this first write tests
 *   `metadata.resourceVersion` instead. Fails that test, the object is read live, and if the map is still absent tried again.
 *
 * @param obj - the object as read; not changed
 * @param next - the whole map without its revision; what is not in it goes
 * @returns the object as stored; its map's revision is one more
 * @throws {KubeError} `isConflict` (422 `TestFailed`) when another revision of the map is there, or another object of that
 *   name; `isNotFound` when it is gone
 */
export async function patchStatusMap<T extends HasMeta>(
  client: Patcher,
  type: ResourceType,
  obj: T,
  map: string,
  next: object,
  o: WriteOptions,
): Promise<T> {
  let base: HasMeta = obj;
  for (let tries = 1; ; tries++) {
    const status = statusOf(base);
    const revision = status?.[map]?.revision;
    const ops: JsonPatchOp[] = [{ op: 'test', path: '/metadata/uid', value: base.metadata.uid }];
    if (revision === undefined)
      ops.push({ op: 'test', path: '/metadata/resourceVersion', value: base.metadata.resourceVersion });
    else ops.push({ op: 'test', path: pointer('status', map, 'revision'), value: revision });
    const value = { ...next, revision: (revision ?? 0) + 1 };
    ops.push(
      status
        ? { op: 'add', path: pointer('status', map), value }
        : { op: 'add', path: '/status', value: { [map]: value } },
    );
    try {
      return await client.jsonPatch<T>(type, obj.metadata, ops, { ...o, subresource: 'status' });
    } catch (e) {
      if (!(e instanceof KubeError && e.isConflict) || revision !== undefined || tries >= TRIES) throw e;
      const live = await client.get<T>(type, obj.metadata, o);
      if (!live || live.metadata.uid !== obj.metadata.uid || statusOf(live)?.[map]?.revision !== undefined) throw e;
      base = live;
    }
  }
}

/**
 * Takes one finalizer off an object, and no other.
 *
 * @returns the object as stored, or undefined when it (or this incarnation of it) is gone
 * @throws {KubeError} `isConflict` when others change the list of finalizers again and again
 */
export async function removeFinalizer<T extends HasMeta>(
  client: Patcher,
  type: ResourceType,
  obj: T,
  finalizer: string,
  o: CallOptions,
): Promise<T | undefined> {
  let now: T = obj;
  for (let tries = 1; ; tries++) {
    const at = now.metadata.finalizers?.indexOf(finalizer) ?? -1;
    if (at < 0 && tries > 1) return now;
    try {
      if (at >= 0) {
        return await client.jsonPatch<T>(
          type,
          obj.metadata,
          [
            { op: 'test', path: '/metadata/uid', value: obj.metadata.uid },
            { op: 'test', path: pointer('metadata', 'finalizers', at), value: finalizer },
            { op: 'remove', path: pointer('metadata', 'finalizers', at) },
          ],
          o,
        );
      }
    } catch (e) {
      if (e instanceof KubeError && e.isNotFound) return undefined;
      if (!(e instanceof KubeError && e.isConflict) || tries >= TRIES) throw e;
    }
    // Not in the object as read (an old cache may lack it), or the list has moved: look live.
    const live = await client.get<T>(type, obj.metadata, o);
    if (!live || live.metadata.uid !== obj.metadata.uid) return undefined;
    now = live;
  }
}
