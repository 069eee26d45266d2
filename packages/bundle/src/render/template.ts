import { BundleError } from '../errors.ts';
import { copyOf, isObject, type Json, type JsonObject, own, pathText } from '../json.ts';

/** What placeholders stand for. */
export interface Scope {
  facts: JsonObject;
  values: JsonObject;
}

/** Where a piece of a bundle comes from, for messages. */
export interface Origin {
  file: string;
  document?: number;
}

/** `{{facts.podCIDR}}` or `{{values.a.b}}`. Other double braces mean nothing here. */
const PLACEHOLDER = /\{\{\s*(facts|values)\.([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)\s*\}\}/g;

/** A placeholder: the root, and the keys below it. */
interface Reference {
  root: 'facts' | 'values';
  keys: string[];
  text: string;
}

/** A value with holes. What has none is kept as it is, frozen, and shared by all who fill in. */
export type Template =
  | { kind: 'static'; value: Json }
  /** A scalar that is one placeholder and nothing else: takes the value with its type. */
  | { kind: 'whole'; reference: Reference; path: PropertyKey[] }
  /** Text around placeholders. */
  | { kind: 'text'; parts: (string | Reference)[]; path: PropertyKey[] }
  | { kind: 'list'; items: Template[] }
  | { kind: 'map'; entries: [string, Template][] };

/** Finds the placeholders of a value, once for all renders. @throws {BundleError} `BrokenManifest` where one stands in a key */
export function templateOf(value: Json, origin: Origin, path: PropertyKey[] = []): Template {
  if (typeof value === 'string') {
    const found = [...value.matchAll(PLACEHOLDER)];
    if (found.length === 0) return { kind: 'static', value };
    const references = found.map(
      ([text, root, keys]): Reference => ({
        root: root as Reference['root'],
        keys: keys!.split('.'),
        text,
      }),
    );
    if (found.length === 1 && found[0]![0] === value) return { kind: 'whole', reference: references[0]!, path };
    const parts: (string | Reference)[] = [];
    let at = 0;
    found.forEach((m, i) => {
      parts.push(value.slice(at, m.index), references[i]!);
      at = m.index + m[0].length;
    });
    parts.push(value.slice(at));
    return { kind: 'text', parts, path };
  }
  if (Array.isArray(value)) {
    const items = value.map((v, i) => templateOf(v, origin, [...path, i]));
    return items.every((t) => t.kind === 'static') ? { kind: 'static', value } : { kind: 'list', items };
  }
  if (!isObject(value)) return { kind: 'static', value };
  const entries = Object.entries(value).map(([key, v]): [string, Template] => {
    if (key.search(PLACEHOLDER) >= 0)
      throw new BundleError('BrokenManifest', {
        ...origin,
        path: pathText([...path, key]),
        message: 'placeholders may stand in values only, not in keys',
      });
    return [key, templateOf(v, origin, [...path, key])];
  });
  return entries.every(([, t]) => t.kind === 'static') ? { kind: 'static', value } : { kind: 'map', entries };
}

/** Every reference of a template, as `facts.x`. */
export function referencesOf(t: Template): string[] {
  const text = (r: Reference): string => [r.root, ...r.keys].join('.');
  switch (t.kind) {
    case 'static':
      return [];
    case 'whole':
      return [text(t.reference)];
    case 'text':
      return t.parts.flatMap((p) => (typeof p === 'string' ? [] : [text(p)]));
    case 'list':
      return t.items.flatMap(referencesOf);
    case 'map':
      return t.entries.flatMap(([, v]) => referencesOf(v));
  }
}

function lookUp(r: Reference, scope: Scope, origin: Origin, path: PropertyKey[]): Json {
  let at: Json = scope[r.root];
  r.keys.forEach((key, i) => {
    const inner = isObject(at) ? own(at, key) : undefined;
    if (inner === undefined) {
      const known = isObject(at) ? Object.keys(at).sort().join(', ') || 'nothing' : 'nothing';
      throw new BundleError('UnknownPlaceholder', {
        ...origin,
        path: pathText(path),
        message: `${r.text} is not known: ${[r.root, ...r.keys.slice(0, i)].join('.')} has ${known}`,
      });
    }
    at = inner;
  });
  return at;
}

/** Fills in the holes of a template. What is filled in is not looked at again. @throws {BundleError} `UnknownPlaceholder` */
export function fill(t: Template, scope: Scope, origin: Origin): Json {
  switch (t.kind) {
    case 'static':
      return t.value;
    case 'whole':
      // A copy: what is rendered is frozen, what was given is not ours.
      return copyOf(lookUp(t.reference, scope, origin, t.path));
    case 'text':
      return t.parts
        .map((p) => {
          if (typeof p === 'string') return p;
          const v = lookUp(p, scope, origin, t.path);
          if (typeof v !== 'object') return String(v);
          if (v === null) return '';
          throw new BundleError('UnknownPlaceholder', {
            ...origin,
            path: pathText(t.path),
            message: `${p.text} is ${Array.isArray(v) ? 'a list' : 'an object'}: it may stand alone only, not inside a text`,
          });
        })
        .join('');
    case 'list':
      return t.items.map((i) => fill(i, scope, origin));
    case 'map':
      return Object.fromEntries(t.entries.map(([k, v]) => [k, fill(v, scope, origin)]));
  }
}
