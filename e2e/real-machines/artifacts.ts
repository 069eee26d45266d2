import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { EVENTS, type HasMeta } from '@shoto/kube';
import type { Cloud } from '@shoto/supervisor';
import { kubernetesCache } from '../lab/cache.ts';
import { ensureNodeImage } from '../lab/images.ts';
import { current } from '../lab/openstack.ts';
import { until } from '../poll.ts';
import { podsTalk } from './pods.ts';
import { type ClusterScene, expectThat, inside, machinesOf, type Scene, type Variant } from './scene.ts';

type Artifact = NonNullable<Cloud['releases'][number]['artifacts']>[number];

const BINARIES = ['kubeadm', 'kubelet', 'kubectl'];
/** A piece of the kubelet's unit, to show that an artifact may be any file. */
const DROP_IN = '[Service]\nEnvironment=SHOTO_ARTIFACT=yes\n';
/** The release whose kubeadm is not what its digest says. */
const WRONG = 'v1.35.4-1';

let store: Server | undefined;
let fetched: string[] = [];

/** An image without kubeadm, kubelet and kubectl: the machine fetches them from where the release says. */
export const artifacts: Variant = {
  title: '1 control plane and 1 worker of a plain image, with binaries as artifacts',
  args: ['--pool', 'default=1'],
  nodes: 2,
  cloud: async (cloud) => {
    const release = cloud.releases[0]!;
    const lab = process.env.E2E_CLOUDS_FILE ? undefined : await current('libvirt');
    const image = lab ? await ensureNodeImage(lab, release.version, 'plain') : release.image;
    const all = await startStore(cloud.checkInHost, release.version);
    const wrong = all.map((a) => (a.name === 'kubeadm' ? { ...a, sha256: '0'.repeat(64) } : a));
    const plain = { ...release, image };
    return {
      ...cloud,
      releases: [
        { ...plain, artifacts: all },
        { ...plain, name: WRONG, artifacts: wrong },
      ],
    };
  },
  before: wrongDigestIsRefused,
  look: async (scene) => {
    await artifactsAreThere(scene);
    await podsTalk(scene, scene.nodes);
  },
  end: async () => {
    store?.closeAllConnections();
    await new Promise<void>((done) => (store ? store.close(() => done()) : done()));
  },
};

/** Serves the cache's binaries over HTTP where machines reach this host; notes what is asked for. */
async function startStore(host: string, version: string): Promise<Artifact[]> {
  const bin = join(kubernetesCache(), version, 'bin');
  const dropIn = join(kubernetesCache(), version, 'artifact-drop-in.conf');
  await writeFile(dropIn, DROP_IN);
  const files: Record<string, { file: string; path: string; mode?: string }> = {
    ...Object.fromEntries(BINARIES.map((b) => [b, { file: join(bin, b), path: `/usr/bin/${b}` }])),
    'kubelet-unit': { file: dropIn, path: '/etc/systemd/system/kubelet.service.d/20-artifact.conf', mode: '0644' },
  };
  store = createServer((request, response) => {
    const name = request.url?.slice(1) ?? '';
    const wanted = files[name];
    if (!wanted) return response.writeHead(404).end();
    fetched.push(name);
    pipeline(createReadStream(wanted.file), response.writeHead(200)).catch(() => response.destroy());
  });
  await new Promise<void>((done) => store!.listen(0, host, done));
  const { port } = store.address() as AddressInfo;
  return await Promise.all(
    Object.entries(files).map(async ([name, { file, path, mode }]) => ({
      name,
      url: `http://${host}:${port}/${name}`,
      sha256: await sha256(file),
      path,
      ...(mode ? { mode } : {}),
    })),
  );
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}

/** A binary whose digest is another is never put in place, and the Machine says which it was. */
async function wrongDigestIsRefused(scene: Scene): Promise<void> {
  const { world, say } = scene;
  const made = await world.shoto('create', 'cluster', 'wrong', '--release', WRONG, '--pool', 'default=0', '--no-wait');
  expectThat(made.code === 0, `create cluster wrong: ${made.stderr}`);
  const [machine, condition] = await until(
    'the condition of the machine that was given the wrong digest',
    async () => {
      const m = (await machinesOf(scene, 'wrong'))[0];
      const c = m?.status?.bootstrap.conditions?.find((x) => x.reason === 'StepFailed');
      return m && c ? ([m, c] as const) : undefined;
    },
    240_000,
  );
  const { name } = machine.metadata;
  const event = await until(`the event of ${name}`, async () =>
    (
      await world.management.listAll<HasMeta & { reason: string; regarding: { name: string }; note?: string }>(
        EVENTS,
        {},
      )
    ).find((e) => e.reason === 'StepFailed' && e.regarding.name === name),
  );
  expectThat(
    /kubeadm from .* the release says sha256:0{64}/s.test(event.note ?? ''),
    `the event does not name kubeadm and its digest: ${event.note}`,
  );
  say(`wrong digest: ${condition.type}=${condition.status} ${condition.reason}: ${condition.message}`);
  say(`          event ${event.reason}: ${event.note?.replaceAll('\n', ' ')}`);
  if (scene.lab) {
    const there = await inside(scene.lab, machine, ['test', '-e', '/usr/bin/kubeadm']);
    expectThat(there.exitCode !== 0, `${name}: kubeadm with the wrong digest was put in place`);
  }
  const gone = await world.shoto('delete', 'cluster', 'wrong', '--timeout', '5m');
  expectThat(gone.code === 0, `delete cluster wrong: ${gone.stderr}`);
  fetched = [];
}

/** Each machine fetched each artifact once, and runs what it fetched. */
async function artifactsAreThere(scene: ClusterScene): Promise<void> {
  const machines = await machinesOf(scene);
  for (const name of [...BINARIES, 'kubelet-unit']) {
    const times = fetched.filter((f) => f === name).length;
    expectThat(times === machines.length, `${name} was fetched ${times} times by ${machines.length} machines`);
  }
  scene.say(`${fetched.length} downloads by ${machines.length} machines, each checked by its SHA-256`);
  if (!scene.lab) return;
  for (const m of machines) {
    const { stdout } = await inside(scene.lab, m, [
      'systemctl',
      'show',
      'kubelet',
      '-p',
      'Environment',
      '-p',
      'ActiveState',
    ]);
    expectThat(
      stdout.includes('SHOTO_ARTIFACT=yes') && stdout.includes('ActiveState=active'),
      `${m.metadata.name}: the kubelet does not run with the unit's piece that came as artifact: ${stdout}`,
    );
  }
  scene.say("the kubelet's unit holds the piece that came as an artifact");
}
