import type { ChangePlan, ClusterSpec } from '@shoto/api';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { UpgradeChecks } from '../src/bootstrap-client.ts';
import { CLUSTERS, makeCluster, publish, regionSpec, startWorld, type World, writeStatus } from './world.ts';

const PLAN: ChangePlan = {
  from: 'v1.35.4',
  to: 'v1.36.3',
  steps: [
    {
      release: 'v1.36.3',
      actions: [
        { action: 'replace', pool: 'control-plane', machine: 'web-cp', because: ['release v1.35.4, v1.36.3 is asked'] },
        { action: 'addons', pool: 'control-plane', because: ['kube-proxy and CoreDNS follow'] },
        { action: 'replace', pool: 'default', machine: 'web-a', because: ['release v1.35.4, v1.36.3 is asked'] },
      ],
    },
  ],
  blockers: [],
  notes: ['it begins when the maintenance window opens'],
};
const NOTHING: ChangePlan = { from: 'v1.35.4', to: 'v1.35.4', steps: [], blockers: [], notes: [] };
const NO_CHECKS: UpgradeChecks = { deprecatedApis: [], budgets: [] };

/** What the other services of these tests answer, and were asked. */
let told: { plan: () => Promise<ChangePlan>; checks: () => Promise<UpgradeChecks> };
let asked: { plan: [string, string, ClusterSpec][]; checks: [string, string, string][] };
let w: World;
beforeAll(async () => {
  w = await startWorld({
    provisioner: {
      plan: (...a) => {
        asked.plan.push(a);
        return told.plan();
      },
      capacity: () => Promise.reject(new Error('the plan holds it already')),
      close: async () => {},
    },
    bootstrap: {
      kubeconfig: () => Promise.reject(new Error('not asked here')),
      steps: async () => [],
      upgradeChecks: (...a) => {
        asked.checks.push(a);
        return told.checks();
      },
      close: async () => {},
    },
  });
  told = { plan: async () => PLAN, checks: async () => NO_CHECKS };
  asked = { plan: [], checks: [] };
  await makeCluster(w, 'web');
});
afterAll(() => w.close());
beforeEach(() => {
  told = { plan: async () => PLAN, checks: async () => NO_CHECKS };
  asked = { plan: [], checks: [] };
});

const plan = async (spec: object, name = 'web') => {
  const { status, body } = await w.call('POST', `${CLUSTERS}/${name}/plan`, {
    body: spec,
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  return { status, body, plan: body as unknown as ChangePlan };
};
const away = () => Promise.reject(new Error('connect ECONNREFUSED'));

describe('a plan', () => {
  it('is that of the provisioner for the whole spec, and changes nothing', async () => {
    const before = (await w.call('GET', `${CLUSTERS}/web`)).body;
    const { status, plan: p } = await plan({ release: 'v1.36.3' });
    expect([status, p]).toEqual([200, PLAN]);
    expect(asked.plan[0]?.slice(0, 2)).toEqual(['tenant-blue', 'web']);
    expect(asked.plan[0]?.[2]).toMatchObject({ release: 'v1.36.3', nodePools: [{ name: 'default', count: 2 }] });
    expect(asked.checks).toEqual([['tenant-blue', 'web', 'v1.36.3']]);
    expect((await w.call('GET', `${CLUSTERS}/web`)).body).toEqual(before);
  });

  it('names what would stop it, with what to do', async () => {
    told.checks = async () => ({
      deprecatedApis: [
        { group: 'flowcontrol.apiserver.k8s.io', version: 'v1beta3', resource: 'flowschemas', removedRelease: '1.36' },
      ],
      budgets: [{ namespace: 'shop', name: 'cart', message: 'PodDisruptionBudget shop/cart lets none go' }],
    });
    const quota = { reason: 'QuotaExceeded', message: 'cores are used up' };
    told.plan = async () => ({ ...PLAN, blockers: [quota] });
    const { plan: p } = await plan({ release: 'v1.36.3' });
    expect(p.blockers).toEqual([
      quota,
      {
        reason: 'DeprecatedAPIInUse',
        field: 'spec.release',
        message: expect.stringMatching(
          /^flowschemas of flowcontrol\.apiserver\.k8s\.io\/v1beta3 is in use, and Kubernetes 1\.36 has it no more: have its users/,
        ),
      },
      { reason: 'DisruptionBudget', message: 'PodDisruptionBudget shop/cart lets none go' },
    ]);
  });

  it('of a pool alone is not held by APIs that the control plane keeps', async () => {
    told.checks = async () => ({
      deprecatedApis: [{ group: 'x', version: 'v1', resource: 'y', removedRelease: '1.36' }],
      budgets: [],
    });
    const pools = [{ name: 'default', count: 2, flavor: 'm1.small', release: 'v1.34.9' }];
    expect((await plan({ nodePools: pools })).plan.blockers).toEqual([]);
    expect(asked.checks).toEqual([['tenant-blue', 'web', 'v1.35.4']]);
  });

  it('names pools that stay behind', async () => {
    const pools = [
      { name: 'default', count: 2, flavor: 'm1.small' },
      { name: 'old', count: 1, flavor: 'm1.small', release: 'v1.34.9' },
    ];
    const { plan: p } = await plan({ release: 'v1.36.3', nodePools: pools });
    expect(p.notes).toContain('pool old stays on v1.34.9, its own release: shoto upgrade cluster --pool moves it');
  });

  it('of what replaces nothing asks the cluster nothing', async () => {
    told.plan = async () => NOTHING;
    expect((await plan({ healing: { enabled: false } })).plan).toEqual(NOTHING);
    expect(asked.checks).toEqual([]);
  });
});

describe('who does not answer is named, and the rest is told', () => {
  it('the provisioner: the releases on the way are known', async () => {
    told.plan = away;
    await makeCluster(w, 'far', { release: 'v1.34.9' });
    const { plan: p } = await plan({ release: 'v1.36.3' }, 'far');
    expect(p).toMatchObject({ from: 'v1.34.9', to: 'v1.36.3', blockers: [] });
    expect(p.steps).toEqual([
      { release: 'v1.35.5', actions: [] },
      { release: 'v1.36.3', actions: [] },
    ]);
    expect(p.notes).toEqual([expect.stringMatching(/^which machines .* not known: the provisioner does not answer/)]);
  });
  it('the provisioner: addresses that the surge lacks are known', async () => {
    told.plan = away;
    await publish(w, 'regions', 'Region', 'one', regionSpec('one', { sharedNetwork: 'lan' }));
    await makeCluster(w, 'tight', {
      network: { nodeCIDR: '10.9.0.0/28' },
      nodePools: [{ name: 'default', count: 6, flavor: 'f' }],
    });
    await publish(w, 'regions', 'Region', 'one', regionSpec('one'));
    expect((await plan({ release: 'v1.36.3' }, 'tight')).plan.blockers).toEqual([
      {
        reason: 'NoAddress',
        field: 'spec.network.nodeCIDR',
        message: expect.stringMatching(/^10\.9\.0\.0\/28 has 16 addresses, and 17 are needed: .*: ask for 1 fewer/),
      },
    ]);
  });
  it('the bootstrap-worker', async () => {
    told.checks = away;
    const { plan: p } = await plan({ release: 'v1.36.3' });
    expect(p.steps).toEqual(PLAN.steps);
    expect(p.notes.at(-1)).toMatch(/are not known: the bootstrap-worker does not answer/);
  });
  it('some of its API servers, of which each knows only what it was asked for itself', async () => {
    told.checks = async () => ({ ...NO_CHECKS, apiServers: { asked: 2, of: 3 } });
    expect((await plan({ release: 'v1.36.3' })).plan.notes.at(-1)).toMatch(/are known of 2 of 3 API servers/);
    told.checks = async () => ({ ...NO_CHECKS, apiServers: { asked: 3, of: 3 } });
    expect((await plan({ release: 'v1.36.3' })).plan.notes.join()).not.toContain('API servers');
  });
  it('the cluster', async () => {
    told.checks = async () => ({ ...NO_CHECKS, unreachable: 'timed out' });
    expect((await plan({ release: 'v1.36.3' })).plan.notes.at(-1)).toMatch(
      /the cluster does not answer \(timed out\)$/,
    );
  });
});

describe('a plan is refused', () => {
  it.each<[string, object, string, RegExp]>([
    ['of a change that would be', { release: 'v1.34.9' }, 'spec.release', /^release cannot go below/],
    ['of a field that does not exist', { relaese: 'v1.36.3' }, 'spec.relaese', /unknown field/],
  ])('%s', async (_what, spec, field, message) => {
    const { status, body } = await plan(spec);
    expect([status, body.errors]).toEqual([
      422,
      [expect.objectContaining({ field, message: expect.stringMatching(message) })],
    ]);
    expect(asked.plan).toEqual([]);
  });
  it('of what is no object', async () => {
    expect((await plan([] as never)).status).toBe(400);
  });
  it('of a cluster that is not there, or is leaving', async () => {
    expect((await plan({}, 'nowhere')).status).toBe(404);
    await makeCluster(w, 'leaving');
    await w.call('DELETE', `${CLUSTERS}/leaving`);
    expect((await plan({}, 'leaving')).body.reason).toBe('BeingDeleted');
  });
  it('but not where the way back from a failed upgrade is asked for', async () => {
    await makeCluster(w, 'failed', { release: 'v1.35.5' });
    writeStatus(w, 'failed', { infrastructure: { release: 'v1.35.4' } });
    expect((await plan({ release: 'v1.35.4' }, 'failed')).status).toBe(200);
  });
});
