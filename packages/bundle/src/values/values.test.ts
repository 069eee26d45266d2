import { describe, expect, it } from 'vitest';
import { bundleOf } from '../format/content.ts';
import { mergeValues } from './merge.ts';
import { resolveValues } from './schema.ts';
import { secretsInClear } from './secrets.ts';

const bundle = (schema: object | string | undefined, chart?: string) =>
  bundleOf([
    [
      'bundle.yaml',
      `apiVersion: bundle.shoto.dev/v1alpha1\nkind: Bundle\nname: a\nversion: 1.0.0\nkubernetes: ">=1.35"\ncontent: ${chart === undefined ? '{ manifests: m }' : '{ helm: { chart: chart } }'}\n`,
    ],
    ...(schema === undefined
      ? []
      : [['values.schema.json', typeof schema === 'string' ? schema : JSON.stringify(schema)] as const]),
    ...(chart === undefined ? [] : [['chart/values.yaml', chart] as const]),
  ]);
const SCHEMA = {
  type: 'object',
  additionalProperties: false,
  required: ['size'],
  properties: {
    size: { type: 'integer', minimum: 1 },
    mode: { enum: ['fast', 'safe'], default: 'safe' },
    agent: {
      type: 'object',
      additionalProperties: false,
      properties: { image: { type: 'string', default: 'agent' }, resources: { $ref: '#/$defs/resources' } },
    },
    store: { type: 'object', required: ['class'], properties: { class: { type: 'string' }, size: { default: '1Gi' } } },
    list: { type: 'array', items: { type: 'object', required: ['name'] } },
  },
  $defs: { resources: { type: 'object', properties: { cpu: { type: 'string', default: '100m' } } } },
};

describe('values', () => {
  it('lie over each other: objects merge, lists are replaced, null takes away', () => {
    expect(
      mergeValues(
        { a: { b: 1, c: [1, 2] }, d: 1 },
        undefined,
        { a: { c: [3], e: { f: null, g: 1 } }, d: null },
        { a: { b: 2 } },
      ),
    ).toEqual({ a: { b: 2, c: [3], e: { g: 1 } } });
  });

  it('get the defaults of the schema, those inside objects that are not given too', () => {
    expect(resolveValues(bundle(SCHEMA), { size: 2 })).toEqual({
      size: 2,
      mode: 'safe',
      agent: { image: 'agent', resources: { cpu: '100m' } },
    });
    expect(resolveValues(bundle(SCHEMA), { size: 2, store: { class: 'x' } })).toMatchObject({
      store: { class: 'x', size: '1Gi' },
    });
  });

  it('come out the same when they are given again', () => {
    const once = resolveValues(bundle(SCHEMA), { size: 2 });
    expect(resolveValues(bundle(SCHEMA), once)).toEqual(once);
  });

  it('lie over those of the chart', () => {
    const b = bundle(
      { type: 'object', properties: { replicas: { default: 2 } } },
      'replicas: 1\nimage: { name: a, tag: b }\n',
    );
    expect(resolveValues(b, { image: { tag: 'c' } })).toEqual({ replicas: 2, image: { name: 'a', tag: 'c' } });
  });

  it('are free where there is no schema', () => {
    expect(resolveValues(bundle(undefined), { anything: [1] })).toEqual({ anything: [1] });
  });

  it.each([
    [{}, 'values.size: required: give one'],
    [{ size: 0 }, 'values.size: must be >= 1'],
    [{ size: 1, mode: 'loud' }, 'values.mode: must be one of "fast", "safe"'],
    [{ size: 1, agent: { imag: 'hunter2' } }, 'values.agent.imag: unknown value: remove it, or mend its spelling'],
    [{ size: 1, list: [{ name: 'a' }, {}] }, 'values.list[1].name: required: give one'],
    [{ size: 'hunter2' }, 'values.size: must be integer'],
  ])('%j are refused with the path, and without the value', (given, message) => {
    expect(() => resolveValues(bundle(SCHEMA), given as never)).toThrow(message);
    expect(() => resolveValues(bundle(SCHEMA), given as never)).not.toThrow('hunter2');
  });

  it.each([
    ['{', /values.schema.json: is no JSON/],
    [{ type: 'array' }, /type: must be "object"/],
    [{ type: 'object', properties: { a: { type: 'strong' } } }, /is no JSON Schema/],
    [{ type: 'object', properties: { a: { $ref: 'https://example.com/a' } } }, /is no JSON Schema/],
  ])('cannot be checked with the schema %j', (schema, message) => {
    expect(() => resolveValues(bundle(schema), {})).toThrow(message);
  });

  it('are not checked for ever: a schema is not trusted', () => {
    const b = bundle({ type: 'object', properties: { a: { type: 'string', pattern: '^(a+)+$' } } });
    expect(() => resolveValues(b, { a: `${'a'.repeat(40)}!` })).toThrow('checking values takes longer than 500 ms');
  });
});

describe('a secret in clear', () => {
  it('is warned of by its path, without its text', () => {
    const found = secretsInClear({
      adminPassword: 'x',
      a: [{ token: 'x' }, { apiKey: 'x', 'private-key': 'x' }],
      s3: { secretKey: '', accessKey: 'x' },
    });
    expect(found.map((f) => f.path)).toEqual([
      'values.adminPassword',
      'values.a[0].token',
      'values.a[1].apiKey',
      'values.a[1].private-key',
      'values.s3.accessKey',
    ]);
    expect(found[0]!.message).toContain('valuesFrom');
  });
  it('is none where only a Secret is named, or where it is', () => {
    expect(
      secretsInClear({
        secretName: 'a',
        existingSecret: 'a',
        tokenFile: '/a',
        passwordRef: 'b',
        password: '{{values.x}}',
        secret: { a: 1 },
        tokens: 5,
      }),
    ).toEqual([]);
  });
});
