import { isDeepStrictEqual } from 'node:util';
import type { JsonPatchOperation } from '../format/manifest.ts';
import { copyOf, isObject, type Json, type JsonObject, own } from '../json.ts';

/** JSON Merge Patch (RFC 7386): null takes away, objects are merged, everything else is put in place. Gives a new value. */
export function mergePatch(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const result = new Map<string, Json>(isObject(target) ? Object.entries(target) : []);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) result.delete(key);
    else result.set(key, mergePatch(result.get(key), value));
  }
  return Object.fromEntries(result);
}

/** A JSON Patch that cannot be applied; the message says which operation and why. */
export class PatchError extends Error {
  readonly operation: number;
  constructor(operation: number, message: string) {
    super(message);
    this.name = 'PatchError';
    this.operation = operation;
  }
}

/** Keys of a JSON Pointer (RFC 6901). */
function pointer(text: string): string[] {
  if (text === '') return [];
  if (!text.startsWith('/')) throw new Error(`${JSON.stringify(text)} is no JSON pointer: it begins with /`);
  return text
    .slice(1)
    .split('/')
    .map((k) => k.replace(/~1/g, '/').replace(/~0/g, '~'));
}

const nothingAt = (path: string): Error => new Error(`there is nothing at ${path}`);

/** Place in a list. @param last - the greatest that may be meant */
function index(key: string, last: number, path: string): number {
  if (!/^(0|[1-9][0-9]{0,8})$/.test(key)) throw new Error(`${JSON.stringify(key)} of ${path} is no place in a list`);
  if (Number(key) > last) throw nothingAt(path);
  return Number(key);
}

function get(doc: Json, path: string): Json {
  let at = doc;
  for (const key of pointer(path)) {
    const inner = Array.isArray(at) ? at[index(key, at.length - 1, path)] : isObject(at) ? own(at, key) : undefined;
    if (inner === undefined) throw nothingAt(path);
    at = inner;
  }
  return at;
}

/** What holds the last key of a path, and that key. */
function holder(doc: Json, path: string): { parent: Json[] | JsonObject; key: string } {
  const keys = pointer(path);
  const key = keys.pop()!;
  const parent = get(doc, path.slice(0, path.lastIndexOf('/')));
  if (typeof parent !== 'object' || parent === null) throw nothingAt(path);
  if (key === '__proto__') throw new Error('__proto__ may not be a key');
  return { parent, key };
}

function add(doc: Json, path: string, value: Json): Json {
  if (path === '') return value;
  const { parent, key } = holder(doc, path);
  if (Array.isArray(parent)) parent.splice(key === '-' ? parent.length : index(key, parent.length, path), 0, value);
  else parent[key] = value;
  return doc;
}

function remove(doc: Json, path: string): void {
  get(doc, path);
  const { parent, key } = holder(doc, path);
  if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else delete parent[key];
}

function step(doc: Json, op: JsonPatchOperation): Json {
  switch (op.op) {
    case 'add':
      return add(doc, op.path, copyOf(op.value));
    case 'remove':
      if (op.path === '') throw new Error('the whole object cannot be removed');
      remove(doc, op.path);
      return doc;
    case 'replace':
      if (op.path === '') return copyOf(op.value);
      {
        get(doc, op.path);
        const { parent, key } = holder(doc, op.path);
        (parent as Record<string, Json>)[key] = copyOf(op.value);
      }
      return doc;
    case 'copy':
      return add(doc, op.path, copyOf(get(doc, op.from)));
    case 'move': {
      if (op.path === op.from) return doc;
      if (op.path.startsWith(`${op.from}/`)) throw new Error(`${op.from} cannot be moved into itself`);
      const value = get(doc, op.from);
      if (op.from === '') throw new Error('the whole object cannot be moved');
      remove(doc, op.from);
      return add(doc, op.path, value);
    }
    case 'test':
      if (!isDeepStrictEqual(get(doc, op.path), op.value))
        throw new Error(`what is at ${op.path} is not what the test says`);
      return doc;
  }
}

/** JSON Patch (RFC 6902), all or nothing. Gives a new value. @throws {PatchError} */
export function jsonPatch(target: Json, operations: readonly JsonPatchOperation[]): Json {
  let doc = copyOf(target);
  operations.forEach((op, i) => {
    try {
      doc = step(doc, op);
    } catch (e) {
      throw new PatchError(i, (e as Error).message);
    }
  });
  return doc;
}
