import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { isObject, type JsonObject } from '../json.ts';

const FOLDER = new URL('../../../../data/openapi/', import.meta.url);

/** The generated data is read when it is first asked for, once in a process, however many clusters the process serves. */
function lazily<T>(load: () => T): () => T {
  let value: T | undefined;
  return () => {
    value ??= load();
    return value;
  };
}

const readPacked = (file: string): unknown => JSON.parse(gunzipSync(readFileSync(new URL(file, FOLDER))).toString());

/** The documents of Kubernetes, by their path below /openapi/v3, e.g. `apis/apps/v1`. */
export const documentIndex = lazily(
  () =>
    JSON.parse(readFileSync(new URL('index.json', FOLDER), 'utf8')) as Record<string, { hash: string; file: string }>,
);

/** Every schema of every document by its name, e.g. `io.k8s.api.core.v1.Pod`. */
export const builtinSchemas = lazily(() => readPacked('schemas.json.gz') as Record<string, JsonObject>);

/** One document's paths and the names of its schemas. */
export interface BuiltinDocument {
  schemas: string[];
  paths: Record<string, JsonObject>;
}

const documents = new Map<string, BuiltinDocument>();

/** The document at a path below /openapi/v3; undefined when Kubernetes has none there. */
export function builtinDocument(path: string): BuiltinDocument | undefined {
  let document = documents.get(path);
  if (document !== undefined) return document;
  const entry = Object.hasOwn(documentIndex(), path) ? documentIndex()[path] : undefined;
  if (entry === undefined) return undefined;
  const packed = readPacked(entry.file) as { schemas: string[]; paths: JsonObject; shared: unknown[] };
  document = { schemas: packed.schemas, paths: unshare(packed.paths, packed.shared) as Record<string, JsonObject> };
  documents.set(path, document);
  return document;
}

/** Puts the parameters and answers back that the packing replaced by numbers. */
function unshare(value: unknown, shared: readonly unknown[]): unknown {
  if (Array.isArray(value)) return value.map((item) => unshare(item, shared));
  if (!isObject(value)) return value;
  const out: JsonObject = {};
  for (const [key, item] of Object.entries(value)) {
    if (key === 'responses' && typeof item === 'number') out[key] = shared[item];
    else if (key === 'parameters' && Array.isArray(item)) out[key] = item.map((n: number) => shared[n]);
    else out[key] = unshare(item, shared);
  }
  return out;
}

/** All the schemas that these ones refer to, directly or not, themselves included. */
export function referencedSchemas(roots: Iterable<unknown>): Record<string, JsonObject> {
  const all = builtinSchemas();
  const found: Record<string, JsonObject> = {};
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) for (const item of value) visit(item);
    else if (isObject(value)) {
      for (const [key, item] of Object.entries(value)) {
        if (key !== '$ref' || typeof item !== 'string') visit(item);
        else {
          const name = item.slice(item.lastIndexOf('/') + 1);
          const schema = all[name];
          if (schema !== undefined && found[name] === undefined) {
            found[name] = schema;
            visit(schema);
          }
        }
      }
    }
  };
  for (const root of roots) visit(root);
  return found;
}
