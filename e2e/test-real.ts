/**
 * `make test-real`: the stories of `make test` and the table of kinds on a real Redis, etcd, kube-apiserver and OpenStack, and the
 * contract tests of the OpenStack client. SHOTO_MINORS names more Kubernetes minors (`1.35,1.36`, `all`) than are in the cache. Root on Debian 12; what is missing is installed or built, and kept in the user's cache.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { apiServerBinaries, buildCommand } from './lab/cache.ts';
import { realVersions, VERSIONS } from './lab/minors.ts';
import { up } from './lab/openstack.ts';
import { MONITORING_BUILD, missingMonitoring } from './lab/prometheus.ts';
import { registryBinary } from './lab/registry.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const env = { ...process.env, PATH: `${join(root, 'node_modules/.bin')}:${process.env.PATH}` };
const started = Date.now();
const say = (text: string): void => console.log(`${((Date.now() - started) / 1000).toFixed(0).padStart(5)}s  ${text}`);

if (process.getuid?.() !== 0) {
  console.error(
    'make test-real installs and starts a real OpenStack and needs root for it: run it as root on a Debian 12 machine that is yours to change',
  );
  process.exit(1);
}
say('etcd, kube-apiserver and kubectl: built where they are not in the cache');
const versions = realVersions();
for (const version of versions) await apiServerBinaries(version, true);
for (const version of Object.values(VERSIONS).filter((v) => !versions.includes(v)))
  say(
    `kube-apiserver ${version} is not in the cache: what needs it is left out; build it with SHOTO_MINORS=all, or ${buildCommand(version)}`,
  );
say('an OCI registry: built where it is not in the cache');
await registryBinary(true);
const monitoring = missingMonitoring();
if (monitoring.length > 0)
  say(
    `${monitoring.join(', ')} not in the cache: what needs them (rules and dashboards of addons) is left out; build them with ${MONITORING_BUILD}`,
  );
say('OpenStack: installed and started where it is not');
const lab = await up('fake');

let failed = 0;
const run = (title: string, args: string[], more: NodeJS.ProcessEnv): void => {
  say(title);
  const { status } = spawnSync('vitest', ['run', ...args], { cwd: root, env: { ...env, ...more }, stdio: 'inherit' });
  if (status !== 0) failed++;
  say(`${status === 0 ? 'ok' : 'FAILED'}: ${title}`);
};
run('kinds and stories', ['-c', 'e2e/vitest.real.config.ts'], { SHOTO_TIER: 'api' });
run("the OpenStack client's contract", ['-c', 'packages/openstack-client-ts/vitest.contract.config.ts'], {
  OS_CLIENT_CONFIG_FILE: lab.cloudsFile,
  OS_CLOUD: 'lab',
  CONTRACT_ADMIN_CLOUD: 'admin',
});
// What a restricted application credential may not do is proven with the password of the same user.
run('application credentials', ['-c', 'packages/openstack-client-ts/vitest.contract.config.ts', 'identity'], {
  OS_CLIENT_CONFIG_FILE: lab.cloudsFile,
  OS_CLOUD: 'lab-password',
});
say(failed === 0 ? 'test-real passed' : `test-real: ${failed} FAILED`);
process.exitCode = failed === 0 ? 0 : 1;
