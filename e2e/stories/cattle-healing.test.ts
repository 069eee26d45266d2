import { ANNOTATIONS, type Machine, MachineKind, resourceOf } from '@shoto/api';
import { type HasMeta, NODES, Reflector } from '@shoto/kube';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../poll.ts';
import { startWorld } from '../world.ts';
import { boots, Cattle, names, PATIENCE_MS, perZone, TEST_MS, UNLIMITED } from './cattle.ts';
import { etcdMembers } from './workload.ts';

const ZONES = ['az1', 'az2', 'az3'];
const WORKERS = 12;

/** Healing in a hurry: what takes minutes takes seconds. */
const HURRY = {
  SHOTO_HEALING_SILENT_MINUTES: '0.08',
  SHOTO_HEALING_REBOOT_MINUTES: '0.1',
  SHOTO_HEALING_HARD_REBOOT_MINUTES: '0.1',
  SHOTO_HEALING_COOLING_MINUTES: '0.02',
  SHOTO_HEALING_SETTLE_SECONDS: '1',
  SHOTO_HEALING_OBSERVE_SECONDS: '1',
  SHOTO_POLL_IDLE_MS: '1000',
};

interface Node extends HasMeta {
  spec: { unschedulable?: boolean };
  status: { conditions: { type: string; status: string }[] };
}

let cattle: Cattle;
let watch: Reflector<Machine>;
/** Orders that were given, by UID of the machine, and those that were told to go. A name that is free again may be given again. */
const orders: Record<string, string[]> = {};
const leaving = new Set<string>();

const workers = async () =>
  (await cattle.machines('web', 'default')).filter((m) => !m.metadata.annotations?.[ANNOTATIONS.keepUntil]);
const machine = async (uid: string): Promise<Machine | undefined> =>
  (await cattle.machines('web')).find((m) => m.metadata.uid === uid);
const idsOf = (m: Machine | undefined) => ({ name: m!.metadata.name, uid: m!.metadata.uid! });
const fail = (server: string, fault: string, curedBy?: 'nothing') =>
  cattle.simulator('POST', '/node-faults', { server, fault, ...(curedBy ? { curedBy } : {}) });

/** Nobody hears these any more, and no reboot helps. Time runs fast in the cloud until their cluster has noticed, which takes 40 s. */
async function silence(cluster: string, machines: string[]): Promise<void> {
  for (const name of machines) await fail(name, 'silent', 'nothing');
  const api = await cattle.workload(cluster);
  await cattle.simulator('PUT', '/clock', { speed: 30 });
  try {
    await until(
      'silent nodes',
      async () => {
        const nodes = await api.listAll<Node>(NODES);
        return nodes
          .filter((n) => machines.includes(n.metadata.name))
          .every((n) => n.status.conditions.some((c) => c.type === 'Ready' && c.status === 'Unknown'));
      },
      PATIENCE_MS,
    );
  } finally {
    await cattle.simulator('PUT', '/clock', { speed: 1 });
  }
}

/** What may not change where nothing may be done: who there is, with which server and which orders. */
const picture = async () =>
  (await cattle.machines('web')).map(({ metadata, status }) => ({
    uid: metadata.uid,
    leaves: metadata.deletionTimestamp,
    server: status?.server.id,
    order: status?.health.order?.number,
  }));

// Machines that do not boot do not fall ill.
describe.runIf(boots)('a machine that fails', () => {
  beforeAll(async () => {
    cattle = new Cattle(
      await startWorld('simulated', {
        simulator: { openstack: { quotas: UNLIMITED } },
        env: HURRY,
      }),
    );
    watch = new Reflector<Machine>({
      client: cattle.world.management,
      type: resourceOf(MachineKind),
      onChange: (_key, now, before) => {
        if (!now) return;
        const { uid = '', deletionTimestamp } = now.metadata;
        const order = now.status?.health.order;
        if (order && order.number !== before?.status?.health.order?.number) {
          orders[uid] ??= [];
          orders[uid].push(order.action);
        }
        if (deletionTimestamp) leaving.add(uid);
      },
    });
    watch.start();
    await watch.synced;
    await cattle.shoto('create', 'cluster', 'other', '--pool', 'default=3', '--no-wait');
    const size = ['--control-planes', '3', '--pool', `default=${WORKERS}`];
    await cattle.shoto('create', 'cluster', 'web', ...size, '--timeout', '5m');
    await cattle.settled('web', 'default', WORKERS);
    await cattle.settled('other', 'default', 3);
  }, TEST_MS);
  afterAll(async () => {
    await watch?.stop();
    await cattle?.end();
  });

  it('because its power is off is started again, and stays who it was', { timeout: TEST_MS }, async () => {
    const [victim] = await workers();
    const { name, uid } = idsOf(victim);
    await fail(name, 'powerOff');
    await until('an order', async () => orders[uid] !== undefined, PATIENCE_MS);
    await cattle.settled('web', 'default', WORKERS);
    expect(orders[uid]).toEqual(['HardReboot']);
    expect(await machine(uid)).toMatchObject({
      metadata: { name },
      status: { server: { id: victim!.status!.server.id } },
    });
    expect([...leaving]).toEqual([]);
  });

  it('and that no reboot helps is replaced, the ladder up', { timeout: TEST_MS }, async () => {
    // One that was healed a moment ago would begin higher on the ladder.
    const { name, uid } = idsOf((await workers()).find((m) => m.status?.health.order === undefined));
    await silence('web', [name]);
    await until('it to go', async () => (await machine(uid)) === undefined, PATIENCE_MS);
    const all = await cattle.settled('web', 'default', WORKERS);
    expect(orders[uid]).toEqual(['Reboot', 'HardReboot', 'Replace']);
    expect(perZone(all, ZONES)).toEqual([4, 4, 4]);
    expect([...leaving]).toEqual([uid]);
    await cattle.oneToOne();
  });

  it('of the control plane, destroyed, is replaced: etcd has three members again', { timeout: TEST_MS }, async () => {
    const [victim] = await cattle.machines('web', 'control-plane');
    const { name, uid } = idsOf(victim);
    await cattle.world.cloudAdmin.compute.servers.delete(victim!.status!.server.id!);
    await until('it to go', async () => (await machine(uid)) === undefined, PATIENCE_MS);
    const three = await cattle.settled('web', 'control-plane', 3);
    expect(perZone(three, ZONES)).toEqual([1, 1, 1]);
    expect(names(three)).not.toContain(name);
    const workload = await cattle.workload('web');
    expect(await etcdMembers(workload, three)).toEqual(names(three));
    expect(leaving.size).toBe(2);
    await until('its node to go', async () => {
      const nodes = await workload.listAll<HasMeta>(NODES);
      return `${nodes.map((n) => n.metadata.name).sort()}` === `${names(await cattle.machines('web'))}`;
    });
  });

  it('and is kept for study is out of service, and nothing is done to it', { timeout: TEST_MS }, async () => {
    const { name: kept, uid } = idsOf((await workers()).at(-1));
    const told = await cattle.shoto('keep', 'machine', kept, '--cluster', 'web', '--reason', 'its disk looks odd');
    expect(told).toContain(`machine/${kept} is kept until`);
    await cattle.settled('web', 'default', WORKERS + 1);
    const workload = await cattle.workload('web');
    await until('its node to take no pods', async () => {
      const node = await workload.get<Node>(NODES, { name: kept });
      return node?.spec.unschedulable === true;
    });
    await silence('web', [kept]);
    const said = await until(
      'healing to say that it is kept',
      async () =>
        (await machine(uid))?.status?.health.conditions?.find((c) => c.type === 'Remediation' && c.reason === 'Kept'),
      PATIENCE_MS,
    );
    expect(said.message).toContain('its disk looks odd');
    expect(await machine(uid)).toMatchObject({ status: { server: { state: 'Active' } } });
    expect(orders[uid]).toBeUndefined();
    await fail(kept, 'none');
    await cattle.shoto('unkeep', 'machine', kept, '--cluster', 'web');
    await cattle.settled('web', 'default', WORKERS);
    expect(leaving.size).toBe(3);
  });

  it('with more than half of its zone is left as it is: healing says why it holds', { timeout: TEST_MS }, async () => {
    const before = await picture();
    const zone = (await workers()).filter((m) => m.status?.server.zone === 'az1');
    expect(zone).toHaveLength(4);
    const silent = names(zone).slice(0, 3);
    await silence('web', silent);
    const held = await until(
      'the brake to hold for each of them',
      async () => {
        const said = (await cattle.machines('web'))
          .filter((m) => silent.includes(m.metadata.name))
          .map((m) => m.status?.health.conditions?.find((c) => c.type === 'Remediation')?.reason);
        const condition = await cattle.condition('web', 'HealingHeld');
        return condition?.status === 'True' && said.every((r) => r === condition.reason) && condition;
      },
      PATIENCE_MS,
    );
    expect(held.reason).toMatch(/^(ZoneShare|SharedZone)$/);
    expect(held.message).toContain('zone az1');
    expect((await cattle.shoto('describe', 'cluster', 'web')).replaceAll(/\s+/g, ' ')).toContain('HealingHeld');
    expect(await picture()).toEqual(before);
    for (const name of silent) await fail(name, 'none');
    await cattle.settled('web', 'default', WORKERS);
    await until(
      'the brake to let go',
      async () => (await cattle.condition('web', 'HealingHeld'))?.status === 'False',
      PATIENCE_MS,
    );
    expect(await picture()).toEqual(before);
  });

  it('is not what a cluster is that we do not reach, however long', { timeout: TEST_MS }, async () => {
    const before = await picture();
    const [victim] = await cattle.machines('other', 'default');
    const { name, uid } = idsOf(victim);
    await cattle.simulator('POST', '/api-cuts', { cluster: 'web' });
    // A machine elsewhere is silent from now on: when it is replaced, every time of healing is over for those behind the cut too.
    await silence('other', [name]);
    await until(
      'the cluster to be said to be out of reach',
      async () => (await cattle.condition('web', 'Reachable'))?.status === 'False',
      PATIENCE_MS,
    );
    await until('the other to be replaced', async () => orders[uid]?.includes('Replace'), PATIENCE_MS);
    expect(await picture()).toEqual(before);
    await cattle.simulator('DELETE', '/api-cuts');
    await until(
      'the cluster to be reached again',
      async () => (await cattle.condition('web', 'Reachable'))?.status === 'True',
      PATIENCE_MS,
    );
    await cattle.settled('other', 'default', 3);
    await cattle.settled('web', 'default', WORKERS);
    expect(await picture()).toEqual(before);
    await cattle.oneToOne();
  });
});
