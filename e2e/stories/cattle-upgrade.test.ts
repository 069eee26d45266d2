import { KubernetesReleaseKind, type Machine, MachineKind, resourceOf } from '@shoto/api';
import { CONFIGMAPS, DAEMONSETS, DEPLOYMENTS, type HasMeta, type KubeClient, NODES, Reflector } from '@shoto/kube';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../poll.ts';
import { startWorld } from '../world.ts';
import { boots, Cattle, names, PATIENCE_MS, perZone, TEST_MS, UNLIMITED, uids } from './cattle.ts';
import { etcdMembers, Workload } from './workload.ts';

const FROM = 'v1.35.4';
const NEXT = 'v1.36.3';
const LAST = 'v1.37.0';
/** A release whose image is none of a node: a machine that is made from it never checks in. */
const BROKEN = 'v1.36.9';
const RELEASES = resourceOf(KubernetesReleaseKind);

interface Workloads extends HasMeta {
  spec: { template: { spec: { containers: { image: string }[] } } };
}

let cattle: Cattle;
let workload: Workload | undefined;
let births: Reflector<Machine> | undefined;

/** Releases in the order in which Machines of a cluster were first made of them, by role. */
const born: Record<string, string[]> = {};

const inKubeSystem = async (client: KubeClient, kind: typeof DAEMONSETS, name: string) =>
  (await client.get<Workloads>(kind, { namespace: 'kube-system', name }))!.spec.template.spec.containers[0]!.image;

/** Every node runs the release, and so does what kubeadm installs beside it. */
async function runs(name: string, client: KubeClient, release: string): Promise<void> {
  const nodes = await client.listAll<HasMeta & { status: { nodeInfo: { kubeletVersion: string } } }>(NODES);
  expect(nodes.map((n) => n.metadata.name).sort()).toEqual(names(await cattle.machines(name)));
  expect(new Set(nodes.map((n) => n.status.nodeInfo.kubeletVersion))).toEqual(new Set([release]));
  const { controlPlane } = (await cattle.cluster(name)).status!;
  expect(controlPlane).toMatchObject({ configRelease: release, addonsRelease: release });
  const images = controlPlane.images?.find((i) => i.release === release);
  expect(await inKubeSystem(client, DAEMONSETS, 'kube-proxy')).toBe(images?.kubeProxy);
  expect(images?.kubeProxy).toMatch(new RegExp(`/kube-proxy:${release}$`));
  expect(await inKubeSystem(client, DEPLOYMENTS, 'coredns')).toBe(images?.coreDNS);
  const config = await client.get<HasMeta & { data: Record<string, string> }>(CONFIGMAPS, {
    namespace: 'kube-system',
    name: 'kubeadm-config',
  });
  expect(config?.data.ClusterConfiguration).toContain(`kubernetesVersion: ${release}`);
}

// Machines that do not boot are upgraded by nobody.
describe.runIf(boots)('an upgrade', () => {
  beforeAll(async () => {
    // Pods take a moment, so that one that is missed is missed for a while.
    const latency = { operations: { 'machine.pod.start': { medianMs: 400 }, 'machine.pod.stop': { medianMs: 200 } } };
    cattle = new Cattle(await startWorld('simulated', { simulator: { openstack: { latency, quotas: UNLIMITED } } }));
    births = new Reflector<Machine>({
      client: cattle.world.management,
      type: resourceOf(MachineKind),
      onChange: (_key, now, before) => {
        if (!now || before) return;
        const { cluster, role, release } = now.spec;
        const who = `${cluster.name} ${role}`;
        born[who] ??= [];
        const seen = born[who];
        if (!seen.includes(release)) seen.push(release);
      },
    });
    births.start();
    await births.synced;
    await cattle.shoto('create', 'cluster', 'small', '--pool', 'default=1', '--no-wait');
    await cattle.shoto('create', 'cluster', 'web', '--control-planes', '3', '--pool', 'default=3', '--timeout', '5m');
    await cattle.shoto('wait', 'cluster', 'small', '--timeout', '5m');
  }, TEST_MS);
  afterAll(async () => {
    await Promise.all([workload?.end(), births?.stop()]);
    await cattle?.end();
  });

  it('is planned first: every machine by its name, and nothing is done', { timeout: TEST_MS }, async () => {
    const before = await cattle.machines('web');
    expect(before).toHaveLength(6);
    const plan = await cattle.shoto('upgrade', 'cluster', 'web', '--to', 'v1.36', '--dry-run');
    expect(plan).toContain(`cluster/web ${FROM} to ${NEXT}: 1 step`);
    const at = names(before).map((name) => plan.indexOf(name));
    expect(at.every((i) => i > 0)).toBe(true);
    const masters = names(before.filter((m) => m.spec.role === 'control-plane')).map((n) => plan.indexOf(n));
    const workers = names(before.filter((m) => m.spec.role === 'worker')).map((n) => plan.indexOf(n));
    expect(Math.max(...masters)).toBeLessThan(Math.min(...workers));
    expect(plan).not.toContain('In the way:');
    expect(uids(await cattle.machines('web'))).toEqual(uids(before));
  });

  it('by one minor makes every machine new, and a workload never has less than one that serves', {
    timeout: TEST_MS,
  }, async () => {
    const client = await cattle.workload('web');
    workload = await Workload.deploy(client, 'hello');
    const [before, podsBefore] = [await cattle.machines('web'), await workload.pods()];

    const told = await cattle.shoto('upgrade', 'cluster', 'web', '--to', 'v1.36', '--yes', '--wait', '--timeout', '5m');
    expect(told).toContain('cluster/web is as asked for');

    // By UID: a name that is free again may be given again.
    const isNew = (m: Machine) => m.spec.release === NEXT && !uids(before).includes(m.metadata.uid!);
    const masters = await cattle.settled('web', 'control-plane', 3, isNew);
    const workers = await cattle.settled('web', 'default', 3, isNew);
    for (const group of [masters, workers]) expect(perZone(group, ['az1', 'az2', 'az3'])).toEqual([1, 1, 1]);
    await runs('web', client, NEXT);
    expect(await etcdMembers(client, masters)).toEqual(names(masters));
    expect(await cattle.condition('web', 'UpToDate')).toMatchObject({ status: 'True' });
    expect((await cattle.cluster('web')).status?.infrastructure.rollout).toBeUndefined();
    await cattle.oneToOne();

    await until('both replicas', async () => workload?.ready.at(-1) === 2);
    expect((await workload.pods()).filter((uid) => podsBefore.includes(uid))).toEqual([]);
    // It was moved, one at a time: there were moments with one, and none without.
    expect(Math.min(...workload.ready)).toBe(1);
  });

  it('to a release whose machines never come up harms nothing, and is aimed elsewhere', {
    timeout: TEST_MS,
  }, async () => {
    const before = await cattle.machines('small');
    await cattle.world.management.create(RELEASES, {
      metadata: { name: BROKEN },
      spec: { version: BROKEN, images: [{ region: 'one', image: 'debian-12' }] },
    } as HasMeta);
    await until('the release at the door', async () => (await cattle.world.shoto('get', 'release', BROKEN)).code === 0);
    await cattle.shoto('upgrade', 'cluster', 'small', '--to', BROKEN, '--yes');
    const lost = await until(
      'a machine of it that runs',
      async () =>
        (await cattle.machines('small')).find((m) => m.spec.release === BROKEN && m.status?.server.state === 'Active'),
      PATIENCE_MS,
    );
    expect(await cattle.condition('small', 'UpToDate')).toMatchObject({ status: 'False' });
    expect(await cattle.condition('small', 'Ready')).toMatchObject({ status: 'True' });
    expect(names(await cattle.machines('small'))).toEqual([...names(before), lost.metadata.name].sort());

    // Whoever published it takes it back; two minors on there is a way round it.
    await cattle.world.management.mergePatch(RELEASES, { name: BROKEN }, { spec: { support: { withdrawn: true } } });
    await until('the release to be withdrawn', async () =>
      (await cattle.shoto('upgrade', 'cluster', 'small', '--to', 'v1.37', '--dry-run')).includes(
        `cluster/small ${FROM} to ${LAST}: 2 steps`,
      ),
    );
    await cattle.shoto('upgrade', 'cluster', 'small', '--to', 'v1.37', '--yes', '--wait', '--timeout', '5m');
    await cattle.settled('small', 'control-plane', 1, (m) => m.spec.release === LAST);
    await cattle.settled('small', 'default', 1, (m) => m.spec.release === LAST);
    expect(uids(await cattle.machines('small'))).not.toContain(lost.metadata.uid);
    await runs('small', await cattle.workload('small'), LAST);
  });

  it('by two minors was walked one by one', () => {
    expect(born['small control-plane']).toEqual([FROM, BROKEN, NEXT, LAST]);
    expect(born['small worker']).toEqual([FROM, NEXT, LAST]);
  });

  it('of a pool can be turned back, that of a control plane cannot', { timeout: TEST_MS }, async () => {
    await cattle.shoto(
      'upgrade',
      'cluster',
      'small',
      '--pool',
      'default',
      '--to',
      'v1.36',
      '--yes',
      '--wait',
      '--timeout',
      '5m',
    );
    await cattle.settled('small', 'default', 1, (m) => m.spec.release === NEXT);
    const { code, stderr } = await cattle.world.shoto('upgrade', 'cluster', 'small', '--to', NEXT, '--yes');
    expect(stderr).toContain('spec.release');
    expect(code).toBe(4);
    await cattle.settled('small', 'control-plane', 1, (m) => m.spec.release === LAST);
    await cattle.oneToOne();
  });
});
