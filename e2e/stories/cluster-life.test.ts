import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Cluster,
  ClusterKind,
  findCondition,
  type Machine,
  MachineKind,
  resourceOf,
  tenantNamespace,
} from '@shoto/api';
import { CONFIGMAPS, connectionFromKubeconfig, type HasMeta, KubeClient, NODES, SECRETS } from '@shoto/kube';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { difference, type Holdings, holdings } from '../leftovers.ts';
import { until } from '../poll.ts';
import { kubeconfigFile, startWorld, tier, type World } from '../world.ts';

/** Whether machines of this tier run Kubernetes. */
const boots = tier !== 'api';

let world: World;
let before: Holdings;
const namespace = () => tenantNamespace(world.system.tenant);
const cluster = (name: string) =>
  world.management.get<Cluster>(resourceOf(ClusterKind), { namespace: namespace(), name });
const machines = async (name: string) =>
  (await world.management.listAll<Machine>(resourceOf(MachineKind), { namespace: namespace() })).filter(
    (m) => m.spec.cluster.name === name,
  );
const nothingLeft = () =>
  until(
    'nothing left in the cloud',
    async () => {
      const rest = difference(before, await holdings(world.cloud));
      return rest.length === 0 ? true : Promise.reject(new Error(rest.join(', ')));
    },
    60_000,
  );

beforeAll(async () => {
  world = await startWorld();
  before = await holdings(world.cloud);
});
afterAll(() => world?.end());

describe('the life of a cluster', () => {
  it('begins with one command', async () => {
    if (boots) {
      const { code, stdout, stderr } = await world.shoto('create', 'cluster', 'web', '--timeout', '4m');
      expect(stderr).toBe('');
      expect(stdout).toContain('cluster/web ready');
      expect(code).toBe(0);
      return;
    }
    const { code, stdout } = await world.shoto('create', 'cluster', 'web', '--no-wait');
    expect(stdout).toContain('cluster/web accepted');
    expect(code).toBe(0);
    await until(
      'three servers ACTIVE',
      async () => (await machines('web')).filter((m) => m.status?.server?.state === 'Active').length === 3,
      240_000,
    );
  });

  it('has an endpoint, a network and three servers of its own in the cloud', async () => {
    const c = await cluster('web');
    expect(c?.status?.infrastructure).toMatchObject({
      networkId: expect.any(String),
      endpoint: { internal: expect.stringMatching(/:6443$/), external: expect.stringMatching(/:6443$/) },
    });
    expect(difference(before, await holdings(world.cloud))).toEqual(
      expect.arrayContaining(['3 servers', '1 networks', '1 routers', '1 loadBalancers', '1 floatingIps']),
    );
  });

  it.runIf(boots)('answers kubectl with nodes that are Ready', async () => {
    const client = new KubeClient({
      connection: await connectionFromKubeconfig({ file: await kubeconfigFile(world, 'web') }),
      userAgent: 'test',
    });
    const nodes = await client.listAll<HasMeta & { status: { conditions: { type: string; status: string }[] } }>(NODES);
    await client.close();
    expect(nodes.map((n) => n.status.conditions.find((c) => c.type === 'Ready')?.status)).toEqual([
      'True',
      'True',
      'True',
    ]);
  });

  it('shows itself in get, describe and events', async () => {
    const get = await world.shoto('get', 'clusters');
    expect(get.stdout).toMatch(/NAME +READY +NODES/);
    expect(get.stdout).toMatch(/^web /m);
    const described = await world.shoto('describe', 'cluster', 'web');
    expect(described.stdout).toContain('NetworkReady');
    expect(
      (await world.shoto('get', 'machines', '--cluster', 'web', '-o', 'name')).stdout.trim().split('\n'),
    ).toHaveLength(3);
    expect((await world.shoto('events', 'web')).code).toBe(0);
  });

  it('is refused a second time by its name', async () => {
    const { code, stderr } = await world.shoto('create', 'cluster', 'web', '--no-wait');
    expect(stderr).toContain('metadata.name: "web" is taken');
    expect(code).toBe(4);
  });

  it('keeps its secrets out of reach, and every object small', async () => {
    for (const m of await machines('web'))
      expect(JSON.stringify({ ...m, metadata: { ...m.metadata, managedFields: undefined } }).length).toBeLessThan(2500);
    const visible = JSON.stringify([
      await machines('web'),
      await cluster('web'),
      await world.management.listAll(CONFIGMAPS, { namespace: namespace() }),
    ]);
    expect(visible).not.toMatch(/PRIVATE KEY/);
    expect(await world.management.listAll(SECRETS, { namespace: namespace() })).toEqual([]);
  });

  it('ends with one command, and nothing of it is left', async () => {
    const { code, stdout, stderr } = await world.shoto('delete', 'cluster', 'web', '--timeout', '4m');
    expect(stderr).toBe('');
    expect(stdout).toContain('cluster/web deleted');
    expect(code).toBe(0);
    await nothingLeft();
    const system = await world.management.listAll<HasMeta>(SECRETS, {});
    expect(
      system.filter((s) => s.metadata.labels?.['shoto.dev/cluster'] === 'web').map((s) => s.metadata.name),
    ).toEqual([]);
  });
});

describe('a cluster that is deleted while it is made', () => {
  it('leaves nothing behind', async () => {
    expect((await world.shoto('create', 'cluster', 'brief', '--no-wait')).code).toBe(0);
    await until('its first machine', async () => (await machines('brief')).length > 0);
    expect((await world.shoto('delete', 'cluster', 'brief', '--timeout', '4m')).code).toBe(0);
    await nothingLeft();
  });
});

describe('a quota that does not suffice', () => {
  it('is refused at the door where it is known, is named where it comes later, and the cluster heals when it is raised', async () => {
    const project = (await world.cloud.projectId())!;
    await world.cloudAdmin.compute.quotas.set(project, { instances: 2 });
    try {
      // What the cloud's quotas leave is known for some seconds, and is advice: a dry run is refused when it is asked anew.
      const refused = await until('the quota known at the door', async () => {
        const tried = await world.shoto('create', 'cluster', 'poor', '--dry-run');
        return tried.code === 0 ? undefined : tried;
      });
      expect(refused.code).toBe(4);
      expect(refused.stderr).toMatch(/instances/);

      // Accepted while there was room, which others then take before its first machine is made.
      await world.cloudAdmin.compute.quotas.set(project, { instances: 100 });
      const file = join(world.system.dir, 'poor.yaml');
      writeFileSync(file, 'metadata: { name: poor }\nspec: { paused: true }\n');
      await until(
        'room at the door',
        async () => (await world.shoto('create', 'cluster', '--file', file, '--no-wait')).code === 0,
      );
      await world.cloudAdmin.compute.quotas.set(project, { instances: 2 });
      expect((await world.shoto('resume', 'cluster', 'poor')).code).toBe(0);
      const told = await until(
        'the quota in a condition',
        async () => {
          const all = (await machines('poor')).flatMap((m) => m.status?.server?.conditions ?? []);
          return all.find((c) => /quota/i.test(c.message));
        },
        120_000,
      );
      expect(told.message).toMatch(/instances/i);
      await world.cloudAdmin.compute.quotas.set(project, { instances: 100 });
      await until(
        'three servers ACTIVE',
        async () => (await machines('poor')).filter((m) => m.status?.server?.state === 'Active').length === 3,
        240_000,
      );
    } finally {
      await world.cloudAdmin.compute.quotas.set(project, { instances: -1 });
      await world.shoto('delete', 'cluster', 'poor', '--timeout', '4m');
    }
    await nothingLeft();
  });
});

describe('credentials of the cloud that are wrong', () => {
  it('are said by the Region; the cluster waits, and goes on when they are right', async () => {
    const ref = { namespace: 'shoto-regions', name: 'region-one' };
    const right = (await world.management.get<HasMeta & { data: Record<string, string> }>(SECRETS, ref))!.data[
      'clouds.yaml'
    ]!;
    const wrong = Buffer.from(right, 'base64')
      .toString()
      .replaceAll(/("?(?:password|application_credential_secret)"?: *)("?)[^\s"]+\2/g, '$1$2wrong$2');
    await world.management.mergePatch(SECRETS, ref, { data: { 'clouds.yaml': Buffer.from(wrong).toString('base64') } });
    const region = () =>
      world.management.get<HasMeta & { status?: { provisioner?: { conditions?: never[] } } }>(
        { group: 'shoto.dev', version: 'v1alpha1', plural: 'regions', kind: 'Region', namespaced: false },
        { name: 'one' },
      );
    const ready = async () => findCondition((await region())?.status?.provisioner?.conditions, 'Ready');
    try {
      await until('the Region says so', async () => (await ready())?.status === 'False', 60_000);
      expect((await ready())?.message).not.toContain('wrong');
      expect((await world.shoto('create', 'cluster', 'patient', '--no-wait')).code).toBe(0);
    } finally {
      await world.management.mergePatch(SECRETS, ref, { data: { 'clouds.yaml': right } });
    }
    await until('the Region is ready again', async () => (await ready())?.status === 'True', 90_000);
    await until(
      'three servers ACTIVE',
      async () => (await machines('patient')).filter((m) => m.status?.server?.state === 'Active').length === 3,
      240_000,
    );
    expect((await world.shoto('delete', 'cluster', 'patient', '--timeout', '4m')).code).toBe(0);
    await nothingLeft();
  });
});

describe('bad input at the door', () => {
  const create = (...args: string[]) => world.shoto('create', 'cluster', ...args, '--no-wait');
  it.each([
    ['an unknown release', ['x', '--release', 'v1.99.0'], 'spec.release', /does not exist: choose one of v1\.35\.4/],
    ['an unknown region', ['x', '--region', 'mars'], 'spec.region', /does not exist: choose one of one/],
    ['an unknown zone', ['x', '--pool', 'a=1,zones=moon'], 'spec.nodePools[0].zones[0]', /does not exist/],
    ['networks that overlap', ['x', '--pod-cidr', '10.96.0.0/16'], 'spec.network.podCIDR', /overlap/],
    ['a name that is too long', ['x'.repeat(33)], 'metadata.name', /at most 32/],
    ['a name that is no host name', ['Web_1'], 'metadata.name', /lower-case/],
    ['an even control plane', ['x', '--control-planes', '2'], 'spec.controlPlane.count', /odd number/],
    ['-1 workers', ['x', '--pool', 'a=-1'], 'spec.nodePools[0].count', /-1/],
    ['100,000 workers', ['x', '--pool', 'a=100000'], 'spec.nodePools[0].count', /100000/],
    ['an unknown template', ['x', '--template', 'gold'], 'spec.template', /does not exist: choose one of default/],
  ])('refuses %s, with the field and the mend', async (_title, args, field, mend) => {
    const { code, stderr } = await create(...args);
    expect(stderr).toContain(field);
    expect(stderr).toMatch(mend);
    expect(code).toBe(4);
  });
  it('refuses a body of 10 MB, unknown fields, and tokens that are wrong', async () => {
    const url = `${world.system.apiUrl}/v1/tenants/${world.system.tenant}/clusters`;
    const post = (body: string, token: string) =>
      fetch(url, {
        method: 'POST',
        body,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      });
    expect((await post(`"${'a'.repeat(10_000_000)}"`, world.system.tokens.demo)).status).toBe(413);
    const unknown = await post(
      JSON.stringify({ metadata: { name: 'x' }, spec: { nodepools: [] } }),
      world.system.tokens.demo,
    );
    expect(await unknown.json()).toMatchObject({
      status: 422,
      errors: [{ field: 'spec.nodepools', reason: 'Unknown' }],
    });
    expect((await post('{}', 'nobody')).status).toBe(401);
  });
  it('leaves nothing half-made', async () => {
    expect(await cluster('x')).toBeUndefined();
    await nothingLeft();
  });
  it.each([
    ['flavor', ['--control-plane-flavor', 'huge'], /huge/],
    ['image', [], /no-such-image/],
  ])('says on the cluster that a %s does not exist in the cloud', async (what, args, message) => {
    if (what === 'image') {
      await world.management.create(
        {
          group: 'shoto.dev',
          version: 'v1alpha1',
          plural: 'kubernetesreleases',
          kind: 'KubernetesRelease',
          namespaced: false,
        },
        {
          metadata: { name: 'v1.35.4-9' },
          spec: { version: 'v1.35.4', images: [{ region: 'one', image: 'no-such-image' }] },
        } as HasMeta,
      );
      args = ['--release', 'v1.35.4-9'];
      await until('the release at the door', async () => (await world.shoto('get', 'release', 'v1.35.4-9')).code === 0);
    }
    expect((await create('lost', ...args)).code).toBe(0);
    await until(
      `the ${what} in a condition`,
      async () =>
        [
          ...((await cluster('lost'))?.status?.conditions ?? []),
          ...((await cluster('lost'))?.status?.infrastructure?.conditions ?? []),
        ].some((c) => message.test(c.message)),
      60_000,
    );
    expect((await world.shoto('delete', 'cluster', 'lost', '--timeout', '4m')).code).toBe(0);
    await nothingLeft();
  });
});

it('has told no secret to its logs', () => {
  const logs = ['provisioner', 'bootstrap-worker', 'self-healing', 'addon-manager', 'cluster-api']
    .map((s) => readFileSync(`${world.system.dir}/logs/${s}.log`, 'utf8'))
    .join('\n');
  expect(logs).not.toContain('PRIVATE KEY');
  expect(logs).not.toContain(world.system.tokens.demo);
});
