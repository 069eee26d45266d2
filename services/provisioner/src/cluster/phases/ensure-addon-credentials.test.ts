import { findCondition } from '@shoto/api';
import type { ReconcileError } from '@shoto/reconciler';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ensure, expectCredentialInUse } from '../../testing/addon-credentials.ts';
import { type AddonScene, aBundle, type PassOptions, startAddonScene, UID } from '../../testing/addon-scene.ts';
import type { FaultAction } from '../../testing/simulators.ts';
import { OVERLAP_MS, ROTATE_MS } from '../addon-credentials/needs.ts';

let scene: AddonScene;
beforeEach(async () => {
  scene = await startAddonScene();
});
afterEach(() => scene.close());

const condition = () => findCondition(scene.stored().conditions, 'AddonCredentialsReady');
const current = () => scene.stored().addonCredentials?.current;
const expectInUse = () => expectCredentialInUse(scene);
const failure = async (o?: PassOptions): Promise<ReconcileError> =>
  await scene.pass(ensure, o).then(
    () => Promise.reject(new Error('it went well')),
    (e: ReconcileError) => e,
  );
const fault = (operation: string, action: FaultAction, count = 1) =>
  scene.cloud.state.faults.add({ match: { operation }, count, action });

describe('the credential of a cluster’s addons', () => {
  it('is restricted to the project, to roles and to calls, ends by itself, and lies in a Secret with what addons need to know', async () => {
    await scene.pass(ensure);
    const [credential] = await scene.credentials();
    const token = await scene.user.identity.token();
    expect(credential).toMatchObject({
      name: `shoto-addons-${UID}-1`,
      project_id: token.project?.id,
      unrestricted: false,
      description: `Shoto test-installation cluster ${UID}`,
    });
    expect(credential?.roles.map((r) => r.name).sort()).toEqual(['member', 'reader']);
    const [publicNetwork] = await scene.user.network.networks.list({ name: 'public' }).all();
    expect(await scene.secret()).toEqual({
      authUrl: expect.stringMatching(/\/identity\/v3$/),
      region: 'RegionOne',
      applicationCredentialId: credential?.id,
      applicationCredentialSecret: expect.stringMatching(/.{40}/),
      caBundle: '',
      projectId: token.project?.id,
      networkId: scene.stored().networkId,
      subnetId: scene.stored().subnetId,
      externalNetworkId: publicNetwork?.id,
      createdAt: current()?.createdAt,
      expiresAt: current()?.expiresAt,
    });
    const life = Date.parse(current()!.expiresAt) - Date.parse(current()!.createdAt);
    expect(life).toBe(2 * ROTATE_MS);
    expect(condition()).toMatchObject({ status: 'True', reason: 'Ready' });
    await expectInUse();
  });

  it('does what the CSI driver and the cloud-controller-manager do, and nothing else', async () => {
    await scene.pass(ensure);
    const addon = await scene.addon();
    const { subnetId } = scene.stored();
    const volume = await addon.blockStorage.volumes.create({ size: 1 });
    const lb = await addon.loadBalancer.loadBalancers.create({ name: 'x', vip_subnet_id: subnetId! });
    expect([volume.id, lb.id]).toEqual([expect.any(String), expect.any(String)]);
    const refused = { name: 'UnauthorizedError' };
    await expect(addon.compute.keypairs.create({ name: 'k' })).rejects.toMatchObject(refused);
    await expect(addon.network.networks.create({ name: 'n' })).rejects.toMatchObject(refused);
    await expect(addon.network.networks.delete(scene.stored().networkId!)).rejects.toMatchObject(refused);
    await expect(addon.identity.applicationCredentials.create({ name: 'more' })).rejects.toMatchObject({
      name: 'ForbiddenError',
    });
  });

  it('asks the cloud for nothing while nothing is due', async () => {
    await scene.pass(ensure);
    scene.requests();
    await scene.again(ensure);
    await scene.again(ensure, { cluster: { addons: [{ name: 'cinder-csi' }, { name: 'other' }] } });
    expect(scene.requests()).toEqual([]);
  });

  it.each([
    ['no addons', []],
    ['addons that do not work in the cloud', [{ name: 'flannel' }]],
    ['a version that does not', [{ name: 'cinder-csi', version: '0.9.0' }]],
    ['an addon that has no bundle', [{ name: 'lost' }]],
  ] as [string, object[]][])('is not made for %s, and nobody is asked', async (_, addons) => {
    scene.requests();
    const bundles = [aBundle('flannel'), aBundle('cinder-csi', 'openstack'), aBundle('cinder-csi', undefined, '0.9.0')];
    await scene.pass(ensure, { cluster: { addons }, bundles });
    expect(scene.requests()).toEqual([]);
    expect(scene.stored().addonCredentials).toBeUndefined();
    expect(condition()).toBeUndefined();
  });

  it('has the roles that the Region names', async () => {
    await scene.pass(ensure, { region: { addons: { roles: ['reader'] } } });
    expect((await scene.credentials())[0]?.roles.map((r) => r.name)).toEqual(['reader']);
  });

  it('keeps its secret out of what is stored, said and logged', async () => {
    await scene.pass(ensure);
    scene.later(ROTATE_MS);
    await scene.pass(ensure);
    const { applicationCredentialSecret } = (await scene.secret())!;
    const told = JSON.stringify([scene.stored(), scene.events, scene.logs]);
    expect(told).not.toContain(applicationCredentialSecret);
  });
});

describe('a region that cannot', () => {
  it.each([
    ['its token says that it is restricted', true],
    ['only Keystone’s refusal says so', false],
  ])('is told what to do: %s', async (_, said) => {
    const made = await scene.user.identity.applicationCredentials.create({ name: 'region' });
    const client = scene.as({ application_credential_id: made.id, application_credential_secret: made.secret });
    if (!said) {
      const token = await client.identity.token();
      delete token.application_credential;
    }
    const e = await failure({ client });
    expect(e).toMatchObject({ kind: 'terminal', reason: 'CredentialsRestricted' });
    expect(e.message).toContain(
      "put a user's password, or an application credential that was made with --unrestricted, into Secret shoto-regions/r1",
    );
    expect(await scene.credentials()).toEqual([]);
    expect(await scene.secret()).toBeUndefined();
  });
  it('makes one with an application credential that is not restricted', async () => {
    const made = await scene.user.identity.applicationCredentials.create({ name: 'region', unrestricted: true });
    await scene.pass(ensure, {
      client: scene.as({ application_credential_id: made.id, application_credential_secret: made.secret }),
    });
    await expectInUse();
  });
  it('is told which role is missing', async () => {
    const e = await failure({ region: { addons: { roles: ['member', 'creator'] } } });
    expect(e).toMatchObject({ kind: 'terminal', reason: 'RoleMissing' });
    expect(e.message).toMatch(/^Region.spec.addons.roles: the credentials of region r1 have no role "creator"/);
  });
  it('gives one without access rules where a service takes none with them, says so, and does not try again', async () => {
    scene.cloud.state.faults.add({ match: { service: 'octavia' }, action: { type: 'status', status: 401 } });
    await scene.pass(ensure);
    expect((await scene.credentials()).map((c) => c.access_rules)).toEqual([undefined]);
    expect(condition()?.message).toContain('it may make every call that its roles allow');
    expect(current()?.accessRules).toBe(false);
    scene.requests();
    scene.later(ROTATE_MS);
    await scene.again(ensure);
    expect(scene.requests().filter((r) => r.endsWith('/application_credentials') && r.startsWith('POST'))).toHaveLength(
      1,
    );
  });
});

describe('the age of a credential', () => {
  it('has another one take its place after 90 days, and is revoked a day later', async () => {
    await scene.pass(ensure);
    const first = current()!.id;
    const old = await scene.addon();
    await old.authenticate();
    scene.later(ROTATE_MS - 60_000);
    await scene.pass(ensure);
    expect(current()?.id).toBe(first);

    scene.later(60_000);
    await scene.pass(ensure);
    expect(current()?.id).not.toBe(first);
    await expectInUse();
    expect((await scene.credentials()).map((c) => c.id).sort()).toEqual([first, current()!.id].sort());
    await expect(old.network.networks.list({ limit: 1 }).all()).resolves.toBeDefined();

    scene.later(OVERLAP_MS);
    await scene.pass(ensure);
    expect((await scene.credentials()).map((c) => c.id)).toEqual([current()?.id]);
    await expect(old.network.networks.list({ limit: 1 }).all()).rejects.toMatchObject({ name: 'NotFoundError' });
    expect(scene.stored().addonCredentials).toMatchObject({ serial: 2 });
    expect(scene.stored().addonCredentials?.retiring).toBeUndefined();
  });
  it('revokes nothing during the emergency stop', async () => {
    await scene.pass(ensure);
    scene.later(ROTATE_MS);
    await scene.pass(ensure);
    scene.later(OVERLAP_MS);
    await scene.pass(ensure, { emergencyStop: true });
    expect(await scene.credentials()).toHaveLength(2);
    await scene.pass(ensure);
    expect(await scene.credentials()).toHaveLength(1);
  });
});

describe('what is lost', () => {
  const lose: [string, () => Promise<unknown>][] = [
    [
      'the Secret',
      async () =>
        scene.kube.delete(
          { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true },
          { namespace: 'shoto-system-addon-credentials', name: `addon-openstack.${UID}` },
        ),
    ],
    ['the credential in the cloud', async () => scene.user.identity.applicationCredentials.delete(current()!.id)],
  ];
  it.each(lose)('is made anew: %s', async (_, loss) => {
    await scene.pass(ensure);
    await loss();
    await scene.pass(ensure);
    await expectInUse();
    expect((await scene.credentials()).map((c) => c.id)).toEqual([current()?.id]);
  });
  it('is found by the same process too, while the cluster is not Ready', async () => {
    await scene.pass(ensure);
    await lose[1]![1]();
    await scene.again(ensure);
    scene.later(61_000);
    await scene.again(ensure);
    await expectInUse();
  });
  it('takes in what changed of the region', async () => {
    await scene.pass(ensure);
    const before = current()?.id;
    const flat = await scene.user.network.networks.list({ name: 'web' }).all();
    await scene.pass(ensure, { region: { externalNetwork: flat[0]!.id } });
    expect((await scene.secret())?.externalNetworkId).toBe(flat[0]!.id);
    expect(current()?.id).toBe(before);
  });
  it('is replaced when the region’s user is another one, and it is said that a person revokes the old one', async () => {
    await scene.pass(ensure);
    const before = current()!;
    const client = scene.as({
      username: 'admin',
      password: 'admin',
      project_name: 'admin',
      user_domain_name: 'Default',
      project_domain_name: 'Default',
    });
    await scene.pass(ensure, { client, region: { addons: { roles: ['admin'] } } });
    expect(current()?.userId).not.toBe(before.userId);
    expect(scene.events).toMatchObject([{ type: 'Warning', reason: 'CredentialNotRevoked' }]);
    expect(scene.events[0]?.message).toContain(before.id);
    expect(scene.stored().addonCredentials?.retiring).toBeUndefined();
  });
});

describe('a Keystone that fails', () => {
  const steps = ['keystone.application_credential.create', 'keystone.application_credential.list'];
  const actions: [string, FaultAction][] = [
    ['500', { type: 'status', status: 500 }],
    ['409', { type: 'status', status: 409 }],
    ['401', { type: 'status', status: 401 }],
    ['no answer after the deed', { type: 'lostAnswer' }],
    ['no answer at all', { type: 'hang' }],
    ['an answer too late', { type: 'lateDeed', afterMs: 900 }],
  ];
  it.each(steps.flatMap((s) => actions.map((a) => [s, ...a] as const)))('%s: %s', async (operation, _, action) => {
    fault(operation, action, 3);
    let passes = 0;
    for (; passes < 8; passes++) {
      const failed = await scene.pass(ensure).then(
        () => undefined,
        (e: ReconcileError) => e,
      );
      if (!failed) break;
      expect(failed.kind).toMatch(/retryable|waiting/);
    }
    expect(passes).toBeLessThan(8);
    await new Promise((resolve) => setTimeout(resolve, action.type === 'lateDeed' ? 1_000 : 0));
    await expectInUse();
    expect((await scene.credentials()).map((c) => c.id)).toEqual([current()?.id]);
  });
  it('that is too slow to try a new one in the same pass: the next pass of the process tries it, and makes no other', async () => {
    scene.cloud.state.faults.add({ match: { operation: 'neutron.network.list' }, count: 4, action: { type: 'hang' } });
    await expect(scene.pass(ensure)).rejects.toMatchObject({ kind: 'retryable' });
    const [made] = await scene.credentials();
    for (let passes = 0; passes < 6 && !current(); passes++) await scene.again(ensure).catch(() => {});
    expect(current()?.id).toBe(made?.id);
    await expectInUse();
  });
  it('that shows two of a name: none of them is of use, and both are discarded and said', async () => {
    await scene.user.identity.applicationCredentials.create({
      name: `shoto-addons-${UID}-1`,
      description: `Shoto test-installation cluster ${UID}`,
    });
    const [row] = await scene.credentials();
    const { applicationCredentials } = scene.cloud.state.identity;
    applicationCredentials.save({ ...applicationCredentials.get(row!.id)!, id: 'twin' });
    await scene.pass(ensure);
    expect((await scene.credentials()).map((c) => c.id)).toEqual([current()?.id]);
    expect(scene.events.map((e) => e.reason)).toEqual(['CredentialDiscarded', 'CredentialDiscarded']);
  });
  it('that shows somebody else’s of that name: it stays, and a person is asked', async () => {
    await scene.user.identity.applicationCredentials.create({ name: `shoto-addons-${UID}-1` });
    const e = await failure();
    expect(e).toMatchObject({ kind: 'waiting', reason: 'Ambiguous' });
    expect(await scene.credentials()).toHaveLength(1);
  });
});

describe('a cluster that needs none any more', () => {
  const without = { cluster: { addons: [] } };
  it('has it revoked and the Secret removed', async () => {
    await scene.pass(ensure);
    await scene.pass(ensure, without);
    expect(await scene.credentials()).toEqual([]);
    expect(await scene.secret()).toBeUndefined();
    expect(scene.stored().addonCredentials).toEqual({ serial: 1 });
    expect(condition()).toMatchObject({ status: 'True', reason: 'NotNeeded' });
    await scene.pass(ensure);
    expect(scene.stored().addonCredentials?.serial).toBe(2);
    await expectInUse();
  });
  it('keeps it while the addon is still there', async () => {
    await scene.pass(ensure);
    const status = { addons: { items: [{ name: 'cinder-csi', healthy: true }] } };
    await scene.pass(ensure, { cluster: { addons: [], status } });
    await expectInUse();
  });
  it('keeps it when only the bundles are gone', async () => {
    await scene.pass(ensure);
    await scene.pass(ensure, { bundles: [] });
    await expectInUse();
  });
});
