import type { Condition, Machine } from '@shoto/api';
import { TerminalError } from '@shoto/reconciler';
import { describe, expect, it } from 'vitest';
import { aFleet, idsOfAll, machineNamed, planOf, several } from '../testing/fleet.ts';
import type { Shortage } from './gates.ts';
import { poolsOf } from './pools.ts';
import type { Progress } from './release-step.ts';
import { emergencyStop, upToDate } from './up-to-date.ts';

const spec = { maintenanceWindow: { timeZone: 'UTC', days: ['Mon' as const], start: '22:00', durationMinutes: 60 } };
const stop = { stop: { reason: 'fire', by: 'ann', since: '' } };

/** What is said of a cluster of 1 + 3 that shall go to a release. */
function said(
  o: {
    release?: string;
    machines?: Machine[];
    plan?: Parameters<typeof planOf>[2];
    progress?: Partial<Progress>;
    paused?: boolean;
    shortage?: Shortage;
    stated?: Condition['status'];
  } = {},
) {
  const cluster = aFleet({ controlPlanes: 1, workers: 3, release: o.release ?? 'v1.35.5' });
  const machines = o.machines ?? [machineNamed('cp1'), ...several('w', 3)];
  const progress = { initialized: true, ...o.progress };
  const quota = o.shortage && { quota: { shortage: o.shortage } };
  const plan = { ...planOf(cluster, machines, { ...o.plan, progress }), ...quota };
  const stated = o.stated && { type: 'UpToDate', status: o.stated, reason: 'X', message: '', lastTransitionTime: '' };
  return upToDate({ plan, pools: poolsOf(cluster, []), machines, progress, paused: o.paused ?? false }, stated);
}

const shortage = { reason: 'TenantQuotaExceeded', message: 'no room', isGrowth: false };
const sick = [machineNamed('cp1'), machineNamed('w1', { ready: false }), ...several('x', 2, { pool: 'workers' })];
const order = { number: 1, action: 'Replace', at: '2026-03-02T11:00:00Z', reason: 'NodeSilent' };
const missing = new TerminalError('ImageNotFound', 'KubernetesRelease v1.35.5, spec.images: there is no image "x"');

describe('UpToDate', () => {
  it('is True when every machine is as asked for', () => {
    expect(said({ release: 'v1.35.4' })).toMatchObject({ status: 'True', reason: 'UpToDate' });
  });

  it.each<[string, Parameters<typeof said>[0], string, RegExp]>([
    ['machines are being replaced', {}, 'RollingOut', /^4 of 4 machines still to be replaced$/],
    [
      'it walks',
      { release: 'v1.37.0' },
      'RollingOut',
      /on the way to v1\.37\.0 the control plane goes to v1\.36\.3 now$/,
    ],
    [
      'addons are not ready for the next minor, and nobody says why',
      { release: 'v1.36.3', progress: { bundles: {} } },
      'WaitingForAddonBundles',
      /^4 of 4 machines still to be replaced: the control plane goes to v1\.36\.3 when every addon fits it: addon-manager has not said so yet/,
    ],
    [
      'an addon has no version for the next minor',
      { release: 'v1.37.0', progress: { bundles: { readyFor: 'v1.35.5', says: 'csi: no published bundle' } } },
      'WaitingForAddonBundles',
      /goes to v1\.36\.3 when every addon fits it: csi: no published bundle$/,
    ],
    ['the window is closed', { plan: { spec } }, 'OutsideMaintenanceWindow', /opens at 2026-03-02T22:00:00Z$/],
    ['the fleet stands still', { plan: { stop } }, 'EmergencyStop', /ann: fire/],
    ['it is not known whether it does', { plan: { stop: 'unknown' } }, 'EmergencyStop', /not known yet/],
    ['it is paused', { paused: true }, 'Paused', /spec\.paused/],
    [
      'it was not before it was paused',
      { release: 'v1.35.4', paused: true, stated: 'False' },
      'Paused',
      /^nothing is replaced/,
    ],
    ['the quota has no room', { shortage }, 'TenantQuotaExceeded', /^4 of 4 machines still to be replaced: no room$/],
    ['it has none for more', { release: 'v1.35.4', shortage }, 'TenantQuotaExceeded', /^no room$/],
    ['a machine is sick', { machines: sick }, 'WaitingForHealth', /while w1 is sick/],
    [
      'there is no way',
      { release: 'v1.38.0' },
      'UpgradeBlocked',
      /spec\.release: there is no KubernetesRelease v1\.38\.0/,
    ],
    [
      'its image is missing',
      {
        plan: {
          ids: {
            ...idsOfAll(aFleet()),
            images: new Map<string, string | TerminalError>([
              ['v1.35.5', missing],
              ['v1.35.4', 'image-v1.35.4'],
            ]),
          },
        },
      },
      'ImageNotFound',
      /^4 of 4 .*: KubernetesRelease v1\.35\.5, spec\.images/,
    ],
    [
      'quorum would be lost, though nothing is outdated',
      { release: 'v1.35.4', machines: [machineNamed('cp1', { ready: false, health: { order } }), ...several('w', 3)] },
      'QuorumLost',
      /^control-plane machine cp1/,
    ],
    [
      'the addons follow',
      { release: 'v1.35.4', progress: { configRelease: 'v1.35.4', addonsRelease: 'v1.34.1' } },
      'WaitingForAddons',
      /brought to v1\.35\.4/,
    ],
    [
      'a new machine cannot come',
      {
        machines: [
          machineNamed('cp1'),
          ...several('w', 3),
          machineNamed('cp2', {
            joined: false,
            release: 'v1.35.5',
            server: {
              conditions: [
                {
                  type: 'ServerReady',
                  status: 'False',
                  reason: 'QuotaExceeded',
                  message: 'no cores left',
                  lastTransitionTime: '2026-03-02T11:00:00Z',
                },
              ],
            },
          }),
        ],
      },
      'RollingOut',
      /; held up: cp2: no cores left$/,
    ],
  ])('is False while %s', (_, given, reason, message) => {
    const c = said(given);
    expect(c).toMatchObject({ type: 'UpToDate', status: 'False', reason });
    expect(c?.message).toMatch(message);
  });

  it('is not said of a paused cluster of which nothing is known', () => {
    expect(said({ release: 'v1.35.4', paused: true })).toBeUndefined();
    expect(said({ release: 'v1.35.4', paused: true, stated: 'True' })).toMatchObject({ status: 'True' });
  });

  it('keeps its text while a machine comes', () => {
    const coming = (o: object) =>
      said({ machines: [machineNamed('cp1'), ...several('w', 3), machineNamed('cp2', { release: 'v1.35.5', ...o })] });
    expect(coming({ joined: false, server: {} })).toEqual(said());
    expect(coming({ ready: false, health: { ready: undefined } })).toEqual(said());
  });
});

describe('EmergencyStop', () => {
  it.each([
    ['is True while it is on', stop, false, { status: 'True', reason: 'EmergencyStop' }],
    ['is False afterwards', undefined, true, { status: 'False', reason: 'Resumed' }],
  ] as const)('%s', (_, given, stated, expected) => {
    expect(emergencyStop(given, stated)).toMatchObject(expected);
  });
  it.each([
    ['before it ever was on', undefined, false],
    ['while it is not known', 'unknown', true],
  ] as const)('is not said %s', (_, given, stated) => {
    expect(emergencyStop(given, stated)).toBeUndefined();
  });
});
