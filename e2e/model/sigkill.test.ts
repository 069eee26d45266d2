import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Machine, MachineKind, resourceOf, tenantNamespace } from '@shoto/api';
import { isAlive, type ServiceName } from '@shoto/supervisor';
import { collect } from 'openstack-client-ts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { difference, type Holdings, holdings } from '../leftovers.ts';
import { until } from '../poll.ts';
import { startWorld, tier, type World } from '../world.ts';

const MACHINES = resourceOf(MachineKind);
const preload = fileURLToPath(new URL('sigkill-preload.ts', import.meta.url));
const file = join(mkdtempSync(join(tmpdir(), 'shoto-kill-')), 'order.json');

/** Ten deaths, one after the other: of which service, at which of its calls from the death before on, and on which side of it. */
const DEATHS: [ServiceName, number, 'before' | 'after'][] = [
  ['provisioner', 4, 'after'],
  ['bootstrap-worker', 3, 'before'],
  ['provisioner', 31, 'before'],
  ['addon-manager', 5, 'after'],
  ['provisioner', 18, 'after'],
  ['self-healing', 1, 'before'],
  ['bootstrap-worker', 6, 'after'],
  ['provisioner', 9, 'before'],
  ['addon-manager', 0, 'before'],
  ['provisioner', 22, 'after'],
];
/** Stories at once. */
const LANES = 3;

let world: World;
let before: Holdings;
let restarting: NodeJS.Timeout;

beforeAll(async () => {
  world = await startWorld('simulated', {
    env: { NODE_OPTIONS: `--import ${preload}`, SHOTO_TEST_KILL_FILE: file },
  });
  before = await holdings(world.cloud);
  // What a Deployment does: whoever has died is started again.
  const busy = new Set<string>();
  restarting = setInterval(() => {
    for (const d of world.system.daemons) {
      if (isAlive(d) || busy.has(d.name)) continue;
      busy.add(d.name);
      void world.system.start(d.name as ServiceName).finally(() => busy.delete(d.name));
    }
  }, 200);
}, 120_000);
afterAll(async () => {
  clearInterval(restarting);
  await world?.end();
});

const machines = async (cluster: string) =>
  (await world.management.listAll<Machine>(MACHINES, { namespace: tenantNamespace(world.system.tenant) })).filter(
    (m) => m.spec.cluster.name === cluster,
  );

/** One server for each Machine and one Machine for each server. */
async function oneToOne(cluster: string): Promise<void> {
  const own = await machines(cluster);
  const servers = (await collect(world.cloud.compute.servers.list())).filter((s) => s.name.startsWith(`${cluster}-`));
  expect(own.map((m) => m.status?.server?.id).sort()).toEqual(servers.map((s) => s.id).sort());
}

/** Creates a cluster, replaces its worker, deletes it. */
async function story(name: string): Promise<void> {
  expect((await world.shoto('create', 'cluster', name, '--pool', 'default=1', '--no-wait')).code).toBe(0);
  const waited = await world.shoto('wait', 'cluster', name, '--timeout', '8m');
  expect([waited.code, waited.stderr]).toEqual([0, '']);
  await oneToOne(name);
  const old = (await machines(name)).find((m) => m.spec.role === 'worker')!;
  await world.management.delete(MACHINES, { namespace: old.metadata.namespace!, name: old.metadata.name });
  await until(
    `another machine in the place of ${old.metadata.name}`,
    async () => {
      const now = await machines(name);
      return (
        now.length === 2 && now.every((m) => m.metadata.uid !== old.metadata.uid && m.status?.health?.ready === true)
      );
    },
    480_000,
  );
  await oneToOne(name);
  const gone = await world.shoto('delete', 'cluster', name, '--timeout', '8m');
  expect([gone.code, gone.stderr]).toEqual([0, '']);
}

it.runIf(tier === 'simulated')(
  `clusters are made, mended and taken away though services are killed ${DEATHS.length} times meanwhile`,
  async () => {
    let deaths = 0;
    const killer = (async () => {
      for (const [i, [service, call, side]] of DEATHS.entries()) {
        writeFileSync(file, JSON.stringify({ id: String(i), service, call, side }));
        await until(`${service} to die`, async () => existsSync(`${file}.${i}`), 900_000);
        deaths++;
      }
    })();
    let stories = 0;
    await Promise.all([
      killer,
      ...Array.from({ length: LANES }, async (_, lane) => {
        for (let n = 0; n === 0 || deaths < DEATHS.length; n++) {
          await story(`k${lane}-${n}`);
          stories++;
        }
      }),
    ]);
    await until('nothing left', async () => difference(before, await holdings(world.cloud)).length === 0);
    console.log(`${deaths} SIGKILLs in ${stories} stories`);
    expect(deaths).toBe(DEATHS.length);
  },
  1_500_000,
);
