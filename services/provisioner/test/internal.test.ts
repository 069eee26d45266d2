import { type ChangePlan, type Cluster, type Machine, resourceOf, type Tenant, TenantKind } from '@shoto/api';
import { createLogger, type InternalServer } from '@shoto/service';
import { until } from '@shoto/service/testing';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAuthority, issue, type KeyedCertificate } from '../../../packages/pki/src/index.ts';
import { internalDeps } from '../src/internal/plan.ts';
import { startInternalServer } from '../src/internal/server.ts';
import { CLUSTERS, MACHINES, startWorld, type World } from '../src/testing/world.ts';

const TENANTS = resourceOf(TenantKind);

let world: World;
let server: InternalServer;
let ca: KeyedCertificate;
let cluster: Cluster;
const agents: Record<string, Agent> = {};

beforeAll(async () => {
  ca = await createAuthority('Shoto internal');
  const certificate = (commonName: string, usage: 'client' | 'server', by = ca) =>
    issue(by, { commonName, usages: [usage], ipAddresses: ['127.0.0.1'], seconds: 3600 });
  const agent = (own?: KeyedCertificate) =>
    new Agent({ connect: { ca: ca.certificate, ...(own ? { cert: own.certificate, key: own.key } : {}) } });
  agents['cluster-api'] = agent(await certificate('cluster-api', 'client'));
  agents.provisioner = agent(await certificate('provisioner', 'client'));
  agents.stranger = agent(await certificate('cluster-api', 'client', await createAuthority('another')));
  agents.nobody = agent();
  world = await startWorld({ endpoint: 'FloatingIP' });
  await world.createCluster({ workers: 2 });
  const machines = await world.untilMachines(
    'three servers run',
    (ms) => ms.length === 3 && ms.every((m) => m.status?.server.state === 'Active'),
  );
  for (const m of machines) {
    const joined = await world.kube.patchStatusMap<Machine>(MACHINES, m, 'bootstrap', {
      joinedAt: '2026-01-01T00:00:30Z',
    });
    await world.health(joined, { ready: true });
  }
  await world.kube.patchStatusMap<Cluster>(CLUSTERS, (await world.cluster()) as Cluster, 'controlPlane', {
    initialized: true,
  });
  cluster = await world.untilCluster('the control plane is up', (c) => c.status?.controlPlane.initialized === true);
  await world.untilCluster('all are seen', () =>
    world.provisioner.machines.list().every((m) => m.status?.health.ready),
  );
  server = await startInternalServer({
    host: '127.0.0.1',
    port: 0,
    own: await certificate('provisioner', 'server'),
    ca: ca.certificate,
    ...internalDeps(world.provisioner.deps, (name) => world.provisioner.regions.get(name)),
    log: createLogger({ service: 'test', level: 'silent' }),
  });
});
afterAll(async () => {
  await Promise.all(Object.values(agents).map((a) => a.close()));
  await server?.close();
  await world?.close();
});

interface Answer {
  status: number;
  body: unknown;
}
async function post(path: string, body: unknown, from = 'cluster-api'): Promise<Answer> {
  const answer = await request(new URL(path, server.url), {
    method: 'POST',
    dispatcher: agents[from] as Agent,
    body: JSON.stringify(body),
  });
  return { status: answer.statusCode, body: await answer.body.json() };
}
const planOf = (change: (spec: Cluster['spec']) => void, key = 'tenant-a/web', from?: string): Promise<Answer> => {
  const spec = structuredClone(cluster.spec);
  change(spec);
  return post(`/internal/v1/clusters/${key}/plan`, { spec }, from);
};
const capacity = (needs: object, region = 'r1') => post(`/internal/v1/regions/${region}/capacity`, { needs });
const pool = (spec: Cluster['spec']) => spec.nodePools[0] as Cluster['spec']['nodePools'][number];

describe('the plan of a change', () => {
  it('names the machines that come, and changes nothing', async () => {
    const before = world.calls('POST');
    const { status, body } = await planOf((spec) => {
      pool(spec).count = 4;
    });
    expect(status).toBe(200);
    const plan = body as ChangePlan;
    expect(plan.steps).toEqual([
      { release: 'v1.35.4', actions: [1, 2].map(() => expect.objectContaining({ action: 'create', pool: 'workers' })) },
    ]);
    expect(plan.blockers).toEqual([]);
    expect([world.calls('POST'), (await world.machines()).length]).toEqual([before, 3]);
  });

  it('is empty for the spec as it is', async () => {
    const { body } = await planOf(() => {});
    expect(body).toMatchObject({ from: 'v1.35.4', to: 'v1.35.4', steps: [], blockers: [] });
  });

  it('says what the quotas do not carry', async () => {
    world.setQuota('compute', { instances: 4 });
    const { body } = await planOf((spec) => {
      pool(spec).count = 5;
    });
    world.setQuota('compute', { instances: 100 });
    expect((body as ChangePlan).blockers).toMatchObject([
      { reason: 'QuotaExceeded', field: 'spec.nodePools[0].count', message: expect.stringContaining('leaves 1 of 4') },
    ]);
  });

  it('says what the quota of the tenant does not carry', async () => {
    const ref = { name: 'a' };
    await world.kube.create<Tenant>(TENANTS, { metadata: ref, spec: { quota: { machines: 3 } } } as unknown as Tenant);
    await until(() => world.provisioner.deps.quota.room('tenant-a', 'another')?.others === 3, { what: 'it is known' });
    const { body } = await planOf((spec) => {
      pool(spec).flavor = 'm1.large';
    });
    await world.kube.delete(TENANTS, ref);
    await until(() => world.provisioner.deps.quota.room('tenant-a', '') === undefined, { what: 'it is gone' });
    expect((body as ChangePlan).blockers).toMatchObject([
      {
        reason: 'TenantQuotaExceeded',
        field: 'spec.nodePools[0].maxSurge',
        message: expect.stringContaining('takes 1 more machine, and the quota of tenant a leaves 0 of 3'),
      },
    ]);
  });

  it('says that a flavor is not there, with its field', async () => {
    const { body } = await planOf((spec) => {
      pool(spec).flavor = 'm1.huge';
    });
    expect((body as ChangePlan).blockers).toMatchObject([
      { reason: 'FlavorNotFound', field: 'spec.nodePools[0].flavor' },
    ]);
  });

  it('is told without quotas while the cloud does not answer', async () => {
    const outage = { match: { service: 'nova' }, action: { type: 'status', status: 503 } } as const;
    const { id } = world.cloud.state.faults.add(outage);
    const { status, body } = await planOf((spec) => {
      pool(spec).count = 3;
    });
    world.cloud.state.faults.remove(id);
    expect(status).toBe(200);
    const plan = body as ChangePlan;
    expect(plan.steps[0]?.actions).toHaveLength(1);
    expect(plan.notes.join()).toMatch(/whether quotas and addresses carry it is not known \(CloudError\)/);
  });

  it('is of no cluster that there is not', async () => {
    expect((await planOf(() => {}, 'tenant-a/other')).status).toBe(404);
  });

  it('is refused for a spec that is none, with the field', async () => {
    const answer = await post('/internal/v1/clusters/tenant-a/web/plan', { spec: { ...cluster.spec, release: 7 } });
    expect(answer).toMatchObject({ status: 422, body: { reason: 'InvalidRequest', field: 'spec.release' } });
  });
});

describe('what the quotas leave', () => {
  it('is told beside what is needed', async () => {
    const { status, body } = await capacity({ machines: [{ flavor: 'm1.small', count: 2 }] });
    expect(status).toBe(200);
    const { resources } = body as { resources: { name: string; needed: number; left: number; used: number }[] };
    expect(resources.map((r) => r.name)).toEqual(['instances', 'cores', 'ram', 'ports']);
    expect(resources[0]).toMatchObject({ needed: 2, used: 3, left: 97 });
    expect(resources[3]?.used).toBeGreaterThanOrEqual(3);
  });

  it('has no end where there is no limit', async () => {
    world.setQuota('compute', { cores: -1 });
    const { body } = await capacity({ machines: [] });
    expect((body as { resources: object[] }).resources[1]).toMatchObject({ name: 'cores', limit: null, left: null });
  });

  it('is not told for a flavor or a region that there is not', async () => {
    expect(await capacity({ machines: [{ flavor: 'm1.huge', count: 1 }] })).toMatchObject({
      status: 422,
      body: { reason: 'FlavorNotFound' },
    });
    expect(await capacity({ machines: [] }, 'r9')).toMatchObject({ status: 422, body: { reason: 'RegionNotFound' } });
  });
});

describe('who may ask', () => {
  it('is cluster-api, and no other service', async () => {
    expect((await planOf(() => {}, 'tenant-a/web', 'provisioner')).status).toBe(403);
  });
  it.each(['stranger', 'nobody'])('is not %s, whom the internal CA does not vouch for', async (from) => {
    await expect(planOf(() => {}, 'tenant-a/web', from)).rejects.toThrow();
  });
});
