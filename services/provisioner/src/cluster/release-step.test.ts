import type { Machine } from '@shoto/api';
import { describe, expect, it } from 'vitest';
import { aFleet, aRelease, machineNamed, NOW, RELEASES, several } from '../testing/fleet.ts';
import { poolsOf } from './pools.ts';
import { addonsLag, type Progress, releaseStep, workerRelease } from './release-step.ts';

const at = (releases: string[], worker?: string): Machine[] => [
  ...releases.map((release, i) => machineNamed(`cp${i}`, { release })),
  ...(worker ? several('w', 2, { release: worker }) : []),
];

const stepTo = (
  release: string,
  machines: Machine[],
  progress: Partial<Progress> = {},
  o: { releases?: typeof RELEASES; pool?: object } = {},
) =>
  releaseStep({
    pools: poolsOf(aFleet({ release, ...(o.pool ? { pool: o.pool } : {}) }), []),
    machines,
    progress: { initialized: true, ...progress },
    releases: o.releases ?? RELEASES,
    region: 'r1',
    now: NOW,
  });

describe('the step of a cluster', () => {
  it('is what is asked for while nothing has joined', () => {
    expect(stepTo('v1.36.3', [machineNamed('cp', { joined: false })], { initialized: false })).toMatchObject({
      current: undefined,
      aim: 'v1.36.3',
    });
  });

  it('is where it is when it is there', () => {
    expect(stepTo('v1.35.4', at(['v1.35.4'], 'v1.35.4'))).toEqual({
      current: 'v1.35.4',
      floor: 'v1.35.4',
      aim: 'v1.35.4',
      begun: false,
      way: [],
    });
  });

  it('is one minor at a time, by the newest release of each', () => {
    expect(stepTo('v1.37.0', at(['v1.35.4', 'v1.35.4', 'v1.35.4'], 'v1.35.4'))).toMatchObject({
      aim: 'v1.36.3',
      way: ['v1.36.3', 'v1.37.0'],
    });
  });

  it('stays when a newer release of its minor comes out on the way', () => {
    const releases = [...RELEASES, aRelease('v1.36.4')];
    const rollout = { release: 'v1.36.3', startedAt: '2026-03-02T11:00:00Z' };
    const machines = at(['v1.36.3', 'v1.35.4', 'v1.35.4'], 'v1.35.4');
    expect(stepTo('v1.37.0', machines, { rollout }, { releases })).toMatchObject({ aim: 'v1.36.3', begun: true });
    expect(stepTo('v1.37.0', at(['v1.35.4'], 'v1.35.4'), {}, { releases })).toMatchObject({ aim: 'v1.36.4' });
  });

  it('is left when something else is aimed at, which is no detour', () => {
    const rollout = { release: 'v1.36.1', startedAt: '2026-03-02T11:00:00Z' };
    expect(stepTo('v1.36.3', at(['v1.36.1', 'v1.35.4', 'v1.35.4']), { rollout })).toMatchObject({ aim: 'v1.36.3' });
    expect(stepTo('v1.35.4', at(['v1.35.4']), { rollout })).toMatchObject({ aim: 'v1.35.4' });
  });

  it('is finished first when some machines are a minor on, also where it was withdrawn', () => {
    const releases = [...RELEASES.slice(0, 2), aRelease('v1.36.1', { withdrawn: true }), aRelease('v1.37.0')];
    expect(stepTo('v1.37.0', at(['v1.36.1', 'v1.35.4', 'v1.35.4']), {}, { releases })).toMatchObject({
      current: 'v1.35.4',
      floor: 'v1.36.1',
      aim: 'v1.36.1',
      way: ['v1.36.1', 'v1.37.0'],
    });
  });

  it('waits for the workers and for the addons before another minor', () => {
    expect(stepTo('v1.37.0', at(['v1.36.3'], 'v1.35.4'))).toMatchObject({ aim: 'v1.36.3', waits: 'Machines' });
    const addons = { configRelease: 'v1.36.3', addonsRelease: 'v1.35.4' };
    expect(stepTo('v1.37.0', at(['v1.36.3'], 'v1.36.3'), addons)).toMatchObject({ aim: 'v1.36.3', waits: 'Addons' });
    expect(stepTo('v1.37.0', at(['v1.36.3'], 'v1.36.3'), { ...addons, addonsRelease: 'v1.36.3' })).toMatchObject({
      aim: 'v1.37.0',
    });
  });

  it('waits until the addons are ready for another minor, where there are any', () => {
    const to = (readyFor: string | undefined, machines = at(['v1.35.4'], 'v1.35.4'), release = 'v1.37.0') =>
      stepTo(release, machines, { bundles: { readyFor } });
    expect(to(undefined)).toMatchObject({ aim: 'v1.35.4', waits: 'AddonBundles', way: ['v1.36.3', 'v1.37.0'] });
    expect(to('v1.35.4')).toMatchObject({ aim: 'v1.35.4', waits: 'AddonBundles' });
    expect(to('v1.36.3')).toMatchObject({ aim: 'v1.36.3' });
    expect(to(undefined, at(['v1.36.1'], 'v1.36.1'), 'v1.36.3')).toMatchObject({ aim: 'v1.36.3' });
    // What was begun goes on, also where the addons are no longer ready for it.
    expect(to(undefined, at(['v1.36.3', 'v1.35.4', 'v1.35.4']))).toMatchObject({ aim: 'v1.36.3', begun: true });
    const born = machineNamed('cp-new', { release: 'v1.36.3', joined: false });
    expect(to(undefined, [...at(['v1.35.4']), born])).toMatchObject({ aim: 'v1.36.3' });
  });

  it('waits for nobody within a minor, so that a broken release can be left', () => {
    const addons = { configRelease: 'v1.36.1', addonsRelease: 'v1.35.4' };
    expect(stepTo('v1.36.3', at(['v1.36.1'], 'v1.35.4'), addons)).toMatchObject({ aim: 'v1.36.3' });
  });

  it('does not wait for a pool that has an older release of its own', () => {
    const pool = { release: 'v1.35.4' };
    expect(stepTo('v1.37.0', at(['v1.36.3'], 'v1.35.4'), {}, { pool })).toMatchObject({ aim: 'v1.37.0' });
  });

  it('says why there is no way, and stays', () => {
    const releases = RELEASES.filter((r) => !r.metadata.name.startsWith('v1.36'));
    const step = stepTo('v1.37.0', at(['v1.35.4'], 'v1.35.4'), {}, { releases });
    expect(step).toMatchObject({ aim: 'v1.35.4', blocked: { reason: 'UpgradeBlocked' } });
    expect(step.blocked?.message).toContain('goes through 1.36');
  });

  it('never goes below what a control-plane machine has joined with', () => {
    expect(stepTo('v1.35.4', at(['v1.35.4']), { release: 'v1.36.3' })).toMatchObject({
      floor: 'v1.36.3',
      aim: 'v1.36.3',
    });
  });
});

describe('the release of a worker pool', () => {
  const step = { current: 'v1.36.1', floor: 'v1.36.3', aim: 'v1.36.3', begun: true, way: [] };
  it.each([
    ['follows the oldest of the control plane', {}, 'v1.36.1'],
    ['stays at an older one of its own', { release: 'v1.35.4' }, 'v1.35.4'],
    ['comes no nearer to a newer one of its own than the control plane is', { release: 'v1.37.0' }, 'v1.36.1'],
  ])('%s', (_, pool, release) => {
    const workers = poolsOf(aFleet({ release: 'v1.37.0', pool }), [])[1];
    expect(workers && workerRelease(workers, step)).toBe(release);
  });
});

it.each<[Partial<Progress>, boolean, string]>([
  [{}, false, 'nobody noted any'],
  [{ configRelease: 'v1.36.3' }, true, 'the configuration moved and they did not yet'],
  [{ configRelease: 'v1.36.3', addonsRelease: 'v1.35.4' }, true, 'they are older'],
  [{ addonsRelease: 'v1.36.3' }, false, 'they are there'],
])('kube-proxy and CoreDNS lag behind v1.36.3 given %j: %s, since %s', (progress, lags) => {
  expect(addonsLag({ initialized: true, ...progress }, 'v1.36.3')).toBe(lags);
});
