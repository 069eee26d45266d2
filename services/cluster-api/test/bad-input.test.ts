import { until } from '@shoto/service/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Capacity, FlavorNeed } from '../src/provisioner-client.ts';
import { reviewCluster } from '../src/webhook.ts';
import {
  type Body,
  CLUSTERS,
  makeCluster,
  makeMachine,
  publish,
  regionSpec,
  startWorld,
  type World,
  writeStatus,
} from './world.ts';

/** What the provisioner of these tests knows of the cloud's quota. */
let capacity: (needs: FlavorNeed[]) => Promise<Capacity>;
const plenty = async (): Promise<Capacity> => ({ resources: [{ name: 'instances', needed: 1, left: null }] });
let w: World;
beforeAll(async () => {
  capacity = plenty;
  w = await startWorld({
    provisioner: {
      plan: () => Promise.reject(new Error('nobody should ask for a plan here')),
      capacity: (_region, needs) => capacity(needs),
      close: async () => {},
    },
  });
  await publish(w, 'kubernetesreleases', 'KubernetesRelease', 'v1.33.5', {
    version: 'v1.33.5',
    images: [{ region: 'one', image: 'n' }],
  });
});
afterAll(() => w.close());

const pool = (more: object = {}) => ({ name: 'default', count: 2, flavor: 'm1.small', ...more });
const patch = (name: string, spec: object) => w.call('PATCH', `${CLUSTERS}/${name}`, { body: { spec } });

/** The verdict of the webhook on the same change: its causes. */
async function reviewed(name: string, spec: object) {
  const before = (await w.call('GET', `${CLUSTERS}/${name}`)).body;
  const { response } = (await reviewCluster(
    {
      store: w.store,
      now: Date.now,
      provisioner: { plan: undefined, capacity: (_r: string, n: FlavorNeed[]) => capacity(n) } as never,
    },
    {
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      request: {
        uid: 'r',
        operation: 'UPDATE',
        namespace: 'tenant-blue',
        object: { metadata: before.metadata, spec: { ...before.spec, ...spec } },
        oldObject: before,
      },
    } as never,
  )) as { response: { allowed: boolean; status?: { details: { causes: { field: string; message: string }[] } } } };
  return response.status?.details.causes ?? [];
}

/** A change is refused at both doors, with this field and these words. */
async function expectRefused(name: string, spec: object, field: string, words: string | RegExp) {
  const { status, body } = await patch(name, spec);
  expect([status, body.reason]).toEqual([422, 'Invalid']);
  const problem = { field, message: expect.stringMatching(words) };
  expect(body.errors).toEqual([expect.objectContaining(problem)]);
  expect(await reviewed(name, spec)).toEqual([expect.objectContaining(problem)]);
}

describe('a size is refused', () => {
  beforeAll(() => makeCluster(w, 'size'));

  it('below 0', () =>
    expectRefused('size', { nodePools: [pool({ count: -1 })] }, 'spec.nodePools[0].count', /^-1: .*0/));

  it("past the tenant's quota, over all of its clusters", async () => {
    await makeCluster(w, 'other', { nodePools: [pool({ count: 4 })] });
    await publish(w, 'tenants', 'Tenant', 'blue', { quota: { machines: 10 } });
    await expectRefused(
      'size',
      { nodePools: [pool({ count: 5 })] },
      'spec.nodePools[0].count',
      'the clusters of tenant blue would have 11 machines, and its quota is 10 (its other clusters have 5): ask for at most 4 here, or have an administrator raise the quota'.replace(
        /[()]/g,
        '\\$&',
      ),
    );
    expect((await patch('size', { nodePools: [pool({ count: 4 })] })).status).toBe(200);
    const one = await w.call('POST', CLUSTERS, {
      body: { metadata: { name: 'late' }, spec: { ...((await get('size')).spec as object), nodePools: [] } },
    });
    expect([one.status, one.body.errors[0]]).toEqual([
      422,
      expect.objectContaining({
        field: 'spec.controlPlane.count',
        message: expect.stringContaining('ask for fewer machines, or have an administrator raise the quota'),
      }),
    ]);
    await publish(w, 'tenants', 'Tenant', 'blue', {});
  });

  it("past the region's limit of one cluster, and of all", async () => {
    await publish(w, 'regions', 'Region', 'one', regionSpec('one', { limits: { machinesPerCluster: 7 } }));
    await expectRefused(
      'size',
      { nodePools: [pool({ count: 3 }), pool({ name: 'gpu', count: 6 })] },
      'spec.nodePools[1].count',
      /^the cluster would have 10 machines, and region one allows 7 a cluster: ask for at most 3 here, or use a second cluster$/,
    );
    await expectRefused(
      'size',
      { controlPlane: { count: 5, flavor: 'm1.medium' } },
      'spec.controlPlane.count',
      /9 machines, and region one allows 7 a cluster: ask for at most 3 here/,
    );
    await publish(w, 'regions', 'Region', 'one', regionSpec('one', { limits: { machines: 11 } }));
    await expectRefused(
      'size',
      { nodePools: [pool({ count: 7 })] },
      'spec.nodePools[0].count',
      /^all clusters of region one would have 13 machines, and it allows 11: ask for at most 5 here, or use another region$/,
    );
    await publish(w, 'regions', 'Region', 'one', regionSpec('one'));
  });

  it('a limit that was lowered since is no obstacle to other changes, nor to fewer machines', async () => {
    await publish(w, 'regions', 'Region', 'one', regionSpec('one', { limits: { machinesPerCluster: 1 } }));
    expect((await patch('size', { healing: { enabled: false } })).status).toBe(200);
    expect((await patch('size', { nodePools: [pool({ count: 1 })] })).status).toBe(200);
    expect((await patch('size', { nodePools: [pool({ count: 1, maxSurge: 2 })] })).status).toBe(200);
    await publish(w, 'regions', 'Region', 'one', regionSpec('one'));
  });

  it("past the subnet's addresses, with what is counted", async () => {
    await makeCluster(w, 'subnet', { network: { nodeCIDR: '10.9.0.0/28' } });
    const words =
      /^10\.9\.0\.0\/28 has 16 addresses, and 17 are needed: 7 machines, 2 more while machines are replaced, 8 for router, DHCP and load balancer: ask for at most 5 here, lower maxSurge, or make another cluster with a larger network$/;
    await expectRefused('subnet', { nodePools: [pool({ count: 6 })] }, 'spec.nodePools[0].count', words);
    expect((await patch('subnet', { nodePools: [pool({ count: 5 })] })).status).toBe(200);
    await expectRefused(
      'subnet',
      { nodePools: [pool({ count: 5, maxSurge: '25%' })] },
      'spec.nodePools[0].maxSurge',
      /17 are needed: 6 machines, 3 more while machines are replaced/,
    );
    const made = await w.call('POST', CLUSTERS, {
      body: {
        metadata: { name: 'tiny' },
        spec: { ...((await get('subnet')).spec as object), network: { nodeCIDR: '10.9.0.0/29' } },
      },
    });
    expect(made.body.errors[0]).toMatchObject({
      field: 'spec.nodePools[0].count',
      message: expect.stringContaining('or choose a larger spec.network.nodeCIDR'),
    });
  });

  it('past the addresses of its own subnet only: on a shared network they are not ours to count', async () => {
    await publish(w, 'regions', 'Region', 'one', regionSpec('one', { sharedNetwork: 'lan' }));
    expect((await patch('subnet', { nodePools: [pool({ count: 50 })] })).status).toBe(200);
    await publish(w, 'regions', 'Region', 'one', regionSpec('one'));
  });

  it("past the cloud's quota", async () => {
    const asked: FlavorNeed[][] = [];
    capacity = async (needs) => {
      asked.push(needs);
      return { resources: [{ name: 'instances', needed: 7, left: 3, limit: 20 }] };
    };
    await makeClusterUnder('quota');
    await expectRefused(
      'quota',
      { nodePools: [pool({ count: 9 })] },
      'spec.nodePools[0].count',
      /^7 more instances are needed, and the project's quota leaves 3 of 20: ask for fewer or smaller machines, free some, or have the cloud's operator raise it$/,
    );
    expect(asked[0]).toEqual([{ flavor: 'm1.small', count: 7 }]);
    await expectRefused(
      'quota',
      { nodePools: [pool({ flavor: 'm1.large' })] },
      'spec.nodePools[0].flavor',
      /instances/,
    );
    // What grows in nothing is not asked about.
    asked.length = 0;
    expect((await patch('quota', { nodePools: [pool({ count: 1 })], release: 'v1.35.5' })).status).toBe(200);
    expect(asked).toEqual([]);
    capacity = plenty;
  });

  it('by nobody where the cloud cannot be asked', async () => {
    await makeCluster(w, 'unasked');
    capacity = () => Promise.reject(new Error('timed out'));
    expect((await patch('unasked', { nodePools: [pool({ count: 9 })] })).status).toBe(200);
    capacity = plenty;
  });
});

const get = async (name: string): Promise<Body> => (await w.call('GET', `${CLUSTERS}/${name}`)).body;
/** Makes a cluster while the cloud has room. */
async function makeClusterUnder(name: string) {
  const after = capacity;
  capacity = plenty;
  await makeCluster(w, name);
  capacity = after;
}

describe('a pool is refused', () => {
  beforeAll(() => makeCluster(w, 'pools'));
  it('without a flavor', () =>
    expectRefused('pools', { nodePools: [pool(), { name: 'new', count: 1 }] }, 'spec.nodePools[1].flavor', /required/));
  it('with neither surge nor unavailable machines', () =>
    expectRefused(
      'pools',
      { nodePools: [pool({ maxSurge: 0, maxUnavailable: 0 })] },
      'spec.nodePools[0]',
      /^maxSurge and maxUnavailable cannot both be 0: no machine could ever be replaced; let maxSurge be 1$/,
    ));
  it("with a release that is newer than the cluster's", () =>
    expectRefused(
      'pools',
      { nodePools: [pool({ release: 'v1.36.3' })] },
      'spec.nodePools',
      /^a pool's release cannot be newer than the cluster's$/,
    ));
  it('with a release that is withdrawn, unless machines of it run that', async () => {
    await publish(w, 'kubernetesreleases', 'KubernetesRelease', 'v1.34.8', {
      version: 'v1.34.8',
      images: [{ region: 'one', image: 'n' }],
      support: { withdrawn: true },
    });
    const back = { nodePools: [pool({ release: 'v1.34.8' })] };
    await expectRefused(
      'pools',
      back,
      'spec.nodePools[0].release',
      /^release v1\.34\.8 is withdrawn or out of its support/,
    );
    await makeMachine(w, await get('pools'), 'pools-default-old', { release: 'v1.34.8' });
    expect((await patch('pools', back)).status).toBe(200);
  });
  it('and may go back, and follow an upgrade that is asked for with it', async () => {
    await makeCluster(w, 'follows');
    const go = (release: string, of: string) => patch('follows', { release, nodePools: [pool({ release: of })] });
    expect((await go('v1.35.4', 'v1.34.9')).status).toBe(200);
    expect((await go('v1.36.3', 'v1.36.3')).status).toBe(200);
    expect((await go('v1.36.3', 'v1.35.4')).status).toBe(200);
  });
});

describe('an upgrade is refused', () => {
  it('two minors on when the one between is not offered', async () => {
    await makeCluster(w, 'minors', { release: 'v1.31.0' });
    await expectRefused(
      'minors',
      { release: 'v1.33.5' },
      'spec.release',
      /^the way from v1\.31\.0 to v1\.33\.5 goes through 1\.32, and no release of it is on offer in region one: ask for an older one, or have one published$/,
    );
    await makeCluster(w, 'walks', { release: 'v1.33.5' });
    expect((await patch('walks', { release: 'v1.36.3' })).status).toBe(200);
  });

  it('where the release itself says that it cannot be reached', async () => {
    await publish(w, 'kubernetesreleases', 'KubernetesRelease', 'v1.35.9', {
      version: 'v1.35.9',
      images: [{ region: 'one', image: 'n' }],
      upgradableFrom: ['v1.35.7'],
    });
    await makeCluster(w, 'unreached');
    await expectRefused(
      'unreached',
      { release: 'v1.35.9' },
      'spec.release',
      /^no way leads from v1\.35\.4 to v1\.35\.9/,
    );
  });

  it('down, below what the control plane runs', async () => {
    await makeCluster(w, 'down');
    await expectRefused(
      'down',
      { release: 'v1.34.9' },
      'spec.release',
      /^release cannot go below the one .* a pool can/,
    );
  });

  it.each([
    ['withdrawn', 'v1.33.1'],
    ['out of its support window', 'v1.33.2'],
  ])('to a release that is %s', async (_what, release) => {
    const name = `w-${release.at(-1)}`;
    await publish(w, 'kubernetesreleases', 'KubernetesRelease', 'v1.32.9', {
      version: 'v1.32.9',
      images: [{ region: 'one', image: 'n' }],
    });
    await makeCluster(w, name, { release: 'v1.32.9' });
    await expectRefused(
      name,
      { release },
      'spec.release',
      new RegExp(`^release ${release.replaceAll('.', '\\.')} is withdrawn or out of its support window: choose one of`),
    );
  });

  it('and one that failed may be aimed elsewhere, or taken back: its way begins at what runs', async () => {
    await makeCluster(w, 'failed');
    writeStatus(w, 'failed', { infrastructure: { release: 'v1.35.4' } });
    expect((await patch('failed', { release: 'v1.36.3' })).status).toBe(200);
    // What it ran before may have been withdrawn in the meantime.
    expect((await patch('failed', { release: 'v1.35.5' })).status).toBe(200);
    expect((await patch('failed', { release: 'v1.35.4' })).status).toBe(200);
    writeStatus(w, 'failed', { infrastructure: { release: 'v1.35.5' } });
    await until(() => w.store.cluster('tenant-blue', 'failed')?.status?.infrastructure?.release === 'v1.35.5');
    expect((await patch('failed', { release: 'v1.36.3' })).status).toBe(200);
    await expectRefused('failed', { release: 'v1.35.4' }, 'spec.release', /^release cannot go below/);
  });
});

describe('a maintenance window is refused', () => {
  beforeAll(() => makeCluster(w, 'window'));
  it.each<[string, object, string, RegExp]>([
    [
      'in a time zone that does not exist',
      { timeZone: 'Mars/Olympus', start: '02:00' },
      'spec.maintenanceWindow.timeZone',
      /^there is no such time zone: name one of the IANA database, such as UTC, Asia\/Tokyo/,
    ],
    ['at 25 o’clock', { start: '25:00' }, 'spec.maintenanceWindow.start', /"25:00"/],
    ['on no day', { start: '02:00', days: [] }, 'spec.maintenanceWindow.days', /./],
    ['of a minute', { start: '02:00', durationMinutes: 1 }, 'spec.maintenanceWindow.durationMinutes', /30/],
  ])('%s', (_what, maintenanceWindow, field, words) => expectRefused('window', { maintenanceWindow }, field, words));
});
