import { readdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll } from 'vitest';
import { checkOpenStackConfig } from '../src/config.ts';
import { createOpenStackSimulator } from '../src/openstack/simulator.ts';

// The OpenStack client's contract tests, unchanged, as its README says to run them: the cloud comes by environment.
const simulator = createOpenStackSimulator({ config: checkOpenStackConfig({}) });
const { url } = await simulator.listen();
const folder = await mkdtemp(path.join(tmpdir(), 'shoto-contract-'));
const cloud = (name: string) => ({
  auth: {
    auth_url: `${url}/identity/v3`,
    username: name,
    password: name,
    project_name: name,
    user_domain_name: 'Default',
    project_domain_name: 'Default',
  },
  region_name: 'RegionOne',
});
const file = path.join(folder, 'clouds.yaml');
await writeFile(file, JSON.stringify({ clouds: { user: cloud('shoto'), administrator: cloud('admin') } }));
process.env.OS_CLIENT_CONFIG_FILE = file;
process.env.OS_CLOUD = 'user';
process.env.CONTRACT_ADMIN_CLOUD = 'administrator';

const suites = path.join(import.meta.dirname, '../../openstack-client-ts/test/contract');
for (const name of readdirSync(suites).filter((one) => one.endsWith('.contract.ts')))
  await import(path.join(suites, name));

afterAll(async () => {
  await simulator.close();
  await rm(folder, { recursive: true });
});
