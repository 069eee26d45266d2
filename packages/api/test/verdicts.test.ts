import { describe, expect, it } from 'vitest';
import { InvalidObjectError, KINDS, parseObject, type Subject } from '../src/index.ts';
import { aCluster, verdicts } from './verdicts.ts';

const kindOf = (name: string) => KINDS.find((k) => k.kind === name)!;
const refusal = (fn: () => unknown): InvalidObjectError | undefined => {
  try {
    fn();
    return undefined;
  } catch (e) {
    if (e instanceof InvalidObjectError) return e;
    throw e;
  }
};

describe('the parser', () => {
  for (const v of verdicts.filter((x) => !x.blames))
    it(`takes ${v.title}`, () => {
      const before = v.before ? (parseObject(kindOf(v.kind), v.before) as Subject<unknown>) : undefined;
      expect(
        refusal(() => parseObject(kindOf(v.kind), v.object, before ? { before, strict: true } : { strict: true })),
      ).toBeUndefined();
    });
  for (const v of verdicts.filter((x) => x.blames))
    it(`refuses ${v.title} and blames ${v.blames}`, () => {
      const before = v.before ? (parseObject(kindOf(v.kind), v.before) as Subject<unknown>) : undefined;
      const error = refusal(() => parseObject(kindOf(v.kind), v.object, before ? { before } : {}));
      expect(error?.problems.map((p) => p.field)).toContain(v.blames);
    });

  it('names every problem at once, with the value and the mend', () => {
    const error = refusal(() =>
      parseObject(kindOf('Cluster'), aCluster({ release: 'latest', controlPlane: { count: 2 } }), { strict: true }),
    );
    expect(error?.problems).toEqual([
      { field: 'spec.release', reason: 'Invalid', message: expect.stringContaining('"latest" must match') },
      { field: 'spec.controlPlane.flavor', reason: 'Required', message: 'required: give a string' },
    ]);
  });

  it('refuses unknown fields at the door, and drops them elsewhere', () => {
    const object = aCluster({ nodePool: [], network: { podCidr: '10.0.0.0/8' } });
    expect(
      refusal(() => parseObject(kindOf('Cluster'), object, { strict: true }))?.problems.map((p) => [p.field, p.reason]),
    ).toEqual([
      ['spec.nodePool', 'Unknown'],
      ['spec.network.podCidr', 'Unknown'],
    ]);
    expect(refusal(() => parseObject(kindOf('Cluster'), object))).toBeUndefined();
  });

  it('takes values of an addon up to 32 KiB, and blames what is longer; the admission webhook asks it too', () => {
    const sized = (bytes: number) =>
      aCluster({ addons: [{ name: 'a', values: { text: 'é'.repeat((bytes - 11) / 2) } }] });
    expect(refusal(() => parseObject(kindOf('Cluster'), sized(32_767), { strict: true }))).toBeUndefined();
    expect(refusal(() => parseObject(kindOf('Cluster'), sized(32_769), { strict: true }))?.problems).toEqual([
      { field: 'spec.addons[0].values', reason: 'Invalid', message: expect.stringContaining('32 KiB of JSON at most') },
    ]);
  });

  it('keeps values as they are', () => {
    const values = { a: { b: [1, null, 'x', { c: false }] }, 'with-dash': {} };
    const parsed = parseObject(kindOf('Cluster'), aCluster({ addons: [{ name: 'a', values }] }), { strict: true });
    expect((parsed.spec as { addons: unknown }).addons).toEqual([{ name: 'a', values }]);
  });

  it('fills in defaults', () => {
    const { spec } = parseObject(kindOf('Cluster'), aCluster());
    expect(spec).toMatchObject({
      paused: false,
      network: { podCIDR: '10.244.0.0/16', serviceCIDR: '10.96.0.0/12', nodeCIDR: '10.8.0.0/16' },
    });
  });
});
