import type { AddonBundle, Cluster, ClusterSpec, Machine, Region } from '@shoto/api';
import { describe, expect, it } from 'vitest';
import { aFleet, idsOfAll, machineNamed, NOW, RELEASES, several } from '../testing/fleet.ts';
import { type ChangeAction, type ChangePlanInput, changePlan } from './change-plan.ts';

const region = (endpoint: 'LoadBalancer' | 'MachineAddress' = 'LoadBalancer') =>
  ({
    metadata: { name: 'r1' },
    spec: { zones: ['a', 'b', 'c'], apiEndpoint: { type: endpoint } },
  }) as unknown as Region;
const cluster = (o: Parameters<typeof aFleet>[0] = {}): Cluster => {
  const c = aFleet({ controlPlanes: 3, workers: 2, ...o });
  c.status = {
    controlPlane: { initialized: true, revision: 0, configRelease: 'v1.35.4', addonsRelease: 'v1.35.4' },
  } as Cluster['status'];
  return c;
};
const machines = (): Machine[] => [...several('cp', 3, { zone: 'a' }), ...several('w', 2, { zone: 'b' })];

/** What a change of the spec gives, in one line for each action. */
function plan(change: (spec: ClusterSpec) => void, o: Partial<ChangePlanInput> = {}) {
  const before = o.cluster ?? cluster();
  const spec = structuredClone(before.spec);
  change(spec);
  const p = changePlan({
    cluster: before,
    spec,
    machines: machines(),
    releases: RELEASES,
    region: region(),
    now: NOW,
    stop: undefined,
    ...o,
  });
  const line = (a: ChangeAction) => [a.action, a.pool, a.machine].filter(Boolean).join(' ');
  return {
    ...p,
    lines: p.steps.map((s) => [s.release, ...s.actions.map(line)]),
    actions: p.steps.flatMap((s) => s.actions),
  };
}

/** A published bundle. */
const bundle = (addon: string, version: string, kubernetes: string) =>
  ({
    metadata: { name: `${addon}-${version}` },
    spec: { addon, version, kubernetes, provides: [] },
  }) as unknown as AddonBundle;

describe('the plan of an upgrade of a cluster with addons', () => {
  const withAddons = () => {
    const c = cluster({ spec: { addons: [{ name: 'csi' }, { name: 'log' }] } });
    Object.assign(c.status as object, {
      addons: {
        items: [
          { name: 'csi', version: '1.35.1', healthy: true },
          { name: 'log', version: '2.0.0', healthy: true },
        ],
      },
    });
    return c;
  };
  const bundles = [
    bundle('csi', '1.35.1', '>=1.35 <1.36'),
    bundle('csi', '1.36.0', '>=1.35 <1.37'),
    bundle('csi', '1.37.0', '>=1.36 <1.38'),
    bundle('log', '2.0.0', '>=1.30 <1.37'),
  ];
  const upgrade = (release: string) =>
    plan((spec) => Object.assign(spec, { release }), { cluster: withAddons(), bundles });

  it('shows which of them move first, before the machines of each step', () => {
    const p = upgrade('v1.36.3');
    expect(p.steps[0]?.actions[0]).toEqual({
      action: 'addon',
      pool: 'control-plane',
      addon: 'csi',
      because: ['csi 1.35.1 -> 1.36.0: 1.35.1 does not fit Kubernetes v1.36.3'],
    });
    expect(p.steps[0]?.actions[1]?.action).toBe('replace');
    expect(p.blockers).toEqual([]);
  });

  it('names those that have no version for a minor on the way', () => {
    const p = upgrade('v1.37.0');
    expect(p.steps.map((s) => [s.release, s.actions[0]?.addon])).toEqual([
      ['v1.36.3', 'csi'],
      ['v1.37.0', 'csi'],
    ]);
    expect(p.blockers).toEqual([
      {
        reason: 'AddonHasNoVersion',
        field: 'spec.addons',
        message: expect.stringMatching(/^log: no published bundle of log fits Kubernetes v1\.36\.3 and v1\.37\.0/),
      },
    ]);
  });

  it('goes round a release whose machines never joined', () => {
    const lost = machineNamed('cp-lost', { release: 'v1.36.1', joined: false });
    const p = plan((spec) => Object.assign(spec, { release: 'v1.37.0' }), {
      cluster: withAddons(),
      bundles,
      machines: [...machines(), lost],
    });
    expect(p.steps.map((s) => s.release)).toEqual(['v1.36.3', 'v1.37.0']);
  });

  it('says nothing of them for a change within a minor', () => {
    const p = upgrade('v1.35.5');
    expect(p.actions.filter((a) => a.action === 'addon')).toEqual([]);
  });
});

describe('a plan of a change', () => {
  it('is empty for no change', () => {
    expect(plan(() => {})).toMatchObject({ steps: [], blockers: [], notes: [], from: 'v1.35.4', to: 'v1.35.4' });
  });

  it('walks an upgrade minor by minor: the control plane, the pools, the addons', () => {
    const p = plan((spec) => {
      spec.release = 'v1.37.0';
    });
    const kinds = p.steps.map((s) => [s.release, ...s.actions.map((a) => `${a.action} ${a.pool}`)]);
    const step = [
      ...Array.from({ length: 3 }, () => 'replace control-plane'),
      ...Array.from({ length: 2 }, () => 'replace workers'),
      'addons control-plane',
    ];
    expect(kinds).toEqual([
      ['v1.36.3', ...step],
      ['v1.37.0', ...step],
    ]);
    const first = p.steps[0]?.actions.flatMap((a) => a.machine ?? []);
    expect(first).toEqual(['cp3', 'cp2', 'cp1', 'w2', 'w1']);
    expect(p.actions[0]).toMatchObject({ because: ['release v1.35.4 -> v1.36.3'], zone: 'b' });
    expect(p.blockers).toEqual([]);
  });

  it('spreads the new machines over the zones', () => {
    const p = plan((spec) => {
      spec.release = 'v1.35.5';
    });
    const zones = p.actions.filter((a) => a.action === 'replace' && a.pool === 'control-plane').map((a) => a.zone);
    expect(zones.sort()).toEqual(['a', 'b', 'c']);
  });

  it('tells what is made, removed and changed in place', () => {
    expect(plan((spec) => void Object.assign(pool(spec), { count: 4 })).lines).toEqual([
      ['v1.35.4', 'create workers', 'create workers'],
    ]);
    expect(plan((spec) => void Object.assign(pool(spec), { count: 1 })).lines).toEqual([
      ['v1.35.4', 'remove workers w2'],
    ]);
    expect(plan((spec) => void spec.nodePools.pop()).lines).toEqual([
      ['v1.35.4', 'remove workers w1', 'remove workers w2'],
    ]);
    const labelled = plan((spec) => void Object.assign(pool(spec), { labels: { tier: 'web' } }));
    expect(labelled.lines).toEqual([['v1.35.4', 'update workers w1', 'update workers w2']]);
    expect(labelled.actions[0]?.because).toEqual(['labels']);
  });

  it.each([
    ['with what the cloud says', true],
    ['by names alone', false],
  ])('replaces for a flavor %s, without surge too', (_, known) => {
    const change = (spec: ClusterSpec) =>
      void Object.assign(pool(spec), { flavor: 'm1.large', maxSurge: 0, maxUnavailable: 1 });
    const after = aFleet({ controlPlanes: 3, workers: 2, pool: { flavor: 'm1.large' } });
    const p = plan(change, known ? { ids: idsOfAll(after) } : {});
    expect(p.lines).toEqual([['v1.35.4', 'replace workers w2', 'replace workers w1']]);
    expect(p.actions.every((a) => a.zone !== undefined)).toBe(true);
    expect(p.actions[0]?.because).toEqual(['flavor m1.small -> m1.large']);
  });

  it('leads away from a release whose machine has not joined', () => {
    const stuck = machineNamed('cp4', { release: 'v1.36.9', joined: false, zone: 'b' });
    const withdrawn = { ...RELEASES[0]!, metadata: { name: 'v1.36.9' }, spec: { ...RELEASES[0]!.spec } };
    withdrawn.spec.support = { withdrawn: true };
    const c = cluster();
    c.spec.release = 'v1.36.9';
    const p = plan((spec) => void Object.assign(spec, { release: 'v1.37.0' }), {
      cluster: c,
      machines: [...machines(), stuck],
      releases: [...RELEASES, withdrawn],
    });
    expect(p.steps.map((s) => s.release)).toEqual(['v1.36.3', 'v1.37.0']);
    const first = p.steps[0]?.actions.flatMap((a) => a.machine ?? []);
    expect(first?.toSorted()).toEqual(['cp1', 'cp2', 'cp3', 'cp4', 'w1', 'w2']);
    expect(p.actions[0]).toMatchObject({ machine: 'cp4', because: ['release v1.36.9 -> v1.36.3'] });
  });

  it('moves a pool that has a release of its own alone', () => {
    const c = cluster({ pool: { release: 'v1.35.4' } });
    c.spec.release = 'v1.35.5';
    Object.assign(c.status?.controlPlane ?? {}, { configRelease: 'v1.35.5', addonsRelease: 'v1.35.5' });
    const all = [...several('cp', 3, { release: 'v1.35.5' }), ...several('w', 2)];
    const p = plan((spec) => void delete pool(spec).release, { cluster: c, machines: all });
    expect(p.lines).toEqual([['v1.35.5', 'replace workers w2', 'replace workers w1']]);
  });
});

describe('what blocks a change', () => {
  it('is a way that is missing', () => {
    const p = plan((spec) => void Object.assign(spec, { release: 'v1.37.0' }), {
      releases: RELEASES.filter((r) => !r.metadata.name.startsWith('v1.36')),
    });
    expect(p.blockers).toMatchObject([{ reason: 'UpgradePathMissing', field: 'spec.release' }]);
    expect(p.steps).toEqual([]);
  });

  it('is an endpoint that is one machine’s address', () => {
    const p = plan((spec) => void Object.assign(spec, { release: 'v1.35.5' }), {
      cluster: cluster({ controlPlanes: 1 }),
      machines: [machineNamed('cp1'), ...several('w', 2)],
      region: region('MachineAddress'),
    });
    expect(p.blockers).toMatchObject([{ reason: 'UnsupportedEndpoint', field: 'spec.controlPlane' }]);
  });

  it('is a sick machine, or a quorum that is lost', () => {
    const sick = { ready: false, health: { sickSince: '2026-03-02T11:00:00Z' } };
    const upgrade = (spec: ClusterSpec) => void Object.assign(spec, { release: 'v1.35.5' });
    const one = plan(upgrade, { machines: [...several('cp', 3), machineNamed('w1', sick), machineNamed('w2')] });
    expect(one.blockers).toMatchObject([{ reason: 'WaitingForHealth' }]);
    expect(one.actions).toHaveLength(6);
    const order = { number: 1, action: 'Replace', at: '2026-03-02T11:00:00Z', reason: 'NodeSilent' };
    const lost = { ready: false, health: { order } };
    const two = plan(upgrade, { machines: [machineNamed('cp1'), ...several('cpx', 2, lost), ...several('w', 2)] });
    expect(two.blockers.map((b) => b.reason)).toEqual(['QuorumLost', 'WaitingForHealth']);
  });
});

it('notes when it would begin', () => {
  const p = plan(
    (spec) => {
      spec.release = 'v1.35.5';
      spec.paused = true;
      spec.maintenanceWindow = { timeZone: 'UTC', days: ['Mon', 'Tue'], start: '22:00', durationMinutes: 60 };
    },
    { stop: { stop: { reason: 'fire', by: 'ann', since: '' } } },
  );
  expect(p.notes).toHaveLength(3);
  expect(p.notes.join('\n')).toMatch(/ann: fire[\s\S]*spec\.paused[\s\S]*2026-03-02T22:00:00Z/);
});

const pool = (spec: ClusterSpec) => spec.nodePools[0] as ClusterSpec['nodePools'][number];
