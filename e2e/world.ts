import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connectionFromKubeconfig, KubeClient } from '@shoto/kube';
import { type Cloud, SERVICES, type System, type SystemOptions, startSystem } from '@shoto/supervisor';
import { cloudFromText, createClient, type OpenStack } from 'openstack-client-ts';
import { parse } from 'yaml';
import { ensureNodeImage, type NodeImageKind } from './lab/images.ts';
import { type ManagementCluster, startManagementCluster } from './lab/management-cluster.ts';
import { up } from './lab/openstack.ts';

/**
 * How real the parts are: `simulated` (all embedded), `api` (real Redis, etcd, kube-apiserver and OpenStack, no machines behind
 * it), `machines` (machines that run kubeadm, too). A story is written once and runs on every tier that can carry it.
 */
export type Tier = 'simulated' | 'api' | 'machines';

/** The tier that is asked for by the environment. */
export const tier = (process.env.SHOTO_TIER ?? 'simulated') as Tier;

/** What a story plays in. */
export interface World {
  tier: Tier;
  system: System;
  /** The cloud, as the project that clusters live in. */
  cloud: OpenStack;
  /** The cloud, as its administrator, for quotas. */
  cloudAdmin: OpenStack;
  /** The management cluster, as its administrator. */
  management: KubeClient;
  /** Runs `shoto`; answers with its exit code and what it printed. */
  shoto(...args: string[]): Promise<Result>;
  end(): Promise<void>;
}

/** What a command did. */
export interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

const root = fileURLToPath(new URL('..', import.meta.url));

/** Runs a command to its end. */
export function execute(command: string, args: string[], env: NodeJS.ProcessEnv, input?: string): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (d: Buffer) => {
      stdout += d.toString();
    });
    child.stderr.on('data', (d: Buffer) => {
      stderr += d.toString();
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? 1, stdout, stderr }));
    child.stdin.end(input ?? '');
  });
}

/** Environment in which `shoto` speaks to a system as a member of its team. */
export const shotoEnv = (system: System): NodeJS.ProcessEnv => ({
  ...process.env,
  SHOTO_API_URL: system.apiUrl,
  SHOTO_TOKEN: system.tokens.demo,
  SHOTO_TENANT: system.tenant,
});

/** Runs `shoto` against a system. */
export const shoto = (system: System, args: string[]): Promise<Result> =>
  execute(join(root, 'node_modules/.bin/node'), [join(root, 'packages/cli/src/main.ts'), ...args], shotoEnv(system));

/** What is otherwise about a world. */
export interface WorldOptions {
  simulator?: NonNullable<SystemOptions['simulator']>;
  /** Makes of a real cloud what the caller wants to see, such as another kind of API endpoint. */
  change?: (cloud: Cloud) => Promise<Cloud>;
  /** Releases that a real cloud offers besides `v1.35.4`; the lab makes an image of each. */
  also?: readonly string[];
  /** What the lab's images hold; `node` where it is not said. */
  images?: NodeImageKind;
  /** More environment for every service. */
  env?: Record<string, string>;
}

/** Starts the world of a tier. The lab of real parts is installed and started where it is not there. */
export async function startWorld(
  t: Tier = tier,
  { simulator = {}, change, also = [], images = 'node', env }: WorldOptions = {},
): Promise<World> {
  const dir = mkdtempSync(join(tmpdir(), 'shoto-world-'));
  let management: ManagementCluster | undefined;
  let cloud: Cloud | undefined;
  if (t !== 'simulated') {
    management = await startManagementCluster({
      build: true,
      users: SERVICES.map((s) => ({ name: `shoto:${s}`, groups: [] })),
    });
    cloud = (t === 'machines' ? ownCloud(process.env) : undefined) ?? (await labCloud(t, also, images));
    if (change) cloud = await change(cloud);
  }
  try {
    const system = await startSystem({
      dir,
      ...(management ? { management } : {}),
      ...(cloud ? { cloud } : {}),
      simulator,
      ...(env ? { env } : {}),
    });
    const client = createClient(await cloudFromText(system.cloudsYaml, cloud?.cloud ?? 'shoto'));
    const cloudAdmin = createClient(await cloudFromText(system.cloudsYaml, cloud ? 'admin' : 'shoto-admin'));
    const kube = new KubeClient({
      connection: await connectionFromKubeconfig({ text: system.managementKubeconfig }),
      userAgent: 'shoto-e2e',
    });
    return {
      tier: t,
      system,
      cloud: client,
      cloudAdmin,
      management: kube,
      shoto: (...args) => shoto(system, args),
      end: async () => {
        await Promise.all([client.close(), cloudAdmin.close(), kube.close()]);
        await system.stop();
        await management?.stop();
      },
    };
  } catch (e) {
    await management?.stop();
    throw e;
  }
}

/** Somebody's own OpenStack, as variables name it; undefined where they name none. */
function ownCloud(env: NodeJS.ProcessEnv): Cloud | undefined {
  const file = env.E2E_CLOUDS_FILE;
  if (!file) return undefined;
  const need = (name: string): string => {
    const value = env[name];
    if (!value) throw new Error(`${name} is not set: with E2E_CLOUDS_FILE it must be`);
    return value;
  };
  const version = env.E2E_VERSION ?? 'v1.35.4';
  return {
    cloudsYaml: readFileSync(file, 'utf8'),
    cloud: need('E2E_CLOUD'),
    externalNetwork: need('E2E_EXTERNAL_NETWORK'),
    apiEndpoint: 'LoadBalancer',
    checkInHost: need('E2E_CHECKIN_HOST'),
    flavors: { controlPlane: env.E2E_CONTROL_PLANE_FLAVOR ?? 'm1.medium', worker: env.E2E_WORKER_FLAVOR ?? 'm1.small' },
    zones: env.E2E_ZONES?.split(',') ?? [],
    releases: [
      {
        name: version,
        version,
        image: need('E2E_IMAGE'),
        ...(env.E2E_IMAGE_REPOSITORY ? { imageRepository: env.E2E_IMAGE_REPOSITORY } : {}),
      },
    ],
  };
}

/** The lab's OpenStack as a Region sees it. */
async function labCloud(t: Tier, also: readonly string[], images: NodeImageKind): Promise<Cloud> {
  const lab = await up(t === 'api' ? 'fake' : 'libvirt');
  const overrides = parse(readFileSync(new URL('lab/kubeadm-overrides.yaml', import.meta.url), 'utf8')) as Record<
    string,
    string
  >;
  const releases: Cloud['releases'] = [];
  for (const version of ['v1.35.4', ...also])
    releases.push({
      name: version,
      version,
      image: await ensureNodeImage(
        lab,
        version,
        images,
        releases.map((r) => r.version),
      ),
      imageRepository: 'registry.shoto.local/k8s',
      overrides,
    });
  return {
    cloudsYaml: readFileSync(lab.cloudsFile, 'utf8'),
    cloud: 'lab',
    externalNetwork: 'public',
    apiEndpoint: 'LoadBalancer',
    checkInHost: lab.hostAddress ?? '127.0.0.1',
    flavors: { controlPlane: 'm1.medium', worker: 'm1.small' },
    zones: ['nova'],
    releases,
    pollSeconds: 1,
  };
}

/** A kubeconfig of a cluster in a file, as `shoto kubeconfig` gives it. */
export async function kubeconfigFile(
  world: { system: System; shoto: World['shoto'] },
  cluster: string,
): Promise<string> {
  const { code, stdout, stderr } = await world.shoto('kubeconfig', cluster);
  if (code !== 0) throw new Error(`shoto kubeconfig ${cluster}: ${stderr}`);
  const file = join(world.system.dir, `${cluster}.kubeconfig`);
  writeFileSync(file, stdout, { mode: 0o600 });
  return file;
}
