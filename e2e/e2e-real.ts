/**
 * `make e2e-real`: a cluster on machines that run kubeadm, from the command line to nothing left.
 *
 * The lab's OpenStack (Nova with lxc machines, Octavia) is installed and started where it is not there. Against another
 * OpenStack: E2E_CLOUDS_FILE, E2E_CLOUD, E2E_IMAGE, E2E_EXTERNAL_NETWORK, E2E_CHECKIN_HOST, and where they differ E2E_VERSION,
 * E2E_CONTROL_PLANE_FLAVOR, E2E_WORKER_FLAVOR, E2E_IMAGE_REPOSITORY, E2E_ZONES. E2E_KEEP=1 leaves everything as it is when it fails.
 */
import { existsSync } from 'node:fs';
import { apiServerBinaries } from './lab/cache.ts';
import { inMachine } from './lab/openstack.ts';
import { difference, holdings } from './leftovers.ts';
import { until } from './poll.ts';
import { execute, kubeconfigFile, startWorld, type World } from './world.ts';

const started = Date.now();
const say = (text: string): void => console.log(`${((Date.now() - started) / 1000).toFixed(1).padStart(7)}s  ${text}`);

async function main(world: World): Promise<void> {
  const before = await holdings(world.cloud);
  say('shoto create cluster web');
  const created = await world.shoto('create', 'cluster', 'web', '--timeout', '20m');
  console.log(created.stdout.replace(/^/gm, '          | '));
  if (created.code !== 0)
    throw new Error(
      `create ended with ${created.code}: ${created.stderr}\n${(await world.shoto('describe', 'cluster', 'web')).stdout}`,
    );

  const kubeconfig = await kubeconfigFile(world, 'web');
  const binaries = await apiServerBinaries('v1.35.4', true);
  const kubectl = async (args: string[], input?: string): Promise<string> => {
    const r = await execute(binaries.kubectl, ['--kubeconfig', kubeconfig, ...args], process.env, input);
    if (r.code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${r.stderr}`);
    return r.stdout;
  };
  const nodes = (await kubectl(['get', 'nodes', '--no-headers'])).trim().split('\n');
  say(`kubectl get nodes: ${nodes.length} nodes\n${nodes.join('\n').replace(/^/gm, '          | ')}`);
  const notReady = nodes.filter((n) => n.split(/\s+/)[1] !== 'Ready');
  if (nodes.length !== 3 || notReady.length > 0)
    throw new Error(`three nodes should be Ready; not: ${notReady.join(', ') || nodes.length}`);

  await podsTalk(
    kubectl,
    nodes.map((n) => n.split(/\s+/)[0]!).filter((n) => n.includes('default')),
  );
  await userDataIsClean(world);

  say('shoto delete cluster web');
  const deleted = await world.shoto('delete', 'cluster', 'web', '--timeout', '10m');
  if (deleted.code !== 0)
    throw new Error(
      `delete ended with ${deleted.code}: ${deleted.stderr}\n${(await world.shoto('describe', 'cluster', 'web')).stdout}`,
    );
  const left = await until(
    'nothing left in the project',
    async () => {
      const rest = difference(before, await holdings(world.cloud));
      return rest.length === 0 ? 'nothing' : Promise.reject(new Error(rest.join(', ')));
    },
    30_000,
  );
  say(`deleted; left in the project: ${left}`);
}

/** A pod on one node reaches a pod on the other by the name of its Service. */
async function podsTalk(
  kubectl: (args: string[], input?: string) => Promise<string>,
  [serverNode, clientNode]: string[],
): Promise<void> {
  const box = { image: 'registry.shoto.local/k8s/busybox:1', imagePullPolicy: 'IfNotPresent' };
  const pod = (name: string, node: string | undefined, command: string[]) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: name } },
    spec: { nodeName: node, terminationGracePeriodSeconds: 1, containers: [{ name: 'c', ...box, command }] },
  });
  const objects = [
    pod('server', serverNode, [
      'sh',
      '-c',
      'mkdir -p /tmp/w; echo hello from $(hostname) > /tmp/w/index.html; httpd -f -p 80 -h /tmp/w',
    ]),
    pod('client', clientNode, ['sleep', '100000']),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'server' },
      spec: { selector: { app: 'server' }, ports: [{ port: 80 }] },
    },
  ];
  await until('the default service account', () => kubectl(['get', 'serviceaccount', 'default']), 60_000, 500);
  await kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
  await kubectl(['wait', 'pod/server', 'pod/client', '--for=condition=Ready', '--timeout=120s']);
  const heard = await until(
    'the answer by service name',
    () => kubectl(['exec', 'client', '--', 'wget', '-q', '-O', '-', 'http://server.default.svc.cluster.local/']),
    60_000,
    1000,
  );
  say(`a pod on ${clientNode} asks http://server by name, a pod on ${serverNode} answers: ${heard.trim()}`);
}

/** From inside each machine: the user-data holds no token, key or password but the ticket. */
async function userDataIsClean(world: World): Promise<void> {
  const lab = await import('./lab/openstack.ts').then((m) => m.current('libvirt'));
  if (!lab || process.env.E2E_CLOUDS_FILE) return say('user-data is looked at from inside only in the lab');
  const servers = JSON.parse((await world.shoto('get', 'machines', '--cluster', 'web', '-o', 'json')).stdout) as {
    items: { metadata: { name: string }; status: { server: { id: string } } }[];
  };
  for (const m of servers.items) {
    const { stdout } = await inMachine(lab, m.status.server.id, [
      'python3',
      '-c',
      'import urllib.request;print(urllib.request.urlopen("http://169.254.169.254/openstack/latest/user_data").read().decode())',
    ]);
    const found = secretsIn(stdout);
    if (!stdout.includes('check-in.json'))
      throw new Error(`${m.metadata.name}: its user-data could not be read from inside`);
    if (found.length > 0) throw new Error(`${m.metadata.name}: its user-data holds ${found.join(', ')}`);
  }
  say(`user-data of ${servers.items.length} machines, read from inside: no key, token or password but the ticket`);
}

/** Names of secrets that a text seems to hold. */
export function secretsIn(userData: string): string[] {
  const patterns: [string, RegExp][] = [
    ['a private key', /-----BEGIN [A-Z ]*PRIVATE KEY-----|client-key-data/],
    ['a bootstrap token', /\b[a-z0-9]{6}\.[a-z0-9]{16}\b/],
    ['a certificate key', /certificateKey/],
    ['a password', /"?password"?\s*[:=]\s*["']?[^\s"']+/i],
    ['a JSON web token', /eyJ[\w-]{10,}\.[\w-]{10,}/],
  ];
  return patterns.filter(([, pattern]) => pattern.test(userData)).map(([name]) => name);
}

const interrupted = new Promise<never>((_, reject) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => reject(new Error(`ended by ${signal}`)));
});
const world = await startWorld('machines');
say(`up: management cluster, cloud and services; files in ${world.system.dir}`);
try {
  await Promise.race([main(world), interrupted]);
  say('e2e-real passed');
} catch (e) {
  console.error(`\ne2e-real FAILED: ${(e as Error).message}\nlogs: ${world.system.dir}/logs`);
  if (process.env.E2E_KEEP && existsSync(world.system.dir)) await interrupted.catch(() => {});
  process.exitCode = 1;
} finally {
  await world.end();
}
process.exit();
