import { type AddonBundle, type AddonRegistry, ClusterSpec } from '@shoto/api';
import { describe, expect, it } from 'vitest';
import { addonProblems } from './addon-references.ts';

const bundle = (addon: string, version: string) => ({ spec: { addon, version } }) as AddonBundle;
const registry = (lastPolledAt?: string) =>
  ({ status: { manager: lastPolledAt ? { lastPolledAt } : {} } }) as AddonRegistry;
const BUNDLES = [bundle('flannel', '0.28.4'), bundle('flannel', '0.27.0'), bundle('grafana', '12.0.0')];

const asking = (...addons: { name: string; version?: string }[]) =>
  ClusterSpec.parse({
    region: 'one',
    release: 'v1.35.4',
    controlPlane: { count: 1, flavor: 'm1.medium' },
    nodePools: [],
    addons,
  });
const catalogue = (bundles = BUNDLES, registries: AddonRegistry[] = []) => ({
  addonBundles: () => bundles,
  addonRegistries: () => registries,
});

describe('an addon that is asked for', () => {
  it('is taken where it is published, pinned or not', () => {
    const spec = asking({ name: 'flannel' }, { name: 'grafana', version: '12.0.0' });
    expect(addonProblems(spec, catalogue())).toEqual([]);
  });
  it('is refused by its name where nobody published it, with what there is', () => {
    expect(addonProblems(asking({ name: 'flannel' }, { name: 'flanel' }), catalogue())).toEqual([
      {
        field: 'spec.addons[1].name',
        reason: 'Invalid',
        message: 'no bundle of addon "flanel" is published: choose one of flannel, grafana',
      },
    ]);
  });
  it('is refused by its version where that is not published, with those that are', () => {
    const [problem] = addonProblems(asking({ name: 'flannel', version: '9.9.9' }), catalogue());
    expect(problem).toMatchObject({
      field: 'spec.addons[0].version',
      message: expect.stringContaining('choose one of 0.27.0, 0.28.4'),
    });
  });
  it('is not asked about again where it stands already', () => {
    const spec = asking({ name: 'gone', version: '1.0.0' });
    expect(addonProblems(spec, catalogue(), spec)).toEqual([]);
    expect(addonProblems(asking({ name: 'gone', version: '1.0.1' }), catalogue(), spec)).toHaveLength(1);
  });
  it.each([
    ['nothing is published yet', catalogue([])],
    ['a registry was not read yet', catalogue(BUNDLES, [registry('2026-01-01T00:00:00Z'), registry()])],
  ])('is taken on trust while %s', (_what, known) => {
    expect(addonProblems(asking({ name: 'other' }), known)).toEqual([]);
  });
});
