import type { ListQuery, ObjectRef, ResourceType } from './types.ts';

/** A part of the object that has its own endpoint. */
export type Subresource = 'status' | 'scale' | 'eviction' | 'token' | 'approval';

function base(type: ResourceType, namespace: string | undefined): string {
  const root = type.group ? `/apis/${type.group}/${type.version}` : `/api/${type.version}`;
  return type.namespaced && namespace
    ? `${root}/namespaces/${encodeURIComponent(namespace)}/${type.plural}`
    : `${root}/${type.plural}`;
}

/** Path of a collection with the query of a list. */
export function listPath(type: ResourceType, q: ListQuery, more: Record<string, string | undefined> = {}): string {
  return base(type, q.namespace) + query({ labelSelector: q.labelSelector, fieldSelector: q.fieldSelector, ...more });
}

/**
 * Path of one object.
 * @throws {TypeError} a namespaced kind without namespace, or no name: a path of another object would come out
 */
export function objectPath(
  type: ResourceType,
  ref: ObjectRef,
  subresource?: Subresource,
  q: Record<string, string | undefined> = {},
): string {
  if (!ref.name) throw new TypeError(`${type.kind}: a reference needs a name`);
  if (type.namespaced && !ref.namespace)
    throw new TypeError(`${type.kind} "${ref.name}": a reference needs a namespace`);
  return `${base(type, ref.namespace)}/${encodeURIComponent(ref.name)}${subresource ? `/${subresource}` : ''}${query(q)}`;
}

/** Path to create an object at. */
export function createPath(
  type: ResourceType,
  namespace: string | undefined,
  q: Record<string, string | undefined>,
): string {
  if (type.namespaced && !namespace) throw new TypeError(`${type.kind}: an object to create needs a namespace`);
  return base(type, namespace) + query(q);
}

function query(q: Record<string, string | undefined>): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(q)) if (value) params.set(name, value);
  const text = params.toString();
  return text ? `?${text}` : '';
}

/** One step of a JSON pointer (RFC 6901). */
export function pointer(...steps: (string | number)[]): string {
  return steps.map((s) => `/${String(s).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** What a path is about, for counters: `machines`, `machines/status`, or '' (discovery, health). */
export function resourceOf(path: string): string {
  const steps = path.split('/').slice(1);
  const from = steps[0] === 'api' ? 2 : steps[0] === 'apis' ? 3 : undefined;
  if (from === undefined) return '';
  const [first = '', , third, , fifth] = steps.slice(from);
  if (first !== 'namespaces' || third === undefined) return third ? `${first}/${third}` : first;
  return fifth ? `${third}/${fifth}` : third;
}
