import { afterEach, describe, expect, it } from 'vitest';
import { small } from './bundles.ts';
import { startWorld, type World } from './world.ts';

let w: World;
afterEach(() => w.close());

const WEB = { namespace: 'tenant-blue', name: 'web' };
const of = (plural: string) => w.management.api.resource({ group: 'shoto.dev', version: 'v1alpha1', plural });
const addons = () => w.cluster()?.status?.addons;
const versions = () => addons()?.items?.map((i) => `${i.name} ${i.version}`);
const infrastructure = (status: object) => of('clusters').patchStatus(WEB, { infrastructure: status });
const waits = (reason: string) => ({
  conditions: [{ type: 'UpToDate', status: 'False', reason, message: '', lastTransitionTime: '2026-01-01T00:00:00Z' }],
});

/** A cluster on v1.35.4 with releases up to v1.37.0. */
async function started(bundles: [version: string, kubernetes: string][]): Promise<void> {
  w = await startWorld([{ name: 'csi' }]);
  for (const version of ['v1.36.2', 'v1.37.0'])
    of('kubernetesreleases').create({
      apiVersion: 'shoto.dev/v1alpha1',
      kind: 'KubernetesRelease',
      metadata: { name: version },
      spec: { version, images: [{ region: 'one', image: 'i' }] },
    } as never);
  infrastructure({ release: 'v1.35.4' });
  for (const [version, kubernetes] of bundles) w.publishFiles(`csi-${version}`, small('csi', version, { kubernetes }));
  await w.settle();
}
const upgradeTo = (release: string) => of('clusters').patch(WEB, { spec: { release } });

describe('an upgrade', () => {
  it('is gone ahead of: what would not fit the next minor moves first, and then that is said', async () => {
    await started([
      ['1.35.0', '>=1.35 <1.36'],
      ['1.35.9', '>=1.35 <1.37'],
    ]);
    expect([versions(), addons()?.readyFor]).toEqual([['csi 1.35.9'], undefined]);
    upgradeTo('v1.36.2');
    await w.settle();
    expect([versions(), addons()?.readyFor, addons()?.blocked]).toEqual([['csi 1.35.9'], 'v1.36.2', undefined]);
    expect(w.standing().UpToDate).toBe('True UpToDate: every addon is what it should be, also for v1.36.2');
  });

  it('moves them step by step: the newest that fits both versions, and nothing while machines are replaced', async () => {
    await started([
      ['1.35.0', '>=1.35 <1.36'],
      ['1.36.0', '>=1.35 <1.37'],
      ['1.37.0', '>=1.36 <1.38'],
    ]);
    upgradeTo('v1.37.0');
    await w.settle();
    expect([versions(), addons()?.readyFor]).toEqual([['csi 1.36.0'], 'v1.36.2']);
    // The step goes on.
    const rollout = { release: 'v1.36.2', startedAt: '2026-01-01T00:00:00Z' };
    infrastructure({ release: 'v1.36.2', rollout, ...waits('RollingOut') });
    await w.settle();
    expect([versions(), addons()?.readyFor]).toEqual([['csi 1.36.0'], undefined]);
    expect(w.standing().UpToDate).toMatch(/^False MachinesAreReplaced/);
    // It is done, and the provisioner waits for the addons before the next.
    infrastructure(waits('WaitingForAddonBundles'));
    await w.settle();
    expect([versions(), addons()?.readyFor]).toEqual([['csi 1.37.0'], 'v1.37.0']);
    infrastructure({ release: 'v1.37.0', rollout: null, ...waits('UpToDate') });
    await w.settle();
    expect([versions(), addons()?.readyFor]).toEqual([['csi 1.37.0'], undefined]);
  });

  it('is blocked, by name, by an addon that has no version for it; publishing one lets it go on', async () => {
    await started([['1.35.0', '>=1.35 <1.36']]);
    upgradeTo('v1.36.2');
    await w.settle();
    expect(addons()).toMatchObject({
      blocked: [
        {
          addon: 'csi',
          message:
            'no published bundle of csi fits Kubernetes v1.35.4 and v1.36.2 (1.35.0 is for >=1.35 <1.36): publish one, or choose another version',
        },
      ],
    });
    expect([addons()?.readyFor, w.standing().Healthy, w.standing().UpToDate]).toEqual([
      undefined,
      'True RolledOut: all addons run',
      expect.stringMatching(/^False NoBundleFitsNext: csi: no published bundle of csi fits/),
    ]);
    w.publishFiles('csi-1.36.0', small('csi', '1.36.0', { kubernetes: '>=1.35 <1.37' }));
    await w.settle();
    expect([addons()?.readyFor, addons()?.blocked]).toEqual(['v1.36.2', undefined]);
  });

  it('waits for addons that are not healthy', async () => {
    await started([['1.35.0', '>=1.35 <1.36']]);
    upgradeTo('v1.36.2');
    w.publishFiles('csi-1.36.0', small('csi', '1.36.0', { kubernetes: '>=1.35 <1.37', image: 'csi:broken' }));
    await w.pass();
    w.rollOut(2);
    w.later(61);
    await w.settle();
    expect([versions(), addons()?.readyFor]).toEqual([['csi 1.35.0'], undefined]);
    expect(addons()?.blocked?.[0]?.message).toContain('1.36.0 is refused: it failed on this cluster');
  });
});
