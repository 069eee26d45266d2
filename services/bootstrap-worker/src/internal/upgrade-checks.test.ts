import { describe, expect, it } from 'vitest';
import { aCluster } from '../../test/builders.ts';
import { error, FakeKube } from '../../test/fake-kube.ts';
import { deprecatedApis, upgradeChecks } from './upgrade-checks.ts';

const METRICS = `# HELP apiserver_requested_deprecated_apis [STABLE] Gauge of deprecated APIs that have been requested
# TYPE apiserver_requested_deprecated_apis gauge
apiserver_requested_deprecated_apis{group="flowcontrol.apiserver.k8s.io",removed_release="1.36",resource="flowschemas",subresource="status",version="v1beta3"} 1
apiserver_requested_deprecated_apis{group="",removed_release="",resource="componentstatuses",subresource="",version="v1"} 1
apiserver_requested_deprecated_apis{group="batch",removed_release="1.38",resource="cronjobs",subresource="",version="v1beta1"} 1
apiserver_requested_deprecated_apis{group="old.k8s.io",removed_release="1.25",resource="things",subresource="",version="v1"} 0
apiserver_requested_deprecated_apis{group="policy",removed_release="1.35",resource="poddisruptionbudgets",subresource="",version="v1beta1"} 1
apiserver_request_total{group="batch",removed_release="1.36"} 12
`;
const PDBS = {
  group: 'policy',
  version: 'v1',
  plural: 'poddisruptionbudgets',
  kind: 'PodDisruptionBudget',
  namespaced: true,
};
const cluster = aCluster({ controlPlane: { initialized: true } });
const ask = (workload: FakeKube, body: unknown = { to: 'v1.36.3' }, c = cluster) =>
  upgradeChecks(c, body, async () => workload);

describe('APIs that are asked for and will be gone', () => {
  it('are those whose last release is before the target, however long ago', () => {
    expect(deprecatedApis([METRICS], 36)).toEqual([
      {
        group: 'flowcontrol.apiserver.k8s.io',
        version: 'v1beta3',
        resource: 'flowschemas',
        subresource: 'status',
        removedRelease: '1.36',
      },
      { group: 'policy', version: 'v1beta1', resource: 'poddisruptionbudgets', removedRelease: '1.35' },
    ]);
    expect(deprecatedApis([METRICS, METRICS], 38)).toHaveLength(3);
    expect(deprecatedApis([METRICS], 34)).toEqual([]);
    expect(deprecatedApis([''], 36)).toEqual([]);
  });
});

describe('what is in the way of an upgrade', () => {
  it('is told with the budgets that let no pod go', async () => {
    const w = new FakeKube();
    w.onRaw = (_, path) => ({ status: 200, body: path === '/metrics' ? METRICS : '' });
    const budget = (name: string, status: object) =>
      w.put(PDBS, { metadata: { name, namespace: 'shop' }, status } as never);
    budget('tight', { disruptionsAllowed: 0, expectedPods: 2, currentHealthy: 2, desiredHealthy: 2 });
    budget('loose', { disruptionsAllowed: 1, expectedPods: 2, currentHealthy: 2, desiredHealthy: 1 });
    budget('empty', { disruptionsAllowed: 0, expectedPods: 0, currentHealthy: 0, desiredHealthy: 0 });
    const found = await ask(w);
    expect(found.deprecatedApis.map((a) => a.resource)).toEqual(['flowschemas', 'poddisruptionbudgets']);
    expect(found.budgets).toEqual([
      {
        namespace: 'shop',
        name: 'tight',
        message:
          'PodDisruptionBudget shop/tight lets none of its 2 pods go: 2 are healthy and 2 have to be. A drain would wait for it: add a replica, let its pods become ready, or loosen it',
      },
    ]);
    expect(found).not.toHaveProperty('unreachable');
  });

  it('counts an API that only one of three API servers was asked for, and tells how many could be asked', async () => {
    const three = aCluster({ controlPlane: { initialized: true } });
    three.spec.controlPlane.count = 3;
    const w = new FakeKube();
    const servers = ['1.5', '2.5', '3.5'];
    w.onRaw = () => {
      const start = servers[(w.raws.length - 1) % servers.length];
      return { status: 200, body: `${start === '3.5' ? METRICS : ''}process_start_time_seconds ${start}\n` };
    };
    const { deprecatedApis: apis, apiServers } = await ask(w, { to: 'v1.36.3' }, three);
    expect(apis.map((a) => a.resource)).toEqual(['flowschemas', 'poddisruptionbudgets']);
    expect(apiServers).toEqual({ asked: 3, of: 3 });
    servers.pop();
    expect(await ask(w, { to: 'v1.36.3' }, three)).toEqual({
      deprecatedApis: [],
      budgets: [],
      apiServers: { asked: 2, of: 3 },
    });
  });

  it('is not known where the API does not answer, and that is an answer', async () => {
    const w = new FakeKube();
    w.down = error(0, 'Unreachable');
    expect(await ask(w)).toEqual({
      deprecatedApis: [],
      budgets: [],
      unreachable: expect.stringContaining("the cluster's API does not answer"),
    });
    const early = aCluster();
    expect((await ask(new FakeKube(), undefined, early)).unreachable).toBe('the control plane is not up');
  });

  it.each([[{}], [{ to: '1.36' }], ['v1.36.3'], [undefined]])('cannot be asked by %j', async (body) => {
    await expect(upgradeChecks(cluster, body, async () => new FakeKube())).rejects.toMatchObject({ status: 422 });
  });
});
