import { type Cluster, findCondition, isTrue, type Machine } from '@shoto/api';
import { until } from '@shoto/service/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { playOthers, playOthersUntil } from '../src/testing/others.ts';
import { CLUSTERS, startWorld, type World } from '../src/testing/world.ts';

let world: World;
afterEach(() => world.close());

const REF = { namespace: 'tenant-a', name: 'web' };
const control = (m: Machine) => m.spec.role === 'control-plane';
const leaving = (m: Machine) => m.metadata.deletionTimestamp !== undefined;
const condition = (c: Cluster | undefined, type: string) => findCondition(c?.status?.infrastructure.conditions, type);

/** Plays on until the machines are as wanted. */
const playUntil = (what: string, is: (ms: Machine[]) => boolean) => playOthersUntil(world, what, is);
const change = (...ops: { path: string; value: unknown }[]) =>
  world.kube.jsonPatch<Cluster>(
    CLUSTERS,
    REF,
    ops.map((o) => ({ op: 'add' as const, ...o })),
  );
const usable = (ms: Machine[]) => ms.filter((m) => !leaving(m) && m.status?.health.ready);
const upToDate = (status: string, reason: string) =>
  world.untilCluster(`UpToDate is ${status}: ${reason}`, (c) => {
    const is = condition(c, 'UpToDate');
    return is?.status === status && is.reason === reason;
  });

async function running(
  o: { controlPlanes?: number; workers?: number; endpoint?: 'LoadBalancer' | 'FloatingIP' } = {},
): Promise<Machine[]> {
  world = await startWorld(o.endpoint ? { endpoint: o.endpoint } : {});
  const { controlPlanes = 1, workers = 2 } = o;
  await world.createCluster({ controlPlanes, workers });
  const all = await playUntil('all are ready', (ms) => usable(ms).length === controlPlanes + workers);
  await world.untilCluster('it is Ready', (c) => isTrue(c.status?.conditions, 'Ready'));
  return all;
}

describe('a change of flavor', () => {
  it('replaces the machines of a pool one by one, and the cluster stays Ready all the while', async () => {
    const before = await running({ workers: 3 });
    const [, ...rest] = before.filter((m) => !control(m));
    expect(rest).toHaveLength(2);
    const writes = world.writes.length;
    let fewest = Number.POSITIVE_INFINITY;
    let most = 0;
    const unready: string[] = [];
    await change({ path: '/spec/nodePools/0/flavor', value: 'm1.medium' });
    const old = new Set(before.filter((m) => !control(m)).map((m) => m.metadata.uid));
    const after = await until(
      async () => {
        await playOthers(world);
        const ms = (await world.machines()).filter((m) => !control(m));
        fewest = Math.min(fewest, usable(ms).length);
        most = Math.max(most, ms.filter((m) => !leaving(m)).length);
        const ready = findCondition((await world.cluster())?.status?.conditions, 'Ready');
        if (ready?.status !== 'True') unready.push(ready?.message ?? '');
        return ms.length === 3 && ms.every((m) => !old.has(m.metadata.uid) && m.status?.health.ready) ? ms : undefined;
      },
      { what: 'all three are new', timeoutMs: 25_000, everyMs: 20 },
    );
    expect(fewest).toBe(3);
    expect(most).toBe(4);
    expect(unready).toEqual([]);
    expect(new Set(after.map((m) => m.spec.flavor)).size).toBe(1);
    const cluster = await world.untilCluster(
      'it says so',
      (c) => c.status?.infrastructure.rollout === undefined && isTrue(c.status?.infrastructure.conditions, 'UpToDate'),
    );
    expect(cluster.status?.infrastructure.pools?.map((p) => p.outdated)).toEqual([undefined, undefined]);
    // Born, active, asked to go, let go: four of ours for each, and the Cluster's.
    expect((world.writes.length - writes) / 3).toBeLessThanOrEqual(8);
    expect((await world.user.compute.servers.list().all()).length).toBe(4);
  });

  it.each(['LoadBalancer', 'FloatingIP'] as const)(
    'replaces a single control plane behind a %s by way of two',
    async (endpoint) => {
      const [first] = (await running({ workers: 0, endpoint })).filter(control);
      await change({ path: '/spec/controlPlane/flavor', value: 'm1.large' });
      let most = 0;
      const [second] = await playUntil('there is another', (ms) => {
        most = Math.max(most, ms.length);
        return ms.length === 1 && ms[0]?.metadata.uid !== first?.metadata.uid;
      });
      expect(most).toBe(2);
      expect((await world.cluster())?.status?.infrastructure.endpoint).toBeDefined();
      if (endpoint === 'FloatingIP') {
        const [ip] = await world.user.network.floatingIps.list().all();
        expect(ip?.port_id).toBe(second?.status?.server.portId);
      } else {
        const pool = (await world.cluster())?.status?.infrastructure.loadBalancerPoolId ?? '';
        const members = await world.user.loadBalancer.members.list(pool).all();
        expect(members.map((m) => m.address)).toEqual(second?.status?.server.addresses);
      }
    },
  );

  it('to one that does not exist is said, and everything else goes on', async () => {
    const before = await running();
    await change({ path: '/spec/nodePools/0/flavor', value: 'none' }, { path: '/spec/controlPlane/count', value: 3 });
    const cluster = await upToDate('False', 'FlavorNotFound');
    expect(condition(cluster, 'UpToDate')?.message).toContain('spec.nodePools[0].flavor: there is no flavor "none"');
    expect(isTrue(cluster.status?.infrastructure.conditions, 'NetworkReady')).toBe(true);
    const after = await playUntil('the control plane has grown', (ms) => usable(ms).filter(control).length === 3);
    for (const m of before) expect(after.map((x) => x.metadata.uid)).toContain(m.metadata.uid);
  });
});

describe('nothing is replaced', () => {
  let before: Machine[];
  beforeEach(async () => {
    before = await running();
  });
  const same = async () =>
    expect((await world.machines()).map((m) => m.metadata.uid)).toEqual(before.map((m) => m.metadata.uid));

  it('while the cluster is paused', async () => {
    await change(
      { path: '/spec/paused', value: true },
      { path: '/spec/controlPlane/flavor', value: 'm1.large' },
      { path: '/spec/release', value: 'v1.35.5' },
    );
    await upToDate('False', 'Paused');
    await same();
  });

  it('during the emergency stop, and the cluster says so; it goes on afterwards', async () => {
    await world.emergencyStop(true);
    await world.untilCluster('it says so', (c) => isTrue(c.status?.infrastructure.conditions, 'EmergencyStop'));
    await change({ path: '/spec/nodePools/0/flavor', value: 'm1.medium' });
    await upToDate('False', 'EmergencyStop');
    await same();
    await world.emergencyStop(false);
    const old = new Set(before.filter((m) => !control(m)).map((m) => m.metadata.uid));
    await playUntil('both are new', (ms) => ms.length === 3 && ms.every((m) => !old.has(m.metadata.uid)));
    await world.untilCluster('it says that it is over', (c) => condition(c, 'EmergencyStop')?.reason === 'Resumed');
  });

  it('outside the maintenance window, and it says when that opens', async () => {
    const tomorrow = new Date(Date.now() + 86_400_000);
    const day = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'][tomorrow.getUTCDay()];
    const window = { timeZone: 'UTC', days: [day], start: '23:00', durationMinutes: 30 };
    await change(
      { path: '/spec/maintenanceWindow', value: window },
      { path: '/spec/nodePools/0/flavor', value: 'm1.medium' },
    );
    const cluster = await upToDate('False', 'OutsideMaintenanceWindow');
    expect(condition(cluster, 'UpToDate')?.message).toContain(`${tomorrow.toISOString().slice(0, 10)}T23:00:00Z`);
    expect(cluster.status?.infrastructure.pools?.[1]).toMatchObject({ outdated: 2 });
    await same();
  });

  it('for labels and time-outs: they change in place', async () => {
    await change(
      { path: '/spec/nodePools/0/labels', value: { tier: 'web' } },
      { path: '/spec/nodePools/0/nodeDrainTimeoutSeconds', value: 90 },
    );
    const after = await world.untilMachines(
      'they have them',
      (ms) => ms.filter((m) => m.spec.labels?.tier === 'web' && m.spec.nodeDrainTimeoutSeconds === 90).length === 2,
    );
    expect(after.map((m) => m.metadata.uid)).toEqual(before.map((m) => m.metadata.uid));
  });
});

describe('a sick machine that self-healing gave up', () => {
  it('is replaced', async () => {
    const worker = (await running()).find((m) => !control(m)) as Machine;
    const order = { number: 1, action: 'Replace', at: '2026-01-01T02:00:00Z', reason: 'NodeSilent' };
    await world.health(worker, { ready: false, order });
    await playUntil(
      'another is there',
      (ms) => usable(ms).length === 3 && ms.every((m) => m.metadata.uid !== worker.metadata.uid),
    );
  });

  it('stays where it is the only control plane', async () => {
    const [only] = (await running({ workers: 0 })).filter(control) as [Machine];
    const order = { number: 1, action: 'Replace', at: '2026-01-01T02:00:00Z', reason: 'NodeSilent' };
    await world.health(only, { ready: false, order });
    const cluster = await upToDate('False', 'QuorumLost');
    expect(condition(cluster, 'UpToDate')?.message).toContain(only.metadata.name);
    expect((await world.machines()).map((m) => m.metadata.uid)).toEqual([only.metadata.uid]);
  });
});

it('chooses the machine whose going disturbs fewest pods', async () => {
  const workers = (await running({ workers: 3 })).filter((m) => !control(m));
  workers.forEach((m, i) => {
    world.pods.set(m.metadata.name, i === 1 ? 0 : 5);
  });
  await change({ path: '/spec/nodePools/0/count', value: 2 });
  await playUntil(
    'one is gone',
    (ms) => ms.length === 3 && ms.every((m) => m.metadata.uid !== workers[1]?.metadata.uid),
  );
});
