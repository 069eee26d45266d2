/**
 * `make demo`: the main job on the embedded default, told step by step. Ends by itself; leaves nothing running.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectionFromKubeconfig, type HasMeta, KubeClient, NODES } from '@shoto/kube';
import { isAlive, LIFELIKE, ROOT, type System, startSystem } from '@shoto/supervisor';
import { cloudFromText, createClient } from 'openstack-client-ts';
import { difference, holdings } from './leftovers.ts';
import { until } from './poll.ts';
import { kubeconfigFile, shoto, shotoEnv } from './world.ts';

const started = Date.now();
const step = (text: string): void => console.log(`\n== ${text}   [${((Date.now() - started) / 1000).toFixed(1)} s]`);

/** Runs `shoto` with its output on this terminal. */
function live(system: System, args: string[]): Promise<void> {
  console.log(`$ shoto ${args.join(' ')}`);
  return new Promise((resolve, reject) => {
    const child = spawn(join(ROOT, 'node_modules/.bin/node'), [join(ROOT, 'packages/cli/src/main.ts'), ...args], {
      env: shotoEnv(system),
      stdio: 'inherit',
    });
    child.once('error', reject);
    child.once('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`shoto ${args.join(' ')} ended with ${code}`)),
    );
  });
}

interface Node extends HasMeta {
  status: { conditions: { type: string; status: string }[]; nodeInfo?: { kubeletVersion?: string } };
}

async function tell(system: System): Promise<void> {
  const cloud = createClient(await cloudFromText(system.cloudsYaml, 'shoto'));
  const before = await holdings(cloud);
  step('A service team asks for a whole cluster with one command');
  await live(system, ['create', 'cluster', 'web', '--timeout', '90s']);

  step('It has a network, an API endpoint and three servers of its own in the cloud');
  await live(system, ['get', 'machines', '--cluster', 'web', '-o', 'wide']);
  console.log(`in the cloud: ${difference(before, await holdings(cloud)).join(', ')}`);

  step('A kubeconfig, good for an hour; the API answers with the certificates that Shoto made');
  console.log('$ shoto kubeconfig web > web.kubeconfig && kubectl --kubeconfig web.kubeconfig get nodes');
  const connection = await connectionFromKubeconfig({
    file: await kubeconfigFile({ system, shoto: (...args: string[]) => shoto(system, args) }, 'web'),
  });
  const kube = new KubeClient({ connection, userAgent: 'shoto-demo' });
  for (const n of await kube.listAll<Node>(NODES))
    console.log(
      `${n.metadata.name.padEnd(28)} ${n.status.conditions.find((c) => c.type === 'Ready')?.status === 'True' ? 'Ready' : 'NotReady'}   ${n.status.nodeInfo?.kubeletVersion ?? ''}`,
    );
  await kube.close();

  step('Whoever wants to know more: what happens, why it waits, whose move it is');
  await live(system, ['describe', 'cluster', 'web']);

  step('Bad input is refused at the door, with the field and the mend');
  const refused = await shoto(system, [
    'create',
    'cluster',
    'web2',
    '--release',
    'v1.99.0',
    '--control-planes',
    '2',
    '--pod-cidr',
    '10.96.0.0/16',
  ]);
  console.log(
    `$ shoto create cluster web2 --release v1.99.0 --control-planes 2 --pod-cidr 10.96.0.0/16\n${refused.stderr.trim()}\n(exit code ${refused.code})`,
  );
  if (refused.code !== 4) throw new Error('this should have been refused');

  step('The cluster goes with one command');
  await live(system, ['delete', 'cluster', 'web', '--timeout', '60s']);
  await until('nothing left in the cloud', async () => difference(before, await holdings(cloud)).length === 0, 30_000);
  console.log('nothing of it is left in the cloud');
  await cloud.close();
}

// A reader that goes away (| head) ends nothing half-way: what was started must still be stopped.
process.stdout.on('error', () => {});

const dir = mkdtempSync(join(tmpdir(), 'shoto-demo-'));
const interrupted = new Promise<never>((_, reject) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => reject(new Error(`ended by ${signal}`)));
});
let system: System | undefined;
try {
  step('Starting Redis, a simulated cloud with a management cluster, and the five services');
  system = await startSystem({
    dir,
    simulator: LIFELIKE,
    inlineAddons: ['flannel'],
    say: (what) => console.log(`starting ${what}`),
  });
  await Promise.race([tell(system), interrupted]);
} catch (e) {
  console.error(`\nthe demo failed: ${(e as Error).message}\nlogs: ${dir}/logs`);
  process.exitCode = 1;
} finally {
  await system?.stop();
}
if (system?.daemons.some(isAlive)) {
  console.error('something still runs');
  process.exitCode = 1;
}
if (process.exitCode === undefined || process.exitCode === 0) {
  rmSync(dir, { recursive: true, force: true });
  step('Done; nothing is left running');
}
process.exit();
