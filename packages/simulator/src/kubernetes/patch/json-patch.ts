import { badRequest, StatusError } from '../status.ts';
import type { Json } from '../types.ts';
import { clone, equal, isRecord } from '../util/json.ts';

/** kube-apiserver does not say what was wrong. */
const unprocessable = (): StatusError =>
  new StatusError(422, 'Invalid', 'the server rejected our request due to an error in our request');

function steps(pointer: unknown): string[] {
  if (typeof pointer !== 'string' || (pointer !== '' && !pointer.startsWith('/')))
    throw badRequest(`invalid JSON patch path: ${JSON.stringify(pointer)}`);
  return pointer === ''
    ? []
    : pointer
        .slice(1)
        .split('/')
        .map((s) => s.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function index(step: string, length: number): number {
  if (!/^(0|[1-9]\d*)$/.test(step) || Number(step) > length) throw unprocessable();
  return Number(step);
}

function read(document: unknown, path: string[]): unknown {
  let here = document;
  for (const step of path) {
    if (Array.isArray(here)) here = here[index(step, here.length - 1)];
    else if (isRecord(here) && Object.hasOwn(here, step)) here = here[step];
    else throw unprocessable();
  }
  return here;
}

function add(document: unknown, path: string[], value: unknown): unknown {
  const last = path[path.length - 1];
  if (last === undefined) return value;
  const parent = read(document, path.slice(0, -1));
  if (Array.isArray(parent)) parent.splice(last === '-' ? parent.length : index(last, parent.length), 0, value);
  else if (isRecord(parent)) parent[last] = value;
  else throw unprocessable();
  return document;
}

function remove(document: unknown, path: string[]): unknown {
  const last = path[path.length - 1];
  if (last === undefined) return null;
  const parent = read(document, path.slice(0, -1));
  if (Array.isArray(parent)) parent.splice(index(last, parent.length - 1), 1);
  else if (isRecord(parent) && Object.hasOwn(parent, last)) delete parent[last];
  else throw unprocessable();
  return document;
}

/**
 * Applies an RFC 6902 patch to a copy of `document`.
 * @throws {StatusError} 422 when a test fails or a path is missing, as kube-apiserver answers; 400 when the patch itself is malformed
 */
export function applyJsonPatch(document: Json, patch: unknown): Json {
  if (!Array.isArray(patch))
    throw badRequest('error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch');
  if (patch.length > 10_000)
    throw new StatusError(
      413,
      'RequestEntityTooLarge',
      `The allowed maximum operations in a JSON patch is 10000, got ${patch.length}`,
    );
  let result: unknown = clone(document);
  for (const operation of patch as unknown[]) {
    if (!isRecord(operation)) throw badRequest('error decoding patch: an operation is not an object');
    const path = steps(operation.path);
    const op = String(operation.op);
    switch (op) {
      case 'add':
        result = add(result, path, clone(operation.value));
        break;
      case 'remove':
        result = remove(result, path);
        break;
      case 'replace': {
        read(result, path);
        if (path.length === 0) result = clone(operation.value);
        else {
          const parent = read(result, path.slice(0, -1));
          const last = path[path.length - 1] as string;
          if (Array.isArray(parent)) parent[Number(last)] = clone(operation.value);
          else (parent as Json)[last] = clone(operation.value);
        }
        break;
      }
      case 'move':
      case 'copy': {
        const from = steps(operation.from);
        const value = clone(read(result, from));
        if (op === 'move') result = remove(result, from);
        result = add(result, path, value);
        break;
      }
      case 'test': {
        let found: unknown;
        try {
          found = read(result, path);
        } catch {
          found = null;
        }
        if (!equal(found, operation.value ?? null)) throw unprocessable();
        break;
      }
      default:
        throw badRequest(`unexpected kind of JSON patch operation: ${op}`);
    }
  }
  if (!isRecord(result)) throw badRequest('the patched document is not an object');
  return result;
}
