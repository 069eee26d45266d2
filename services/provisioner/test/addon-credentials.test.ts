import { FINALIZERS, findCondition, isTrue } from '@shoto/api';
import { SECRETS } from '@shoto/kube';
import { until } from '@shoto/service/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { LIFE_MS } from '../src/cluster/addon-credentials/needs.ts';
import { findOrphans } from '../src/region/sweep.ts';
import { CLUSTERS, startWorld, type World } from '../src/testing/world.ts';

let world: World;
afterEach(() => world.close());

const REF = { namespace: 'tenant-a', name: 'web' };
const secrets = () => world.kube.listAll(SECRETS, { namespace: 'shoto-system-addon-credentials' });
const says = (status: 'True' | 'False') =>
  world.untilCluster(
    `its credentials are ${status}`,
    (c) => findCondition(c.status?.infrastructure.conditions, 'AddonCredentialsReady')?.status === status,
  );
const credentials = async () => (await world.user.identity.applicationCredentials.list()).map((c) => c.id);
const gone = () =>
  until(
    async () => {
      await world.letGo();
      return (await world.cluster()) === undefined;
    },
    { what: 'the cluster is gone', timeoutMs: 15_000, everyMs: 50 },
  );

describe('a cluster with an addon that works in the cloud', () => {
  it('has a credential from the beginning, and leaves none', async () => {
    world = await startWorld();
    await world.publish('cinder-csi', 'openstack');
    await world.createCluster({ workers: 0, addons: [{ name: 'cinder-csi' }] });
    const c = await says('True');
    expect(await credentials()).toEqual([c.status?.infrastructure.addonCredentials?.current?.id]);
    expect((await secrets()).map((s) => s.metadata.name)).toEqual([`addon-openstack.${c.metadata.uid}`]);
    await world.kube.delete(CLUSTERS, REF);
    await gone();
    expect(await world.leftovers()).toEqual({});
    expect(await secrets()).toEqual([]);
  });

  it('gets one when its bundle is published, and when the addon is asked for, later', async () => {
    world = await startWorld();
    await world.createCluster({ workers: 0, addons: [{ name: 'cinder-csi' }] });
    await world.untilCluster('it has an endpoint', (c) => isTrue(c.status?.infrastructure.conditions, 'EndpointReady'));
    expect(await credentials()).toEqual([]);
    await world.publish('cinder-csi', 'openstack');
    await says('True');
    await world.kube.jsonPatch(CLUSTERS, REF, [{ op: 'add', path: '/spec/addons', value: [] }]);
    await until(async () => (await credentials()).length === 0, { what: 'it is revoked' });
    expect(await secrets()).toEqual([]);
    await world.kube.jsonPatch(CLUSTERS, REF, [{ op: 'add', path: '/spec/addons', value: [{ name: 'cinder-csi' }] }]);
    await until(async () => (await credentials()).length === 1, { what: 'there is one again' });
  });

  it('keeps it until its addons are gone, and lets go of what they left before its network goes', async () => {
    world = await startWorld();
    await world.publish('cinder-csi', 'openstack');
    await world.createCluster({ workers: 0, addons: [{ name: 'cinder-csi' }] });
    const c = await says('True');
    const { subnetId } = c.status!.infrastructure;
    await world.user.loadBalancer.loadBalancers.create({
      name: `kube_service_${c.metadata.uid}_shop_web`,
      vip_subnet_id: subnetId!,
    });
    const volume = (name: string) =>
      world.user.blockStorage.volumes.create({
        size: 1,
        name,
        metadata: { 'cinder.csi.openstack.org/cluster': c.metadata.uid! },
      });
    const [, kept] = [await volume('gone'), await volume('kept')];
    await world.kube.jsonPatch(CLUSTERS, REF, [
      { op: 'add', path: '/metadata/finalizers/-', value: FINALIZERS.addons },
    ]);
    await world.kube.delete(CLUSTERS, REF);
    await world.untilCluster('it waits for its addons', (x) => x.metadata.deletionTimestamp !== undefined);
    expect(await credentials()).toHaveLength(1);
    const leaving = (await world.cluster())!;
    await world.kube.patchStatusMap(CLUSTERS, leaving, 'addons', { leaving: { state: 'Done', retained: [kept.id] } });
    await world.kube.removeFinalizer(CLUSTERS, (await world.cluster())!, FINALIZERS.addons);
    await gone();
    expect(await world.leftovers()).toEqual({ volumes: 1 });
    expect((await world.user.blockStorage.volumes.list().all()).map((v) => v.name)).toEqual(['kept']);
  });

  it('goes through a provisioner that dies while it is made', async () => {
    world = await startWorld({
      cloud: { latency: { operations: { 'keystone.application_credential.create': { medianMs: 300, spread: 0 } } } },
    });
    await world.publish('cinder-csi', 'openstack');
    await world.createCluster({ workers: 0, addons: [{ name: 'cinder-csi' }] });
    await until(async () => (await credentials()).length === 1, { what: 'one is made', everyMs: 2 });
    await world.restart();
    const c = await says('True');
    expect(await credentials()).toEqual([c.status?.infrastructure.addonCredentials?.current?.id]);
  });
});

it('is renewed while the cluster is paused', async () => {
  world = await startWorld();
  await world.publish('cinder-csi', 'openstack');
  await world.createCluster({ workers: 0, addons: [{ name: 'cinder-csi' }] });
  const first = (await says('True')).status?.infrastructure.addonCredentials?.current;
  await world.untilCluster('it has an endpoint', (c) => isTrue(c.status?.infrastructure.conditions, 'EndpointReady'));
  await world.kube.jsonPatch(CLUSTERS, REF, [{ op: 'add', path: '/spec/paused', value: true }]);
  // As if it had been made ninety days ago.
  const old = new Date(Date.now() - 91 * 86_400_000).toISOString().replace(/\.\d+/, '');
  await until(
    async () => {
      const c = (await world.cluster())!;
      const infra = c.status!.infrastructure;
      const addonCredentials = { ...infra.addonCredentials!, current: { ...first!, createdAt: old } };
      return world.kube.patchStatusMap(CLUSTERS, c, 'infrastructure', { ...infra, addonCredentials }).then(
        () => true,
        () => false,
      );
    },
    { what: 'it is old' },
  );
  await world.restart();
  const renewed = await world.untilCluster(
    'another one is in use',
    (x) => x.status?.infrastructure.addonCredentials?.serial === 2,
  );
  expect(renewed.status?.infrastructure.addonCredentials?.retiring).toMatchObject([{ id: first!.id }]);
  expect(await credentials()).toHaveLength(2);
});

it('does not hold up a cluster in a region that can give none, and says so in Ready once the rest is there', async () => {
  world = await startWorld({ region: { addons: { roles: ['unheard-of'] } } });
  await world.publish('cinder-csi', 'openstack');
  await world.createCluster({ workers: 0, addons: [{ name: 'cinder-csi' }] });
  await says('False');
  const c = await world.untilCluster('it has an endpoint', (x) =>
    isTrue(x.status?.infrastructure.conditions, 'EndpointReady'),
  );
  expect(findCondition(c.status?.infrastructure.conditions, 'AddonCredentialsReady')?.reason).toBe('RoleMissing');
});

it('costs clusters without such addons nothing', async () => {
  world = await startWorld();
  await world.publish('flannel');
  await world.createCluster({ workers: 0, addons: [{ name: 'flannel' }] });
  await world.untilCluster('it has an endpoint', (c) => isTrue(c.status?.infrastructure.conditions, 'EndpointReady'));
  await world.kube.delete(CLUSTERS, REF);
  await gone();
  expect(world.calls('GET', /application_credentials|volumes/)).toBe(0);
  expect(world.calls('POST', /application_credentials/)).toBe(0);
});

it('is reported where it outlived its cluster', async () => {
  world = await startWorld();
  const ago = (ms: number) => new Date(Date.now() + LIFE_MS - ms).toISOString().slice(0, 19);
  const make = (name: string, description: string, age: number) =>
    world.user.identity.applicationCredentials.create({ name, description, expires_at: ago(age) });
  await make('young', 'Shoto test-installation cluster u1', 60_000);
  const old = await make('old', 'Shoto test-installation cluster u1', 3_600_000);
  await make('claimed', 'Shoto test-installation cluster u2', 3_600_000);
  await make('theirs', 'Shoto other-installation cluster u1', 3_600_000);
  const region = await until(
    async () => {
      try {
        return world.provisioner.deps.region('r1');
      } catch {
        return undefined;
      }
    },
    { what: 'the region answers' },
  );
  const claims = { hasCluster: (uid: string) => uid === 'u2', hasMachine: () => false };
  expect(await findOrphans(region, 'test-installation', claims, Date.now())).toEqual([
    { kind: 'application credential', id: old.id, name: 'old' },
  ]);
});
