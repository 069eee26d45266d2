import { describe, expect, it } from 'vitest';
import type { Choosable } from './choose.ts';
import { type PlanInput, planAddons } from './plan.ts';

type Extra = Partial<Omit<Choosable['spec'], 'addon' | 'version' | 'kubernetes'>>;
const bundle = (addon: string, version: string, kubernetes = '>=1.30', extra: Extra = {}): Choosable => ({
  spec: { addon, version, kubernetes, ...extra },
});
const needs = (...names: string[]): Extra => ({
  dependsOn: names.map((n) => {
    const [name, version] = n.split(' ', 2);
    return version ? { name: name!, version: n.slice(name!.length + 1) } : { name: name! };
  }),
});
const plan = (
  names: (string | PlanInput<Choosable>['wanted'][number])[],
  bundles: Choosable[],
  more: Partial<PlanInput<Choosable>> = {},
) =>
  planAddons({
    wanted: names.map((n) => (typeof n === 'string' ? { name: n } : n)),
    bundles,
    applied: {},
    current: 'v1.35.4',
    ...more,
  });
const shape = (p: ReturnType<typeof plan>) =>
  p.addons.map((a) => `${a.name} ${a.action} ${a.applied ?? '-'} -> ${a.bundle?.spec.version ?? '-'}`);
const blocks = (p: ReturnType<typeof plan>) => p.blocked.map((b) => `${b.addon} ${b.reason}`);

describe('the plan of a cluster’s addons', () => {
  const flannel = [
    bundle('flannel', '1.0.0', '>=1.34 <1.37'),
    bundle('flannel', '2.0.0', '>=1.35 <1.36'),
    bundle('flannel', '3.0.0', '>=1.36'),
  ];

  it('installs the newest that fits, and keeps what is that', () => {
    expect(shape(plan(['flannel'], flannel))).toEqual(['flannel install - -> 2.0.0']);
    const kept = plan(['flannel'], flannel, { applied: { flannel: '2.0.0' } });
    expect(shape(kept)).toEqual(['flannel keep 2.0.0 -> 2.0.0']);
    expect(kept.settled).toBe(true);
  });

  it('moves before an upgrade what would not fit after it, to what fits both versions', () => {
    const p = plan(['flannel'], flannel, { applied: { flannel: '2.0.0' }, next: 'v1.36.2' });
    expect(shape(p)).toEqual(['flannel downgrade 2.0.0 -> 1.0.0']);
    expect(p.addons[0]!.because).toBe('2.0.0 does not fit Kubernetes v1.36.2');
    expect(p.settled).toBe(false);
    expect(plan(['flannel'], flannel, { applied: { flannel: '1.0.0' }, next: 'v1.36.2' }).settled).toBe(true);
  });

  it('moves on after the upgrade', () => {
    expect(shape(plan(['flannel'], flannel, { applied: { flannel: '1.0.0' }, current: 'v1.36.2' }))).toEqual([
      'flannel update 1.0.0 -> 3.0.0',
    ]);
  });

  it('blocks an upgrade by name where nothing fits both versions, and leaves what is applied', () => {
    const p = plan(['flannel'], flannel, {
      applied: { flannel: '1.0.0' },
      current: 'v1.36.2',
      next: 'v1.37.0',
      bundles: flannel.slice(0, 2),
    });
    expect(shape(p)).toEqual(['flannel keep 1.0.0 -> 1.0.0']);
    expect(p.blocked).toEqual([
      {
        addon: 'flannel',
        reason: 'NoBundleFitsNext',
        message:
          'no published bundle of flannel fits Kubernetes v1.36.2 and v1.37.0 (2.0.0 is for >=1.35 <1.36, 1.0.0 is for >=1.34 <1.37): publish one, or choose another version',
        holdsAddon: false,
      },
    ]);
    expect(p.settled).toBe(false);
  });

  it('says where a range meets no release on offer', () => {
    const p = plan(['flannel'], [bundle('flannel', '9.0.0', '>=1.99')], { offered: ['v1.35.4', 'v1.36.2'] });
    expect(blocks(p)).toEqual(['flannel RangeUnmet']);
    expect(p.blocked[0]!.message).toContain('any release on offer (v1.35.4, v1.36.2) (9.0.0 is for >=1.99)');
  });

  it('gives a cluster on a release that is withdrawn what fits it all the same', () => {
    const p = plan(['flannel'], [bundle('flannel', '9.0.0', '1.35')], { offered: ['v1.36.2'] });
    expect(shape(p)).toEqual(['flannel install - -> 9.0.0']);
    expect(p.settled).toBe(false);
    expect(p.blocked).toEqual([]);
  });

  it('tells an unknown name, an unknown version, an empty channel and a version that does not fit apart', () => {
    const edge = bundle('calico', '1.0.0', '>=1.30', { channel: 'edge' });
    const p = plan(
      ['flanel', { name: 'flannel', version: '7.0.0' }, 'calico', { name: 'x', version: '1.0.0' }],
      [...flannel, edge, bundle('x', '1.0.0', '<1.30')],
    );
    expect(Object.fromEntries(p.blocked.map((b) => [b.addon, `${b.reason}: ${b.message}`]))).toEqual({
      flanel: 'NoBundle: no bundle of flanel is published: publish one, or mend the name',
      flannel: 'NoBundle: flannel 7.0.0 is not published; there is 1.0.0, 2.0.0, 3.0.0',
      calico: 'NoBundle: no bundle of calico is on channel stable; there is 1.0.0 (edge)',
      x: 'NoBundleFits: no published bundle of x 1.0.0 fits Kubernetes v1.35.4 (1.0.0 is for <1.30): publish one, or choose another version',
    });
  });

  it('passes over a bundle that this cluster may not get, but leaves it where it is applied', () => {
    const all = [bundle('a', '1.0.0'), bundle('a', '2.0.0')];
    const refused = (b: Choosable) => (b.spec.version === '2.0.0' ? 'it is not signed' : undefined);
    expect(shape(plan(['a'], all, { refused }))).toEqual(['a install - -> 1.0.0']);
    expect(shape(plan(['a'], all, { refused, applied: { a: '2.0.0' } }))).toEqual(['a keep 2.0.0 -> 2.0.0']);
    const p = plan([{ name: 'a', version: '2.0.0' }], all, { refused });
    expect(p.blocked[0]!.message).toContain('2.0.0 is refused: it is not signed');
  });

  it('leaves a paused addon, which blocks an upgrade that it does not fit', () => {
    const wanted = [{ name: 'flannel', paused: true }];
    const p = plan(wanted, flannel, { applied: { flannel: '1.0.0' } });
    expect(shape(p)).toEqual(['flannel hold 1.0.0 -> 1.0.0']);
    expect(p.settled).toBe(true);
    expect(blocks(plan(wanted, flannel, { applied: { flannel: '2.0.0' }, next: 'v1.36.2' }))).toEqual([
      'flannel Paused',
    ]);
  });
});

describe('addons that need each other', () => {
  it('come in waves: first what is needed', () => {
    const p = plan(
      ['grafana', 'prometheus', 'cni', 'csi'],
      [
        bundle('cni', '1.0.0'),
        bundle('csi', '1.0.0', '>=1.30', needs('cni')),
        bundle('prometheus', '1.0.0', '>=1.30', needs('cni', 'csi')),
        bundle('grafana', '1.0.0', '>=1.30', needs('prometheus >=1.0.0')),
      ],
    );
    expect(p.waves).toEqual([['cni'], ['csi'], ['prometheus'], ['grafana']]);
    expect(p.blocked).toEqual([]);
  });

  it('are the newest whose needs are met', () => {
    const all = [
      bundle('snapshots', '7.0.0'),
      bundle('csi', '1.0.0', '>=1.30', needs('snapshots')),
      bundle('csi', '2.0.0', '>=1.30', needs('snapshots >=8')),
    ];
    expect(shape(plan(['csi', 'snapshots'], all))).toEqual(['snapshots install - -> 7.0.0', 'csi install - -> 1.0.0']);
  });

  it('are blocked where what they need is not asked for, has another version, or is blocked itself', () => {
    const csi = bundle('csi', '2.0.0', '>=1.30', needs('snapshots >=8'));
    const missing = plan(['csi'], [csi]);
    expect(blocks(missing)).toEqual(['csi DependencyMissing']);
    expect(missing.blocked[0]!.message).toBe('csi 2.0.0 needs snapshots >=8, which the cluster does not have: add it');
    const old = plan(['csi', 'snapshots'], [csi, bundle('snapshots', '7.0.0')]);
    expect(old.blocked.map((b) => b.message)).toEqual([
      'csi 2.0.0 needs snapshots >=8, and the cluster has or gets 7.0.0',
    ]);
    const blocked = plan(['csi', 'snapshots'], [csi, bundle('snapshots', '8.0.0', '<1.30')]);
    expect(blocks(blocked).sort()).toEqual(['csi DependencyBlocked', 'snapshots NoBundleFits']);
    expect(shape(blocked)).toEqual(['csi hold - -> -', 'snapshots hold - -> -']);
  });

  it('are all named where they go in a circle', () => {
    const p = plan(
      ['a', 'b', 'c', 'd'],
      [
        bundle('a', '1.0.0', '>=1.30', needs('b')),
        bundle('b', '1.0.0', '>=1.30', needs('c')),
        bundle('c', '1.0.0', '>=1.30', needs('a')),
        bundle('d', '1.0.0'),
      ],
    );
    expect(blocks(p).sort()).toEqual(['a DependencyCycle', 'b DependencyCycle', 'c DependencyCycle']);
    expect(p.blocked[0]!.message).toContain('a needs b needs c needs a');
    expect(shape(p)).toContain('d install - -> 1.0.0');
  });
});

describe('two addons that provide the same', () => {
  const cni = (name: string) => bundle(name, '1.0.0', '>=1.30', { provides: ['cni'] });
  it('wait both, and each is told of the other', () => {
    const p = plan(['flannel', 'calico'], [cni('flannel'), cni('calico')]);
    expect(blocks(p)).toEqual(['calico ProvidedTwice', 'flannel ProvidedTwice']);
    expect(p.blocked[0]!.message).toBe(
      'calico provides cni, and so does flannel: a cluster can have one, take the other out',
    );
  });
  it('leave the one that is there', () => {
    const p = plan(['flannel', 'calico'], [cni('flannel'), cni('calico')], { applied: { flannel: '1.0.0' } });
    expect(blocks(p)).toEqual(['calico ProvidedTwice']);
    expect(shape(p)).toEqual(['calico hold - -> -', 'flannel keep 1.0.0 -> 1.0.0']);
  });
  it('may, where it is nothing that there can be one of only', () => {
    const csi = (name: string) => bundle(name, '1.0.0', '>=1.30', { provides: ['csi', 'monitoring'] });
    expect(plan(['cinder', 'nfs'], [csi('cinder'), csi('nfs')]).blocked).toEqual([]);
  });
});

describe('the plan', () => {
  it('does not depend on the order in which bundles and addons come', () => {
    const all = [
      bundle('a', '1.0.0', '>=1.30', needs('b')),
      bundle('a', '2.0.0', '>=1.30', needs('b >=3')),
      bundle('b', '1.0.0'),
      bundle('b', '2.0.0'),
      bundle('c', '1.0.0'),
    ];
    const one = plan(['a', 'b', 'c'], all);
    expect(plan(['c', 'b', 'a'], [...all].reverse())).toEqual(one);
    expect(shape(one)).toEqual(['b install - -> 2.0.0', 'c install - -> 1.0.0', 'a install - -> 1.0.0']);
  });
});
