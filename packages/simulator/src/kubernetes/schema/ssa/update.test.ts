import { describe, expect, it } from 'vitest';
import { compileSchema, serverSideApply, trackUpdate } from '../index.ts';
import type { JsonObject } from '../json.ts';

const schema = compileSchema({
  type: 'object',
  properties: {
    spec: { type: 'object', properties: { size: { type: 'integer' }, name: { type: 'string' } } },
    status: { type: 'object', properties: { phase: { type: 'string' } } },
  },
});
const apiVersion = 'example.dev/v1';
const at = (second: number): string => `2026-01-01T00:00:${String(second).padStart(2, '0')}Z`;

interface Entry {
  manager: string;
  time?: string;
  fieldsV1: JsonObject;
}
const entries = (object: object): Entry[] =>
  ((object as { metadata: { managedFields?: Entry[] } }).metadata.managedFields ?? []) as Entry[];

function write(before: JsonObject | undefined, spec: JsonObject, manager: string, second: number): JsonObject {
  const after: JsonObject = { apiVersion, kind: 'Thing', metadata: { name: 't', uid: 'u' }, spec };
  trackUpdate({ before, after, manager, apiVersion, schema, now: at(second) });
  return after;
}

describe('tracking of writes', () => {
  it('leaves identity, versions and times of the object to nobody', () => {
    const created = write(undefined, { size: 1 }, 'a', 1);
    expect(entries(created).map(({ fieldsV1 }) => fieldsV1)).toEqual([{ 'f:spec': { '.': {}, 'f:size': {} } }]);
  });

  it('moves a changed field to whoever changed it and forgets managers that own nothing any more', () => {
    let object = write(undefined, { size: 1 }, 'a', 1);
    object = write(object, { size: 2 }, 'b', 2);
    expect(entries(object).map(({ manager, fieldsV1 }) => [manager, fieldsV1])).toEqual([
      ['a', { 'f:spec': {} }],
      ['b', { 'f:spec': { 'f:size': {} } }],
    ]);
  });

  it('changes nothing, not even a time, when nothing changes', () => {
    const object = write(undefined, { size: 1 }, 'a', 1);
    expect(entries(write(object, { size: 1 }, 'a', 9))).toEqual(entries(object));
    expect(entries(write(object, { size: 1 }, 'b', 9))).toEqual(entries(object));
  });

  it('folds the oldest entries into one when more than ten managers write', () => {
    let object = write(undefined, { name: 'x' }, 'first', 0);
    for (let i = 1; i <= 12; i++) {
      const spec = { name: 'x' };
      const labels = Object.fromEntries(Array.from({ length: i }, (_, n) => [`l${n}`, 'v']));
      const after: JsonObject = { apiVersion, kind: 'Thing', metadata: { name: 't', uid: 'u', labels }, spec };
      trackUpdate({ before: object, after, manager: `m${i}`, apiVersion, schema, now: at(i) });
      object = after;
    }
    expect(entries(object)).toHaveLength(10);
    expect(entries(object).map(({ manager }) => manager)).toContain('ancient-changes');
  });

  it('begins with all that is there when an object that nobody tracked is applied to', () => {
    const live = { apiVersion, kind: 'Thing', metadata: { name: 't', uid: 'u' }, spec: { size: 1, name: 'n' } };
    const applied = { apiVersion, kind: 'Thing', metadata: { name: 't' }, spec: { size: 2 } };
    const request = { live, applied, manager: 'm', apiVersion, schema, now: at(1) };
    expect(serverSideApply({ ...request, force: false })).toMatchObject({
      message: 'Apply failed with 1 conflict: conflict with "before-first-apply" using example.dev/v1: .spec.size',
    });
    const forced = serverSideApply({ ...request, force: true }) as { object: JsonObject };
    expect(forced.object.spec).toEqual({ size: 2, name: 'n' });
    expect(entries(forced.object).map(({ manager }) => manager)).toEqual(['m', 'before-first-apply']);
  });

  it('does not change what it is given', () => {
    const live = write(undefined, { size: 1 }, 'a', 1);
    const applied = { apiVersion, kind: 'Thing', metadata: { name: 't' }, spec: { size: 1, name: 'n' } };
    const copies = structuredClone([live, applied]);
    serverSideApply({ live, applied, manager: 'm', force: false, apiVersion, schema, now: at(2) });
    expect([live, applied]).toEqual(copies);
  });
});
