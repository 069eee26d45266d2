import type { WaitingError } from '@shoto/reconciler';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type AddonScene,
  aBundle,
  isDeath,
  type PassOptions,
  startAddonScene,
  UID,
} from '../../testing/addon-scene.ts';
import { CSI_CLUSTER, deleteAddonLeftovers, mayHaveWorked } from './delete-addon-leftovers.ts';

let scene: AddonScene;
beforeEach(async () => {
  scene = await startAddonScene();
});
afterEach(() => scene.close());

const looked = (...retained: string[]): PassOptions => ({
  cluster: { status: { addons: { leaving: { state: 'Done', retained } } } },
});

/** Passes until one has nothing to wait for. @returns the reasons of the waiting */
async function toTheEnd(o: PassOptions): Promise<string[]> {
  const reasons: string[] = [];
  for (let passes = 0; passes < 200; passes++) {
    const e = await scene.pass(deleteAddonLeftovers, o).then(
      () => undefined,
      (error: WaitingError) => error,
    );
    if (!e) return reasons;
    if (e.kind !== 'waiting') throw e;
    reasons.push(e.reason);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('it goes on for ever');
}

/** What the cloud-controller-manager makes for a Service. */
async function aServiceBalancer(name: string, subnet = scene.stored().subnetId!): Promise<void> {
  const default_pool = { name: 'p', protocol: 'TCP', lb_algorithm: 'ROUND_ROBIN' } as const;
  await scene.user.loadBalancer.loadBalancers.create({
    name,
    vip_subnet_id: subnet,
    listeners: [{ name: 'l', protocol: 'TCP', protocol_port: 80, default_pool }],
  });
}

/** What the CSI driver makes for a claim. */
const aVolume = async (cluster = UID): Promise<string> => {
  const { id } = await scene.user.blockStorage.volumes.create({
    size: 1,
    name: 'pvc-1',
    metadata: { [CSI_CLUSTER]: cluster, 'csi.storage.k8s.io/pvc/name': 'data' },
  });
  while ((await scene.user.blockStorage.volumes.get(id)).status !== 'available')
    await new Promise((resolve) => setTimeout(resolve, 5));
  return id;
};
const volumes = async () => (await scene.user.blockStorage.volumes.list().all()).map((v) => v.id).sort();
const balancers = async () => (await scene.user.loadBalancer.loadBalancers.list().all()).map((l) => l.name).sort();

describe('load balancers of Services', () => {
  it('go, with the floating IPs that the cloud-controller-manager made for them; those that a person brought stay', async () => {
    await aServiceBalancer(`kube_service_${UID}_shop_web`);
    const [lb] = await scene.user.loadBalancer.loadBalancers.list().all();
    const routerId = (
      await scene.user.network.routers.create({
        name: 'r',
        external_gateway_info: {
          network_id: (await scene.user.network.networks.list({ name: 'public' }).all())[0]!.id,
        },
      })
    ).id;
    await scene.user.network.routers.addInterface(routerId, { subnet_id: scene.stored().subnetId! });
    const ip = (description: string, port_id?: string) =>
      scene.user.network.networks
        .list({ name: 'public' })
        .all()
        .then(([n]) =>
          scene.user.network.floatingIps.create({
            floating_network_id: n!.id,
            description,
            ...(port_id ? { port_id } : {}),
          }),
        );
    await ip(`Floating IP for Kubernetes external service shop/web from cluster ${UID}`, lb!.vip_port_id);
    const own = await ip('ours for years');
    expect(await toTheEnd(looked())).toContain('Deleting');
    expect(await balancers()).toEqual([]);
    expect((await scene.user.network.floatingIps.list().all()).map((f) => f.id)).toEqual([own.id]);
  });
  it('go by their network too, where it is the cluster’s own, whatever name the cluster has for itself', async () => {
    await aServiceBalancer('kube_service_kubernetes_shop_web');
    await toTheEnd(looked());
    expect(await balancers()).toEqual([]);
  });
  it('stay where they are not provably the cluster’s', async () => {
    const other = await scene.user.network.networks.create({ name: 'other' });
    const subnet = await scene.user.network.subnets.create({
      network_id: other.id,
      ip_version: 4,
      cidr: '10.9.0.0/24',
    });
    await aServiceBalancer('kube_service_kubernetes_shop_web', subnet.id);
    await aServiceBalancer('mine');
    await toTheEnd(looked());
    expect(await balancers()).toEqual(['kube_service_kubernetes_shop_web', 'mine']);
    await toTheEnd({ ...looked(), region: { sharedNetwork: 'web' } });
    await aServiceBalancer('kube_service_kubernetes_shop_api');
    await toTheEnd({ ...looked(), region: { sharedNetwork: 'web' } });
    expect(await balancers()).toContain('kube_service_kubernetes_shop_api');
  });
});

describe('volumes of the CSI driver', () => {
  it('go by the cluster’s UID; those whose reclaim policy is Retain stay', async () => {
    const [gone, kept, foreign] = [await aVolume(), await aVolume(), await aVolume('somebody')];
    await toTheEnd(looked(kept));
    expect(await volumes()).toEqual([kept, foreign].sort());
    expect(await volumes()).not.toContain(gone);
    expect(scene.events).toEqual([]);
  });
  it.each([
    ['the cluster could not be reached', { addons: { leaving: { state: 'Unreachable' } } }],
    ['nobody looked', {}],
  ])('stay, and are named, where %s: their policy is not known', async (_, status) => {
    const volume = await aVolume();
    await toTheEnd({ cluster: { status } });
    expect(await volumes()).toEqual([volume]);
    expect(scene.events).toMatchObject([{ type: 'Warning', reason: 'VolumesKept' }]);
    expect(scene.events[0]?.message).toContain(volume);
  });
  it('stay, and are named, where a snapshot needs them', async () => {
    const volume = await aVolume();
    await scene.user.blockStorage.snapshots.create({ volume_id: volume, name: 's' });
    await toTheEnd(looked());
    expect(await volumes()).toEqual([volume]);
    expect(scene.events[0]?.message).toContain('snapshots');
  });
  it('that the cloud cannot delete are said, and tried again', async () => {
    const volume = await aVolume();
    const row = scene.cloud.state.volume.volumes.get(volume)!;
    row.status = 'error_deleting';
    const e = await scene.pass(deleteAddonLeftovers, looked()).catch((x: WaitingError) => x);
    expect(e).toMatchObject({ kind: 'waiting', reason: 'VolumeDeletionFailed' });
    expect((e as WaitingError).message).toContain(volume);
    await toTheEnd(looked());
    expect(await volumes()).toEqual([]);
  });
});

it('leaves nothing, wherever the process dies', async () => {
  let deaths = 0;
  for (let dieAt = 1; ; dieAt++) {
    await aServiceBalancer(`kube_service_${UID}_shop_web`);
    await aVolume();
    const end = await scene.pass(deleteAddonLeftovers, { ...looked(), dieAt }).catch((e: unknown) => e);
    await toTheEnd(looked());
    expect([await balancers(), await volumes()]).toEqual([[], []]);
    if (!isDeath(end)) break;
    deaths++;
  }
  expect(deaths).toBeGreaterThan(2);
});

it.each([
  ['a cluster that was given a credential', { infra: { revision: 1, addonCredentials: { serial: 1 } } }, true],
  ['one whose addons work in the cloud', {}, true],
  ['one with an addon that nobody knows any more', { bundles: [] }, true],
  ['one whose addons do not', { bundles: [aBundle('cinder-csi')] }, false],
  ['one without addons', { cluster: { addons: [] } }, false],
] as [string, PassOptions, boolean][])('of %s leftovers are looked for, or not', async (_, o, expected) => {
  let answer: boolean | undefined;
  await scene.pass(async (p) => {
    answer = mayHaveWorked(p);
  }, o);
  expect(answer).toBe(expected);
});
