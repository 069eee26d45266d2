import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { $ } from 'zx';
import { apiServerBinaries } from './cache.ts';
import { type Daemon, freePorts, startDaemon, whenReady } from './daemon.ts';

/** Somebody whom the API server knows by a bearer token. */
export interface ManagementUser {
  name: string;
  groups: string[];
}

/** Options of {@link startManagementCluster}; every one has a default. */
export interface ManagementClusterOptions {
  /** Kubernetes version out of the cache; default `v1.35.4`. */
  version?: string;
  /** Builds missing binaries (minutes) instead of failing; default false. */
  build?: boolean;
  /** Where etcd's data, keys and logs live. Kept at stop when given, and found again at the next start; default a fresh temporary folder, removed at stop. */
  dataDir?: string;
  /** Files or folders with manifests (CRDs, RBAC), applied in this order; CRDs are waited for until Established. */
  apply?: string[];
  /** Users besides `admin` (group `system:masters`). What they may do is RBAC's business. */
  users?: ManagementUser[];
  /** Further arguments for kube-apiserver, for example `--v=4`. */
  apiServerArgs?: string[];
  /** Writes etcd to disk at every commit, as in production; default false. */
  fsync?: boolean;
}

/** etcd and kube-apiserver on loopback: a real management cluster without nodes and controllers. */
export interface ManagementCluster {
  /** `https://127.0.0.1:port` */
  server: string;
  /** Certificate authority of the server, PEM. */
  ca: string;
  /** kubeconfig (YAML) of `admin`, or of one of `users`. @throws Error for an unknown user */
  kubeconfig(user?: string): string;
  /** A file (mode 0600) with the kubeconfig of `admin`. */
  kubeconfigFile: string;
  /** Process ids, so that a benchmark can read what each of them uses. */
  pids(): { etcd: number; kubeApiserver: number };
  logs: { etcd: string; kubeApiserver: string };
  /** Runs kubectl as `admin`; returns its stdout. @throws zx ProcessOutput with stderr when it fails */
  kubectl(args: string[], input?: string): Promise<string>;
  /** Stops and starts kube-apiserver on the same port, with the same data; as another version where one is named. */
  restartApiServer(version?: string): Promise<void>;
  /** Stops both; removes the data unless `dataDir` was given. Safe to repeat. */
  stop(): Promise<void>;
}

/**
 * Starts etcd and kube-apiserver on free loopback ports: RBAC and Node authorization, the default admission plugins, watch
 * cache on, tokens for authentication, a self-signed certificate. Ready when `/readyz` says so and `apply` is Established.
 *
 * @throws Error when a binary is missing (says how to build it) or a process ends (with its last log lines)
 */
export async function startManagementCluster(options: ManagementClusterOptions = {}): Promise<ManagementCluster> {
  let binaries = await apiServerBinaries(options.version ?? 'v1.35.4', options.build);
  const dir = options.dataDir ? resolve(options.dataDir) : await mkdtemp(join(tmpdir(), 'shoto-management-'));
  await mkdir(join(dir, 'etcd'), { recursive: true, mode: 0o700 });
  const [etcdPort = 0, peerPort = 0, securePort = 0] = await rememberedPorts(join(dir, 'ports.json'));
  const users = [{ name: 'admin', groups: ['system:masters'] }, ...(options.users ?? [])];
  const tokens = await writeTokens(join(dir, 'tokens.json'), join(dir, 'tokens.csv'), users);
  await writeServiceAccountKey(dir);

  const logs = { etcd: join(dir, 'etcd.log'), kubeApiserver: join(dir, 'kube-apiserver.log') };
  const etcdUrl = `http://127.0.0.1:${etcdPort}`;
  const server = `https://127.0.0.1:${securePort}`;
  const running: Daemon[] = [];
  const stop = async () => {
    for (const daemon of running.splice(0).reverse()) await daemon.stop();
    if (!options.dataDir) await rm(dir, { recursive: true, force: true });
  };
  const caFile = join(dir, 'certificates', 'apiserver.crt');

  const startApiServer = async (): Promise<Daemon> => {
    const daemon = startDaemon(
      'kube-apiserver',
      binaries.kubeApiserver,
      [
        `--etcd-servers=${etcdUrl}`,
        '--bind-address=127.0.0.1',
        '--advertise-address=127.0.0.1',
        `--secure-port=${securePort}`,
        `--cert-dir=${join(dir, 'certificates')}`,
        '--service-account-issuer=https://kubernetes.default.svc',
        `--service-account-key-file=${join(dir, 'sa.pub')}`,
        `--service-account-signing-key-file=${join(dir, 'sa.key')}`,
        '--api-audiences=api',
        `--token-auth-file=${join(dir, 'tokens.csv')}`,
        '--authorization-mode=Node,RBAC',
        '--service-cluster-ip-range=10.96.0.0/12',
        '--endpoint-reconciler-type=none',
        ...(options.apiServerArgs ?? []),
      ],
      logs.kubeApiserver,
    );
    running.push(daemon);
    await whenReady(
      daemon,
      async () => {
        if (!existsSync(caFile)) return false;
        return (await status(`${server}/readyz`, await readFile(caFile, 'utf8'), tokens.get('admin'))) === 200;
      },
      120_000,
    );
    return daemon;
  };

  try {
    const etcd = startDaemon(
      'etcd',
      binaries.etcd,
      [
        `--data-dir=${join(dir, 'etcd')}`,
        `--listen-client-urls=${etcdUrl}`,
        `--advertise-client-urls=${etcdUrl}`,
        `--listen-peer-urls=http://127.0.0.1:${peerPort}`,
        `--initial-advertise-peer-urls=http://127.0.0.1:${peerPort}`,
        `--initial-cluster=default=http://127.0.0.1:${peerPort}`,
        ...(options.fsync ? [] : ['--unsafe-no-fsync']),
      ],
      logs.etcd,
    );
    running.push(etcd);
    await whenReady(etcd, async () => (await status(`${etcdUrl}/health`)) === 200, 60_000);
    let apiServer = await startApiServer();
    const ca = await readFile(caFile, 'utf8');

    const kubeconfig = (user = 'admin'): string => {
      const token = tokens.get(user);
      if (!token) throw new Error(`no user ${user} here; there are: ${[...tokens.keys()].join(', ')}`);
      return kubeconfigText(server, ca, user, token);
    };
    const kubeconfigFile = join(dir, 'kubeconfig');
    await writeFile(kubeconfigFile, kubeconfig(), { mode: 0o600 });
    const kubectl = async (args: string[], input = ''): Promise<string> =>
      (await $({ input, quiet: true })`${binaries.kubectl} --kubeconfig ${kubeconfigFile} ${args}`).stdout;

    // kube-apiserver says ready a moment before its own namespaces are there.
    await whenReady(
      apiServer,
      async () => (await kubectl(['get', 'namespace', 'default', '-o', 'name'])) !== '',
      30_000,
    );
    for (const path of options.apply ?? []) await kubectl(['apply', '--server-side', '--recursive', '-f', path]);
    if (options.apply?.length && (await kubectl(['get', 'crd', '-o', 'name'])) !== '')
      await kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s']);

    return {
      server,
      ca,
      kubeconfig,
      kubeconfigFile,
      logs,
      kubectl,
      stop,
      pids: () => ({ etcd: etcd.pid, kubeApiserver: apiServer.pid }),
      async restartApiServer(version) {
        if (version) binaries = await apiServerBinaries(version, options.build);
        await apiServer.stop(60_000);
        running.splice(running.indexOf(apiServer), 1);
        apiServer = await startApiServer();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Ports of this data folder: the same at every start, so that kubeconfigs stay good. */
async function rememberedPorts(file: string): Promise<number[]> {
  if (existsSync(file)) return JSON.parse(await readFile(file, 'utf8')) as number[];
  const ports = await freePorts(3);
  await writeFile(file, JSON.stringify(ports));
  return ports;
}

/** Tokens by user name; known users keep theirs. */
async function writeTokens(store: string, csv: string, users: ManagementUser[]): Promise<Map<string, string>> {
  const known = existsSync(store) ? (JSON.parse(await readFile(store, 'utf8')) as Record<string, string>) : {};
  const tokens = new Map(users.map(({ name }) => [name, known[name] ?? randomBytes(24).toString('hex')]));
  await writeFile(store, JSON.stringify(Object.fromEntries(tokens)), { mode: 0o600 });
  const lines = users.map(({ name, groups }) => `${tokens.get(name)},"${name}","${name}","${groups.join(',')}"\n`);
  await writeFile(csv, lines.join(''), { mode: 0o600 });
  return tokens;
}

async function writeServiceAccountKey(dir: string): Promise<void> {
  if (existsSync(join(dir, 'sa.key'))) return;
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  await writeFile(join(dir, 'sa.pub'), publicKey);
  await writeFile(join(dir, 'sa.key'), privateKey, { mode: 0o600 });
}

function kubeconfigText(server: string, ca: string, user: string, token: string): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'management', cluster: { server, 'certificate-authority-data': Buffer.from(ca).toString('base64') } },
    ],
    users: [{ name: user, user: { token } }],
    contexts: [{ name: 'management', context: { cluster: 'management', user } }],
    'current-context': 'management',
  });
}

/** The status code of a GET. */
async function status(url: string, ca?: string, token?: string): Promise<number> {
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  return new Promise((done, failed) => {
    const request = (url.startsWith('https:') ? httpsRequest(url, { ca, headers }) : httpRequest(url, { headers }))
      .on('response', (response) => {
        response.resume();
        done(response.statusCode ?? 0);
      })
      .on('error', failed);
    request.setTimeout(5_000, () => request.destroy(new Error(`${url} did not answer in 5 s`)));
    request.end();
  });
}
