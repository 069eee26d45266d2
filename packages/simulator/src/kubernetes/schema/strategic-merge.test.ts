import { describe, expect, it } from 'vitest';
import { builtinSchema, StrategicPatchError, strategicMerge } from './index.ts';

const pod = builtinSchema('', 'v1', 'Pod')!;
const live = {
  metadata: { labels: { a: '1' }, finalizers: ['x/y', 'z/w'] },
  spec: {
    containers: [
      { name: 'a', image: 'one', args: ['-v'], env: [{ name: 'E', value: '1' }] },
      { name: 'b', image: 'two' },
    ],
    tolerations: [{ key: 'k' }],
  },
};
const merged = (patch: object): typeof live => strategicMerge(live, patch, pod) as unknown as typeof live;

describe('a strategic merge patch', () => {
  it('merges lists that have a merge key and replaces those that have none', () => {
    const { spec } = merged({ spec: { containers: [{ name: 'a', args: ['-q'] }], tolerations: [{ key: 'l' }] } });
    expect(spec.containers[0]).toEqual({ ...live.spec.containers[0], args: ['-q'] });
    expect(spec.containers[1]).toEqual(live.spec.containers[1]);
    expect(spec.tolerations).toEqual([{ key: 'l' }]);
  });

  it('deletes by null, and items by $patch: delete', () => {
    const { metadata, spec } = merged({
      metadata: { labels: null },
      spec: { containers: [{ name: 'b', $patch: 'delete' }] },
    });
    expect(metadata).toEqual({ finalizers: live.metadata.finalizers });
    expect(spec.containers.map(({ name }) => name)).toEqual(['a']);
  });

  it('replaces a map or a list that says $patch: replace', () => {
    const { metadata, spec } = merged({
      metadata: { labels: { $patch: 'replace', b: '2' } },
      spec: { containers: [{ $patch: 'replace' }, { name: 'c', image: 'three' }] },
    });
    expect(metadata.labels).toEqual({ b: '2' });
    expect(spec.containers).toEqual([{ name: 'c', image: 'three' }]);
  });

  it('joins and thins out lists of primitives', () => {
    const { metadata } = merged({
      metadata: { finalizers: ['n/m', 'x/y'], '$deleteFromPrimitiveList/finalizers': ['z/w'] },
    });
    expect(metadata.finalizers).toEqual(['x/y', 'n/m']);
  });

  it('puts items into the order that $setElementOrder asks for', () => {
    const { spec } = merged({
      spec: {
        '$setElementOrder/containers': [{ name: 'c' }, { name: 'b' }, { name: 'a' }],
        containers: [{ name: 'c', image: 'three' }],
      },
    });
    expect(spec.containers.map(({ name }) => name)).toEqual(['c', 'b', 'a']);
  });

  it('keeps only the fields that $retainKeys names', () => {
    const strategy = { rollingUpdate: { maxSurge: 1 }, type: 'RollingUpdate' };
    const patch = { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } };
    const after = strategicMerge({ spec: { strategy } }, patch, builtinSchema('apps', 'v1', 'Deployment'));
    expect(after).toEqual({ spec: { strategy: { type: 'Recreate' } } });
  });

  it('refuses a directive that it does not know', () => {
    expect(() => merged({ metadata: { $patch: 'bogus' } })).toThrow(StrategicPatchError);
  });

  it('does not change what it is given', () => {
    const copy = structuredClone(live);
    merged({ metadata: { labels: { b: '2' } }, spec: { containers: [{ name: 'a', image: 'x' }] } });
    expect(live).toEqual(copy);
  });
});
