import {
  type ExecResult,
  type HasMeta,
  type JsonPatchOp,
  KubeError,
  keyOf,
  NODES,
  type ObjectRef,
  type ResourceType,
} from '@shoto/kube';
import { applyJsonPatch } from '@shoto/kube/testing';
import type { Cache, Kube } from '../src/world.ts';

type Stored = HasMeta & Record<string, unknown>;
type Watcher = (now: Stored | undefined, before: Stored | undefined) => void;

const refKey = (ref: ObjectRef): string => (ref.namespace ? `${ref.namespace}/${ref.name}` : ref.name);

/** A copy with its keys in the order in which an API server answers them, which is not that of whoever wrote them. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, v]) => v !== undefined);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => [k, sorted(v)]));
}

/** JSON merge patch, RFC 7386. */
function mergeInto(base: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> =
    typeof base === 'object' && base !== null && !Array.isArray(base) ? { ...base } : {};
  for (const [k, v] of Object.entries(patch)) {
    if (v === null) delete result[k];
    else result[k] = mergeInto(result[k], v);
  }
  return result;
}

/** An API server in memory, as far as this service asks it for anything: revisions, conflicts, finalizers, selectors. */
export class FakeKube implements Kube {
  readonly #objects = new Map<string, Map<string, Stored>>();
  readonly #watchers = new Map<string, Watcher[]>();
  #version = 1;
  /** Every write that was accepted, `VERB plural namespace/name`. */
  readonly writes: string[] = [];
  /** Requests by `raw`, `METHOD path`, and what they are answered; 404 where nothing is set. */
  readonly raws: string[] = [];
  onRaw: (
    method: string,
    path: string,
  ) => { status: number; body: string; causes?: { message: string; reason?: string }[] } = (_method, path) => ({
    status: 200,
    body: path.startsWith('/readyz') ? 'ok' : '{"items":[]}',
  });
  /** Commands that were run, `pod command`, and what they say; no pod where nothing is set. */
  readonly execs: string[] = [];
  onExec: (pod: string, container: string, command: readonly string[]) => ExecResult = () => {
    throw error(404, 'NotFound');
  };
  /** Thrown by every call: the server cannot be reached. */
  down: KubeError | undefined;
  /** Runs before each status write is looked at: others may be quicker. */
  beforePatch: (() => Promise<void> | void) | undefined;

  /** Puts an object there, as if it had been there all the time. */
  put<T extends HasMeta>(type: ResourceType, object: T): T {
    const key = keyOf(object);
    const before = this.#of(type).get(key);
    const stored = sorted(object) as Stored;
    stored.metadata.uid ??= `uid-of-${key}`;
    stored.metadata.resourceVersion = String(++this.#version).padStart(10, '0');
    this.#of(type).set(key, stored);
    this.#tell(type, stored, before);
    return structuredClone(stored) as unknown as T;
  }

  /** Takes an object away. */
  drop(type: ResourceType, ref: ObjectRef): void {
    const before = this.#of(type).get(refKey(ref));
    this.#of(type).delete(refKey(ref));
    if (before) this.#tell(type, undefined, before);
  }

  /** The object as it is. */
  now<T>(type: ResourceType, ref: ObjectRef): T | undefined {
    const found = this.#of(type).get(refKey(ref));
    return found && (structuredClone(found) as T);
  }

  all<T>(type: ResourceType): T[] {
    return [...this.#of(type).values()].map((o) => structuredClone(o) as T);
  }

  /** A reflector's cache of a kind. `lag()` stops it, so that it shows what was. */
  cache<T extends HasMeta>(
    type: ResourceType,
    indexes: Record<string, (o: T) => string | undefined> = {},
  ): Cache<T> & { lag: () => void } {
    let frozen: T[] | undefined;
    const list = (): T[] => frozen ?? this.all<T>(type);
    return {
      list,
      get: (key) => list().find((o) => keyOf(o) === key),
      byIndex: (name, value) => list().filter((o) => indexes[name]?.(o) === value),
      lag: () => {
        frozen = this.all<T>(type);
      },
    };
  }

  watch(type: ResourceType, watcher: Watcher): void {
    this.#watchers.set(type.plural, [...(this.#watchers.get(type.plural) ?? []), watcher]);
  }

  async get<T extends HasMeta>(type: ResourceType, ref: ObjectRef): Promise<T | undefined> {
    this.#reach();
    return this.now<T>(type, ref);
  }

  async listAll<T extends HasMeta>(
    type: ResourceType,
    q: { namespace?: string; labelSelector?: string; fieldSelector?: string } = {},
  ): Promise<T[]> {
    this.#reach();
    const [label, value] = q.labelSelector?.split('=') ?? [];
    const node = q.fieldSelector?.replace('spec.nodeName=', '');
    return this.all<T>(type).filter(
      (o) =>
        (!q.namespace || o.metadata.namespace === q.namespace) &&
        (!label || o.metadata.labels?.[label] === value) &&
        (!node || (o as { spec?: { nodeName?: string } }).spec?.nodeName === node),
    );
  }

  async create<T extends HasMeta>(type: ResourceType, object: T): Promise<T> {
    this.#reach();
    if (this.#of(type).has(keyOf(object))) throw error(409, 'AlreadyExists');
    return this.#write('create', type, object);
  }

  async apply<T extends HasMeta>(type: ResourceType, object: HasMeta): Promise<T> {
    this.#reach();
    return this.#write('apply', type, mergeInto(this.now(type, object.metadata), object) as T);
  }

  async mergePatch<T extends HasMeta>(type: ResourceType, ref: ObjectRef, patch: object): Promise<T> {
    this.#reach();
    const before = this.#existing(type, ref);
    const meta = (patch as { metadata?: { resourceVersion?: string; uid?: string } }).metadata;
    const isOther =
      (meta?.resourceVersion && meta.resourceVersion !== before.metadata.resourceVersion) ||
      (meta?.uid && meta.uid !== before.metadata.uid);
    if (isOther) throw error(409, 'Conflict');
    return this.#write('patch', type, mergeInto(before, patch) as T);
  }

  async jsonPatch<T extends HasMeta>(type: ResourceType, ref: ObjectRef, ops: readonly JsonPatchOp[]): Promise<T> {
    this.#reach();
    const after = applyJsonPatch(this.#existing(type, ref), ops);
    if (!after) throw error(422, 'TestFailed');
    return this.#write('patch', type, after as unknown as T);
  }

  async exec(ref: ObjectRef, container: string, command: readonly string[]): Promise<ExecResult> {
    this.#reach();
    this.execs.push(`${ref.name} ${command.join(' ')}`);
    return this.onExec(refKey(ref), container, command);
  }

  async delete(type: ResourceType, ref: ObjectRef): Promise<'gone' | 'deleting'> {
    this.#reach();
    if (this.#of(type).has(refKey(ref))) this.writes.push(`delete ${type.plural} ${refKey(ref)}`);
    this.drop(type, ref);
    return 'gone';
  }

  async patchStatusMap<T extends HasMeta>(type: ResourceType, object: T, map: string, next: object): Promise<T> {
    await this.beforePatch?.();
    this.#reach();
    const before = this.#existing(type, object.metadata) as Stored & { status?: Record<string, { revision?: number }> };
    const read = (object as { status?: Record<string, { revision?: number }> }).status?.[map]?.revision ?? 0;
    const revision = before.status?.[map]?.revision ?? 0;
    if (before.metadata.uid !== object.metadata.uid || read !== revision) throw error(422, 'TestFailed');
    const status = { ...before.status, [map]: { ...next, revision: revision + 1 } };
    return this.#write('status', type, { ...before, status } as unknown as T);
  }

  async removeFinalizer<T extends HasMeta>(type: ResourceType, object: T, finalizer: string): Promise<T | undefined> {
    this.#reach();
    const before = this.#of(type).get(keyOf(object));
    if (!before) return undefined;
    const finalizers = before.metadata.finalizers?.filter((f) => f !== finalizer) ?? [];
    if (finalizers.length === 0 && before.metadata.deletionTimestamp) {
      this.writes.push(`finalizer ${type.plural} ${keyOf(object)}`);
      this.drop(type, before.metadata);
      return undefined;
    }
    return this.#write('finalizer', type, { ...before, metadata: { ...before.metadata, finalizers } } as unknown as T);
  }

  async raw(method: string, path: string) {
    this.#reach();
    this.raws.push(`${method} ${path}`);
    if (method === 'GET' && path === '/api/v1/nodes') {
      // Asked for their metadata only, as PartialObjectMetadataList.
      const items = [...this.#of(NODES).values()].map(({ metadata }) => ({ metadata }));
      return { status: 200, body: JSON.stringify({ items }), headers: {} };
    }
    const answer = this.onRaw(method, path);
    const { status, body, causes = [] } = answer;
    if (status >= 400) throw new KubeError({ status, reason: 'Refused', method, path, message: body, causes });
    return { status, body, headers: {} };
  }

  #of(type: ResourceType): Map<string, Stored> {
    const found = this.#objects.get(type.plural) ?? new Map<string, Stored>();
    this.#objects.set(type.plural, found);
    return found;
  }

  #existing(type: ResourceType, ref: ObjectRef): Stored {
    const found = this.#of(type).get(refKey(ref));
    if (!found) throw error(404, 'NotFound');
    return structuredClone(found);
  }

  #write<T extends HasMeta>(verb: string, type: ResourceType, object: T): T {
    this.writes.push(`${verb} ${type.plural} ${keyOf(object)}`);
    return this.put(type, object);
  }

  #reach(): void {
    if (this.down) throw this.down;
  }

  #tell(type: ResourceType, now: Stored | undefined, before: Stored | undefined): void {
    for (const watcher of this.#watchers.get(type.plural) ?? []) watcher(now, before);
  }
}

/** An error of an API server. */
export const error = (status: number, reason: string, path = '/'): KubeError =>
  new KubeError({ status, reason, method: 'GET', path, message: reason });
