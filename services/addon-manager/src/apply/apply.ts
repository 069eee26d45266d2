import type { Manifest } from '@shoto/bundle';
import { type HasMeta, type KubeClient, KubeError, type ResourceType } from '@shoto/kube';
import { TerminalError, WaitingError } from '@shoto/reconciler';
import { asPointer, removePath } from './field-path.ts';
import { type Item, idOf, inWords, itemOf, type Taken } from './inventory.ts';
import type { KindFinder } from './kinds.ts';
import { FIELD_MANAGER, ownedFields } from './owned-fields.ts';

/** Whoever takes a field back within this time after it was taken from them may keep it: nothing is fought over for ever. */
export const TAKE_BACK_MS = 3_600_000;
/** How soon what we may not do yet is tried again: our role in a new cluster is a moment away. */
const FORBIDDEN_MS = 2_000;

/** Fields of an object that are left to who holds them. */
export interface Conflict {
  /** In words. */
  object: string;
  manager: string;
  /** JSON pointers. */
  paths: string[];
}

/** What an application of objects needs to know. */
export interface ApplyContext {
  client: KubeClient;
  finder: KindFinder;
  /** Kubernetes version of the cluster. */
  version: string;
  /** What was taken by force before; entries are added and renewed. */
  taken: Taken[];
  /** Fields that are left to whoever changed them, as JSON pointers. */
  ignored: (o: Manifest) => readonly string[];
  /** Values or facts of it are from Secrets: what an API server says of an object may quote them. */
  confidential: boolean;
  /** Milliseconds since the epoch. */
  now: number;
  signal?: AbortSignal | undefined;
}

/** What came of an application. */
export interface Applied {
  items: Item[];
  conflicts: Conflict[];
}

/** Applies objects in their order, server-side, each as a whole. Safe to repeat, and to break off by the signal. */
export async function applyAll(c: ApplyContext, objects: readonly Manifest[]): Promise<Applied> {
  const done: Applied = { items: [], conflicts: [] };
  for (const o of objects) {
    c.signal?.throwIfAborted();
    const type = await c.finder.find(c.client, c.version, o);
    if (!type) throw notServed(c.version, o, objects);
    const { item, conflicts } = await applyOne(c, type, o);
    done.items.push(item);
    done.conflicts.push(...conflicts);
  }
  return done;
}

/**
 * Applies one object. Fields that another manager holds with another value are taken by force once; who takes them back within the hour keeps them,
 * and is named.
 *
 * @throws {TerminalError} `Refused`: the object is not valid; another try gives the same
 * @throws {WaitingError} `Forbidden`
 */
export async function applyOne(
  c: ApplyContext,
  type: ResourceType,
  o: Manifest,
): Promise<{ item: Item; conflicts: Conflict[] }> {
  const send = async (object: Manifest, force: boolean): Promise<Item> => {
    const { metadata } = await c.client.apply<HasMeta>(type, object as HasMeta, {
      fieldManager: FIELD_MANAGER,
      force,
      ...(c.signal ? { signal: c.signal } : {}),
    });
    return { ...itemOf(o), ...(metadata.uid ? { uid: metadata.uid } : {}), owned: ownedFields(metadata) };
  };
  try {
    const item = await send(o, false);
    forget(c.taken, idOf(itemOf(o)));
    return { item, conflicts: [] };
  } catch (e) {
    const held = e instanceof KubeError && e.isConflict ? holdersOf(e) : [];
    if (held.length === 0) throw refusal(c, e, o);
    const verdict = judge(c, o, held);
    const object = [...verdict.ignored, ...verdict.left].reduce((made, h) => removePath(made, h.path), o);
    try {
      const item = await send(object, verdict.take.length > 0);
      remember(c, idOf(itemOf(o)), verdict.take, verdict.left);
      return { item, conflicts: conflictsOf(o, verdict.left) };
    } catch (again) {
      throw refusal(c, again, o);
    }
  }
}

/** A field and who holds it. */
interface Held {
  manager: string;
  /** As the API server writes it. */
  path: string;
}

/** Who holds what, as a 409 says it. */
function holdersOf(e: KubeError): Held[] {
  return e.causes.flatMap((c) => {
    const manager = /conflict with "([^"]+)"/.exec(c.message)?.[1];
    return manager !== undefined && c.field ? [{ manager, path: c.field }] : [];
  });
}

/** What becomes of each contested field: left out unsaid, left to its holder, taken. Pure. */
function judge(c: ApplyContext, o: Manifest, held: Held[]): Record<'ignored' | 'left' | 'take', Held[]> {
  const id = idOf(itemOf(o));
  const ignored = c.ignored(o);
  const isIgnored = (h: Held) => {
    const pointer = asPointer(h.path);
    return ignored.some((i) => pointer === i || pointer.startsWith(`${i}/`));
  };
  const cameBack = (h: Held) =>
    c.taken.some(
      (t) =>
        t.id === id &&
        t.manager === h.manager &&
        t.paths.includes(h.path) &&
        (t.left === true || c.now - t.at < TAKE_BACK_MS),
    );
  const rest = held.filter((h) => !isIgnored(h));
  return {
    ignored: held.filter(isIgnored),
    left: rest.filter(cameBack),
    take: rest.filter((h) => !cameBack(h)),
  };
}

/** No one holds anything of it against us any more; what was taken within the hour stays known. */
function forget(taken: Taken[], id: string): void {
  for (let i = taken.length - 1; i >= 0; i--) if (taken[i]!.id === id && taken[i]!.left) taken.splice(i, 1);
}

function remember(c: ApplyContext, id: string, take: Held[], left: Held[]): void {
  for (let i = c.taken.length - 1; i >= 0; i--) {
    const t = c.taken[i]!;
    const renewed = [...take, ...left].some((h) => t.id === id && h.manager === t.manager && t.paths.includes(h.path));
    if (renewed || (!t.left && c.now - t.at >= TAKE_BACK_MS)) c.taken.splice(i, 1);
  }
  for (const [held, isLeft] of [
    [take, false],
    [left, true],
  ] as const)
    for (const [manager, of] of byManager(held))
      c.taken.push({ id, manager, paths: of.map((h) => h.path), at: c.now, ...(isLeft ? { left: true } : {}) });
}

const byManager = (held: Held[]): Map<string, Held[]> => Map.groupBy(held, (h) => h.manager);

const conflictsOf = (o: Manifest, left: Held[]): Conflict[] =>
  [...byManager(left)].map(([manager, of]) => ({
    object: inWords(itemOf(o)),
    manager,
    paths: of.map((h) => asPointer(h.path)),
  }));

/** What an API server says to an object that it does not take. Where something secret may be in it, its words are not passed on: they may quote that. */
function refusal(c: ApplyContext, e: unknown, o: Manifest): unknown {
  if (!(e instanceof KubeError)) return e;
  const what = inWords(itemOf(o));
  if (e.isForbidden)
    return new WaitingError('Forbidden', `${what} may not be applied: ${e.message}`, FORBIDDEN_MS, { cause: e });
  if (e.status !== 400 && !e.isInvalid && e.status !== 415) return e;
  const fields = e.causes.map((cause) => cause.field).filter(Boolean);
  const isSecret = c.confidential || o.kind === 'Secret';
  const words = isSecret ? `the API server refuses ${fields.join(', ') || 'it'}` : e.message;
  return new TerminalError('Refused', `${what}: ${words}`, isSecret ? {} : { cause: e });
}

/** A kind of a CRD of the same bundle is only a moment away; any other will never be served. */
function notServed(version: string, o: Manifest, bundle: readonly Manifest[]): WaitingError | TerminalError {
  const message = `Kubernetes ${version} does not serve ${o.kind} of ${o.apiVersion}`;
  const names = (m: Manifest) => (m as { spec?: { names?: { kind?: string } } }).spec?.names;
  return bundle.some((m) => m.kind === 'CustomResourceDefinition' && names(m)?.kind === o.kind)
    ? new WaitingError('KindNotServedYet', `${message} yet`, 1000)
    : new TerminalError('KindNotServed', `${message}: leave it out of the bundle, or add its CustomResourceDefinition`);
}
