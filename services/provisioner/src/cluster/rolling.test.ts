import type { Machine } from '@shoto/api';
import { describe, expect, it } from 'vitest';
import { aFleet, machineNamed, NOW, planOf, several } from '../testing/fleet.ts';
import type { Progress } from './release-step.ts';
import { outdatedCounts, pauseOf, progressOf, rolloutOf } from './rolling.ts';

const cluster = aFleet({ workers: 2, release: 'v1.35.5' });
const startedAt = '2026-03-02T11:00:00Z';
const after = (machines: Machine[], rollout?: Progress['rollout'], o: Parameters<typeof planOf>[2] = {}) => {
  const progress: Progress = { initialized: true, rollout };
  return rolloutOf(planOf(cluster, machines, { ...o, progress }), progress, machines, NOW);
};
const old = [machineNamed('cp1'), ...several('w', 2)];
const fresh = [machineNamed('cp1', { release: 'v1.35.5' }), ...several('w', 2, { release: 'v1.35.5' })];
const spec = { maintenanceWindow: { timeZone: 'UTC', days: ['Mon' as const], start: '22:00', durationMinutes: 60 } };

describe('a rollout', () => {
  it('begins with the first machine that is replaced', () => {
    expect(after(old)).toEqual({
      release: 'v1.35.4',
      rollout: { release: 'v1.35.5', startedAt: '2026-03-02T12:00:00Z' },
    });
  });
  it('does not begin while nothing may', () => {
    expect(after(old, undefined, { spec })).toEqual({ release: 'v1.35.4' });
  });
  it('goes on outside the window, with the time at which its step began', () => {
    const half = [machineNamed('cp1', { release: 'v1.35.5' }), ...several('w', 2)];
    expect(after(half, { release: 'v1.35.5', startedAt }, { spec }).rollout).toEqual({ release: 'v1.35.5', startedAt });
  });
  it('lasts until the last old machine is gone', () => {
    const rollout = { release: 'v1.35.5', startedAt };
    expect(after([...fresh, machineNamed('w9', { leaving: true })], rollout).rollout).toEqual(rollout);
    expect(after(fresh, rollout).rollout).toBeUndefined();
  });
  it('is none where only sizes change', () => {
    expect(after([...fresh, machineNamed('w9', { release: 'v1.35.5' })]).rollout).toBeUndefined();
  });
});

describe('what time alone changes', () => {
  it('is a window that opens, when something waits for it', () => {
    const at = (machines: Machine[]) => pauseOf(cluster, planOf(cluster, machines, { spec }), machines, NOW);
    expect(at(old)).toBe(3_600_000); // at most an hour: then it is looked at again
    expect(at(fresh)).toBeUndefined();
  });
  it('is the end of a keep', () => {
    const kept = machineNamed('w9', { annotations: { 'shoto.dev/keep-until': '2026-03-02T12:00:30Z' } });
    expect(pauseOf(cluster, planOf(cluster, [...fresh, kept]), [...fresh, kept], NOW)).toBe(30_000);
  });
});

it('counts of outdated machines stay where nobody can count', () => {
  const stored = { pools: [{ name: 'workers', desired: 2, machines: 2, joined: 2, ready: 2, outdated: 2 }] };
  expect(outdatedCounts(undefined, stored, false).get('workers')).toBe(2);
  const plan = planOf(cluster, fresh);
  expect(outdatedCounts(plan, stored, false).get('workers')).toBe(0);
  expect(outdatedCounts(plan, stored, true).get('workers')).toBe(2);
});

it('what addon-manager says of addons that are not ready is what holds them back, not that one is not well', () => {
  const addon = aFleet({ workers: 1 });
  addon.spec.addons = [{ name: 'csi' }];
  const no = (type: string, reason: string) => ({
    ...{ type, status: 'False' as const, reason, message: `csi: ${reason}` },
    lastTransitionTime: startedAt,
  });
  const says = (...conditions: ReturnType<typeof no>[]) => {
    addon.status = { addons: { revision: 1, conditions } } as never;
    return progressOf(addon, {}).bundles;
  };
  expect(says(no('Healthy', 'Unhealthy'), no('UpToDate', 'NoBundleFitsNext'))?.says).toBe('csi: NoBundleFitsNext');
  expect(says(no('Healthy', 'Unhealthy'))?.says).toBeUndefined();
});
