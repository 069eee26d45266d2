/** `make up` and `make down`: the whole system on this machine, left running. */
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { publishAddons } from './addons.ts';
import { type Daemon, isAlive } from './daemon.ts';
import { applySeeds } from './seed.ts';
import { LIFELIKE } from './simulator.ts';
import { ROOT, startSystem, stopSystem } from './system.ts';

const DIR = join(ROOT, '.shoto');
/** In the catalogue from the start: the first cluster does not wait for a registry. */
const INLINE = ['flannel'];
const STATE = join(DIR, 'state.json');

async function running(): Promise<Daemon[]> {
  if (!existsSync(STATE)) return [];
  return (JSON.parse(await readFile(STATE, 'utf8')) as Daemon[]).filter(isAlive);
}

/** A command `shoto` on PATH for whoever sources `env`. */
async function writeCommand(): Promise<void> {
  const bin = join(DIR, 'bin');
  await mkdir(bin, { recursive: true });
  await writeFile(
    join(bin, 'shoto'),
    `#!/bin/sh\nexec "${join(ROOT, 'node_modules/.bin/node')}" "${join(ROOT, 'packages/cli/src/main.ts')}" "$@"\n`,
  );
  await chmod(join(bin, 'shoto'), 0o755);
}

async function up(): Promise<void> {
  if ((await running()).length > 0) {
    console.log('already up: make down ends it');
    return;
  }
  const system = await startSystem({
    dir: DIR,
    simulator: LIFELIKE,
    inlineAddons: INLINE,
    say: (what) => console.log(`starting ${what}`),
  });
  await writeFile(STATE, JSON.stringify(system.daemons, null, 2));
  if (system.simulator) {
    const from = join(ROOT, 'deploy/addons');
    const { registryUrl } = system.simulator;
    const { bundles, registry } = await publishAddons({ from, registryUrl, keyDir: DIR, without: INLINE });
    await applySeeds(system.managementKubeconfig, [registry]);
    console.log(`published ${bundles} addon bundles, signed with .shoto/addons.key`);
  }
  const secret = { mode: 0o600 };
  await writeFile(join(DIR, 'clouds.yaml'), system.cloudsYaml, secret);
  await writeFile(join(DIR, 'kubeconfig'), system.managementKubeconfig, secret);
  await writeCommand();
  await writeFile(
    join(DIR, 'env'),
    `# . .shoto/env
export SHOTO_API_URL=${system.apiUrl}
export SHOTO_TOKEN=${system.tokens.demo}
export SHOTO_TENANT=${system.tenant}
export OS_CLIENT_CONFIG_FILE="${join(DIR, 'clouds.yaml')}" OS_CLOUD=shoto
case ":$PATH:" in *":${join(DIR, 'bin')}:"*) ;; *) export PATH="${join(DIR, 'bin')}:$PATH" ;; esac
# The administrator's: export SHOTO_TOKEN=${system.tokens.admin}
# The management cluster: export KUBECONFIG="${join(DIR, 'kubeconfig')}"
${system.simulator ? `export SHOTO_ADDON_REGISTRY=${system.simulator.registryUrl.replace(/^https?:/, 'oci:')}/addons\n# The simulator's faults, latencies and quotas: ${system.simulator.adminUrl}\n` : ''}`,
    secret,
  );
  console.log(`up. Now: . .shoto/env && shoto create cluster web
logs: .shoto/logs   management cluster: KUBECONFIG=.shoto/kubeconfig   cloud: OS_CLOUD=shoto (.shoto/clouds.yaml)   end: make down`);
}

async function down(): Promise<void> {
  const daemons = await running();
  await stopSystem(daemons);
  console.log(daemons.length > 0 ? `down: ${daemons.length} processes ended` : 'nothing was running');
}

const command = process.argv[2];
if (command === 'up') await up();
else if (command === 'down') await down();
else {
  console.error('usage: main.ts up|down');
  process.exitCode = 2;
}
