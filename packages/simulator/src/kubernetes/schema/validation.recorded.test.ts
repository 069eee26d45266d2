import { describe, expect, it } from 'vitest';
import recorded from './fixtures/validation.json' with { type: 'json' };
import { compileSchema, type FieldError } from './index.ts';
import { cloneJson, type JsonObject } from './json.ts';

interface Answer {
  name: string;
  code: number;
  stored?: JsonObject;
  causes?: { reason: string; field: string; message: string }[];
}

/** What a real kube-apiserver said to each request, beside the same object judged by this package. */
const schema = compileSchema(recorded.crd.spec.versions[0]!.schema.openAPIV3Schema);
const byField = (a: { field: string; message: string }, b: { field: string; message: string }): number =>
  `${a.field} ${a.message}` < `${b.field} ${b.message}` ? -1 : 1;

function admit(object: JsonObject, old?: JsonObject): { stored: JsonObject; errors: FieldError[] } {
  const stored = cloneJson(object);
  schema.prune(stored);
  schema.applyDefaults(stored);
  return { stored, errors: schema.validate(stored, old) };
}

function expectSame(answer: Answer, outcome: { stored: unknown; errors: FieldError[] }): void {
  const causes = answer.causes?.map(({ reason, field, message }) => ({ type: reason, field, message })) ?? [];
  expect(outcome.errors.toSorted(byField)).toEqual(causes.toSorted(byField));
  if (answer.stored !== undefined) expect(outcome.stored).toEqual(answer.stored);
}

describe(`custom resources are judged as by ${recorded.server}`, () => {
  const creates = recorded.creates as unknown as (Answer & { spec?: JsonObject; object?: JsonObject })[];
  it.each(creates)('create: $name', (answer) => {
    const object = answer.object ?? {
      apiVersion: 'shoto.dev/v1alpha1',
      kind: 'Cluster',
      metadata: { name: 'c' },
      spec: answer.spec,
    };
    const outcome = admit(object);
    const { metadata: _metadata, status: _status, ...whole } = outcome.stored;
    expectSame(answer, { errors: outcome.errors, stored: answer.object === undefined ? outcome.stored.spec : whole });
  });

  const updates = recorded.updates as unknown as (Answer & { before: JsonObject; after: JsonObject })[];
  it.each(updates)('update: $name', (answer) => {
    const before = admit({ spec: answer.before }).stored;
    const outcome = admit({ spec: answer.after }, before);
    expectSame(answer, { errors: outcome.errors, stored: outcome.stored.spec });
  });
});
