import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../packages/cli/src/program.ts';
import { kubernetesCache } from '../lab/cache.ts';
import { type ManagementCluster, startManagementCluster } from '../lab/management-cluster.ts';
import { realVersions } from '../lab/minors.ts';
import { type LabRegistry, startLabRegistry } from '../lab/registry.ts';

const ADDONS = fileURLToPath(new URL('../../deploy/addons', import.meta.url));
/** Helm's program, where the lab has built it: without it bundles that are charts are left out. */
const helm = process.env.HELM || join(kubernetesCache(), 'tools/bin/helm');
const bundles = readdirSync(ADDONS)
  .flatMap((addon) =>
    readdirSync(join(ADDONS, addon)).map((version) => ({ addon, version, dir: join(ADDONS, addon, version) })),
  )
  .filter(({ dir }) => existsSync(join(dir, 'manifests')) || existsSync(helm));

async function shoto(...line: string[]): Promise<{ code: number; out: string; err: string }> {
  const out: string[] = [];
  const err: string[] = [];
  const screen = (to: string[]) => ({ isTTY: false, columns: 200, rows: 50, write: (t: string) => void to.push(t) });
  const code = await run(['addon', ...line], {
    env: { HOME: join(homedir(), 'nobody') },
    out: screen(out),
    err: screen(err),
    now: () => Date.now(),
    read: (file) => readFileSync(file, 'utf8'),
  });
  return { code, out: out.join(''), err: err.join('') };
}

beforeAll(() => {
  if (existsSync(helm)) process.env.HELM = helm;
});

describe('a real registry', () => {
  let registry: LabRegistry;
  let dir: string;
  let oci: string;
  beforeAll(async () => {
    registry = await startLabRegistry({ build: true });
    oci = `oci://${registry.host}/shoto/addons`;
    dir = await mkdtemp(join(tmpdir(), 'shoto-addons-'));
    expect((await shoto('keygen', join(dir, 'addons'))).code).toBe(0);
  });
  afterAll(async () => {
    await registry.stop();
    await rm(dir, { recursive: true });
  });

  it.each(bundles)(
    'takes $addon $version, signed, and gives it back as it was',
    async ({ addon, version, dir: from }) => {
      const key = join(dir, 'addons');
      const pushed = await shoto('push', from, oci, '--plain-http', '--key', `${key}.key`);
      expect(pushed).toMatchObject({ code: 0 });
      const to = join(dir, `${addon}-${version}`);
      const pulled = await shoto(
        'pull',
        `${oci}/${addon}:${version}`,
        '--plain-http',
        '--key',
        `${key}.pub`,
        '--output',
        to,
      );
      expect(pulled).toMatchObject({ code: 0, err: '' });
      expect(pulled.out.split('\n')[0]).toBe(pushed.out.split('\n')[0]);
      expect(await readFile(join(to, 'bundle.yaml'))).toEqual(await readFile(join(from, 'bundle.yaml')));
    },
  );

  it('keeps a version that is there', async () => {
    const { addon, version } = bundles[0]!;
    const other = join(dir, 'other', version);
    await shoto('init', other, '--name', addon, '--addon-version', version);
    expect(await shoto('push', other, oci, '--plain-http')).toMatchObject({ code: 4 });
  });
});

describe.each(realVersions())('a real API server %s', (kubernetes) => {
  let cluster: ManagementCluster;
  beforeAll(async () => {
    // As kubeadm has it: without, no pod may be privileged.
    cluster = await startManagementCluster({
      version: kubernetes,
      build: true,
      apiServerArgs: ['--allow-privileged=true'],
    });
  });
  afterAll(() => cluster.stop());

  it.each(bundles)('takes $addon $version where it is in its range, by dry run', async ({ dir }) => {
    const { code, out, err } = await shoto('test', dir, '--kubeconfig', cluster.kubeconfigFile);
    const isOutside = code === 4 && err.includes('which is not in');
    if (!isOutside)
      expect({ code, out, err }).toMatchObject({ code: 0, out: expect.stringContaining('all taken'), err: '' });
  });
});
