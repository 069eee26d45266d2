import { describe, expect, it } from 'vitest';
import recorded from '../fixtures/field-ownership.json' with { type: 'json' };
import validation from '../fixtures/validation.json' with { type: 'json' };
import {
  builtinSchema,
  type CompiledSchema,
  compileSchema,
  serverSideApply,
  strategicMerge,
  TypedValueError,
  trackUpdate,
} from '../index.ts';
import { cloneJson, isObject, type JsonObject } from '../json.ts';

interface Step {
  op: 'apply' | 'create' | 'merge' | 'strategic';
  manager: string;
  force?: boolean;
  subresource?: string;
  body: JsonObject;
  code: number;
  object?: JsonObject;
  message?: string;
  causes?: { field: string; message: string }[];
}

const sequences = recorded.sequences as unknown as { name: string; kind: string; apiVersion: string; steps: Step[] }[];
const NOW = '2026-01-02T03:04:05Z';

function schemaOf(apiVersion: string, kind: string): CompiledSchema {
  if (kind === 'Cluster') return compileSchema(validation.crd.spec.versions[0]!.schema.openAPIV3Schema);
  const [version, group = ''] = apiVersion.split('/').reverse();
  return builtinSchema(group, version!, kind)!;
}

/** Entries by manager; when something happened is compared only as far as there is a time. */
function ownership(object: JsonObject | undefined): JsonObject[] {
  const meta = object?.metadata;
  const entries = isObject(meta) && Array.isArray(meta.managedFields) ? (meta.managedFields as JsonObject[]) : [];
  return entries
    .map((entry) => ({ ...entry, time: entry.time === undefined ? 'none' : 'some' }))
    .toSorted((a, b) => (JSON.stringify(name(a)) < JSON.stringify(name(b)) ? -1 : 1));
}
const name = (entry: JsonObject): unknown[] => [entry.manager, entry.operation, entry.subresource ?? ''];

function withoutOwnership(object: JsonObject | undefined): JsonObject {
  const copy = cloneJson(object ?? {});
  if (isObject(copy.metadata)) delete copy.metadata.managedFields;
  return copy;
}

/** The real server also fills in the defaults of built-in types, so its object may say more, but nothing else. */
function expectContained(ours: unknown, theirs: unknown, path = ''): void {
  if (Array.isArray(ours) && Array.isArray(theirs)) {
    expect(ours.length, path).toBe(theirs.length);
    ours.forEach((item, i) => {
      expectContained(item, theirs[i], `${path}[${i}]`);
    });
  } else if (isObject(ours) && isObject(theirs)) {
    for (const key of Object.keys(ours)) expectContained(ours[key], theirs[key], `${path}.${key}`);
  } else expect(ours, path).toEqual(theirs);
}

describe(`field ownership is tracked as by ${recorded.server}`, () => {
  for (const { name: title, kind, apiVersion, steps } of sequences) {
    const schema = schemaOf(apiVersion, kind);
    let live: JsonObject | undefined;
    for (const [i, step] of steps.entries()) {
      const before = live;
      if (step.object !== undefined) live = step.object;
      const { manager, subresource } = step;
      const common = { manager, subresource, apiVersion, schema, now: NOW };
      if (step.op === 'apply') {
        it(`${title}, step ${i + 1}: ${manager} applies and gets ${step.code}`, () => {
          const apply = (): ReturnType<typeof serverSideApply> =>
            serverSideApply({ ...common, live: before, applied: step.body, force: step.force ?? false });
          if (step.code === 500) return expect(apply).toThrow(new TypedValueError(step.message!));
          const result = apply();
          if ('conflicts' in result) {
            expect(result.message).toBe(step.message);
            expect(result.conflicts.map(({ field, message }) => ({ field, message }))).toEqual(
              step.causes?.map(({ field, message }) => ({ field, message })),
            );
            return;
          }
          expect(ownership(result.object)).toEqual(ownership(step.object));
          const object = withoutOwnership(result.object);
          // A write to the main resource does not touch the status, nor the other way round.
          if (subresource === undefined) delete object.status;
          const theirs = withoutOwnership(step.object);
          if (subresource === undefined) delete theirs.status;
          // The API server puts in the namespace of the request on a create.
          if (before === undefined) delete (theirs.metadata as JsonObject).namespace;
          if (kind === 'Cluster') {
            schema.applyDefaults(object);
            expect(object).toEqual(theirs);
          } else expectContained(object, theirs);
        });
      } else if (step.object !== undefined) {
        it(`${title}, step ${i + 1}: ${manager} writes (${step.op})`, () => {
          const after = cloneJson(step.object!);
          const sent = isObject(step.body.metadata) ? step.body.metadata.managedFields : undefined;
          const meta = after.metadata as JsonObject;
          meta.managedFields = sent ?? (before?.metadata as JsonObject | undefined)?.managedFields;
          // Admission adds the taint of a node that is not ready yet after ownership was recorded.
          if (kind === 'Node' && before === undefined) delete (after.spec as JsonObject).taints;
          trackUpdate({ ...common, before, after });
          expect(ownership(after)).toEqual(ownership(step.object));
        });
      }
      if (step.op === 'strategic') {
        it(`${title}, step ${i + 1}: the patch gives what it gave there`, () => {
          const merge = (): JsonObject => strategicMerge(before!, step.body, schema);
          if (step.code === 500) return expect(merge).toThrow(step.message);
          const merged = withoutOwnership(merge());
          if (step.subresource === undefined) delete merged.status;
          expectContained(merged, withoutOwnership(step.object));
        });
      }
    }
  }
});
