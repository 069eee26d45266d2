import { findCondition } from '@shoto/api';
import { SECRETS } from '@shoto/kube';
import { until } from '@shoto/service/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { CLUSTERS, type ClusterOptions, credentials, REGIONS, startWorld, type World } from '../src/testing/world.ts';

let world: World;
afterEach(() => world.close());

const regionReady = async () => findCondition((await world.region())?.status?.provisioner.conditions, 'Ready');
const untilRegion = (reason: string) =>
  until(
    async () => {
      const c = await regionReady();
      return c?.reason === reason ? c : undefined;
    },
    { what: `the region says ${reason}`, timeoutMs: 10_000 },
  );
const clusterReady = (reason: string) =>
  world
    .untilCluster(`the cluster says ${reason}`, (c) => findCondition(c.status?.conditions, 'Ready')?.reason === reason)
    .then((c) => findCondition(c.status?.conditions, 'Ready')?.message ?? '');
const putCredentials = (password: string) =>
  world.kube.mergePatch(
    SECRETS,
    { namespace: 'shoto-system', name: 'r1' },
    { data: credentials(`${world.cloud.state.base}/identity/v3`, password).data },
  );

describe('a region', () => {
  it('says that its cloud answers', async () => {
    world = await startWorld();
    expect(await untilRegion('Answers')).toMatchObject({ status: 'True' });
  });

  it('says so when its credentials are wrong; clusters wait and go on when they are mended', async () => {
    world = await startWorld({ password: 'wrong' });
    const said = await untilRegion('Unauthorized');
    expect(said.message).toContain('mend the Secret');
    expect(said.message).not.toContain('wrong"');
    await world.createCluster({ workers: 0 });
    expect(await clusterReady('RegionNotReady')).toContain('Unauthorized');
    expect(await world.machines()).toEqual([]);
    await putCredentials('shoto');
    await untilRegion('Answers');
    await world.untilMachines('the server runs', (ms) => ms[0]?.status?.server.state === 'Active');
  });

  it('waits for a cloud that is down at start', async () => {
    world = await startWorld({ cloudDown: true });
    await untilRegion('CloudUnreachable');
    await world.createCluster({ workers: 0 });
    await clusterReady('RegionNotReady');
    await putCredentials('shoto');
    await world.untilMachines('the server runs', (ms) => ms[0]?.status?.server.state === 'Active');
  });

  it('says so when its cloud fails later on, and when it works again', async () => {
    world = await startWorld();
    await untilRegion('Answers');
    const { id } = world.cloud.state.faults.add({
      match: { service: 'nova' },
      action: { type: 'status', status: 503 },
    });
    expect((await untilRegion('CloudError')).status).toBe('False');
    world.cloud.state.faults.remove(id);
    await untilRegion('Answers');
    await world.createCluster({ workers: 0 });
    await world.untilMachines('the server runs', (ms) => ms[0]?.status?.server.state === 'Active');
  });

  it('names the field when its external network does not exist, and is looked at again when it is mended', async () => {
    world = await startWorld({ region: { externalNetwork: 'outside' } });
    const said = await untilRegion('NetworkNotFound');
    expect(said.message).toContain('Region.spec.externalNetwork: there is no network "outside"');
    expect(said.message).toContain('public');
    await world.kube.mergePatch(REGIONS, { name: 'r1' }, { spec: { externalNetwork: 'public' } });
    await untilRegion('Answers');
  });

  it('says which Secret is missing', async () => {
    world = await startWorld({
      region: { openstack: { credentialsSecretRef: { namespace: 'shoto-system', name: 'none' } } },
    });
    expect((await untilRegion('SecretNotFound')).message).toContain('there is no Secret shoto-system/none');
  });

  it('costs next to nothing while nothing changes', async () => {
    world = await startWorld();
    await world.createCluster({ workers: 1 });
    await world.untilMachines(
      'both run',
      (ms) => ms.length === 2 && ms.every((m) => m.status?.server.state === 'Active'),
    );
    await world.untilCluster(
      'all is said',
      (c) => findCondition(c.status?.infrastructure.conditions, 'MachinesReady')?.status === 'True',
    );
    const rounds = () =>
      world.cloud.state.requests
        .list()
        .filter((r) => r.path.endsWith('/servers/detail'))
        .reduce((n, r) => n + r.count, 0);
    const [writes, passes, from] = [world.writes.length, world.engine.passes.length, rounds()];
    await until(() => rounds() >= from + 3, { what: 'three more lists of servers' });
    expect(world.writes.length).toBe(writes);
    expect(world.engine.passes.length).toBe(passes);
  });
});

describe('what does not exist', () => {
  it.each<[string, ClusterOptions, object, string, RegExp]>([
    [
      'flavor',
      { flavor: 'm9.huge' },
      {},
      'FlavorNotFound',
      /spec\.controlPlane\.flavor: there is no flavor "m9\.huge" in region r1: choose one of .*m1\.small/,
    ],
    [
      'flavor that is not offered',
      { flavor: 'm1.xlarge' },
      { flavors: ['m1.small', 'm1.medium'] },
      'FlavorNotOffered',
      /"m1\.xlarge" is not offered .* choose one of m1\.medium, m1\.small/,
    ],
    [
      'release',
      { release: 'v1.30.0' },
      {},
      'ReleaseNotFound',
      /spec\.release: there is no KubernetesRelease "v1\.30\.0": choose one of v1\.35\.4/,
    ],
    [
      'zone',
      { zones: ['moon'] },
      {},
      'ZoneNotFound',
      /spec\.controlPlane\.zones: there is no availability zone "moon" .* choose one of az1, az2, az3/,
    ],
    [
      'region',
      { region: 'nowhere' },
      {},
      'RegionNotFound',
      /spec\.region: there is no Region "nowhere": choose one of r1/,
    ],
    [
      'endpoint for three',
      { controlPlanes: 3 },
      { apiEndpoint: { type: 'MachineAddress' }, sharedNetwork: 'public' },
      'UnsupportedEndpoint',
      /spec\.controlPlane\.count: 3/,
    ],
  ])('is told by field, value and mend: %s', async (_, cluster, region, reason, message) => {
    world = await startWorld({ region });
    await world.createCluster({ workers: 0, ...cluster });
    expect(await clusterReady(reason)).toMatch(message);
    expect(await world.machines()).toEqual([]);
    expect(await world.leftovers()).toEqual({});
    await world.kube.delete(CLUSTERS, { namespace: 'tenant-a', name: 'web' });
    await until(async () => (await world.cluster()) === undefined, { what: 'it can be deleted all the same' });
  });

  it('goes on when the missing release is published', async () => {
    world = await startWorld();
    await world.createCluster({ workers: 0, release: 'v1.35.5' });
    await clusterReady('ReleaseNotFound');
    await world.kube.create(
      {
        group: 'shoto.dev',
        version: 'v1alpha1',
        plural: 'kubernetesreleases',
        kind: 'KubernetesRelease',
        namespaced: false,
      },
      {
        metadata: { name: 'v1.35.5' },
        spec: { version: 'v1.35.5', images: [{ region: 'r1', image: 'node-v1.35.4' }] },
      } as never,
    );
    await world.untilMachines('the server runs', (ms) => ms[0]?.status?.server.state === 'Active');
  });
});
