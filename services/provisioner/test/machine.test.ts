import { findCondition, type Machine } from '@shoto/api';
import { EVENTS, type KubeObject } from '@shoto/kube';
import { until } from '@shoto/service/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { CLUSTERS, MACHINES, startWorld, type World } from '../src/testing/world.ts';

let world: World;
afterEach(() => world.close());

const allActive = (n: number) => (ms: Machine[]) =>
  ms.length === n && ms.every((m) => m.status?.server.state === 'Active');
const reboots = async (m: Machine): Promise<number> =>
  (await world.user.compute.servers.actions(idOf(m)).all()).filter((a) => a.action === 'reboot').length;
const idOf = (m: Machine): string => m.status?.server.id as string;
const now = async (m: Machine): Promise<Machine | undefined> =>
  world.kube.get<Machine>(MACHINES, { namespace: 'tenant-a', name: m.metadata.name });
const untilMachine = (m: Machine, what: string, is: (m: Machine) => boolean): Promise<Machine> =>
  until(
    async () => {
      const found = await now(m);
      return found && is(found) ? found : undefined;
    },
    { what, timeoutMs: 10_000, everyMs: 20 },
  );
const silent = {
  ready: false,
  unreachable: true,
  conditions: [
    {
      type: 'Healthy',
      status: 'False',
      reason: 'NodeSilent',
      message: 'silent',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    },
  ],
};
/** @param inMs - when it was given, from now: Nova's clock and ours differ, so that one just before counts as this one */
const order = (action: string, number = 1, inMs = 0) => ({
  ...silent,
  order: { number, action, at: new Date(Date.now() + inMs).toISOString(), reason: 'NodeSilent' },
});
const pause = (paused: boolean) =>
  world.kube.jsonPatch(CLUSTERS, { namespace: 'tenant-a', name: 'web' }, [
    { op: 'add', path: '/spec/paused', value: paused },
  ]);
const eventsOf = async (m: Machine): Promise<string[]> =>
  (
    await world.kube.listAll<KubeObject & { reason: string; regarding: { name: string } }>(EVENTS, {
      namespace: 'tenant-a',
    })
  )
    .filter((e) => e.regarding.name === m.metadata.name)
    .map((e) => e.reason);

/** A cluster with one control-plane machine and one worker, both running. */
async function running(o: Parameters<typeof startWorld>[0] = {}): Promise<{ worker: Machine; controlPlane: Machine }> {
  world = await startWorld({ endpoint: 'FloatingIP', ...o });
  await world.createCluster({ workers: 1 });
  const machines = await world.untilMachines('both servers run', allActive(2));
  const of = (role: string) => machines.find((m) => m.spec.role === role) as Machine;
  return { worker: of('worker'), controlPlane: of('control-plane') };
}

describe('an order of self-healing', () => {
  it('reboots the server once, says so, and is handled', async () => {
    const { worker } = await running();
    await world.health(worker, order('Reboot'));
    const after = await untilMachine(worker, 'the order is handled', (m) => m.status?.server.handled === 1);
    expect(after.status?.server.state).toBe('Active');
    expect(await reboots(worker)).toBe(1);
    expect(await eventsOf(worker)).toContain('Rebooted');
    await world.restart();
    await world.health((await now(worker)) as Machine, order('HardReboot', 2, 5_000));
    await untilMachine(worker, 'the second is handled too', (m) => m.status?.server.handled === 2);
    expect(await reboots(worker)).toBe(2);
  });

  it('starts a server that is shut off, and the machine is seen to run again', async () => {
    const { worker } = await running();
    await world.user.compute.servers.stop(idOf(worker));
    const stopped = await untilMachine(
      worker,
      'it is seen to be shut off',
      (m) => m.status?.server.state === 'Stopped',
    );
    expect(findCondition(stopped.status?.server.conditions, 'ServerReady')?.reason).toBe('ServerStopped');
    await world.health(stopped, order('Reboot'));
    const back = await untilMachine(worker, 'it runs again', (m) => m.status?.server.state === 'Active');
    expect(findCondition(back.status?.server.conditions, 'ServerReady')).toMatchObject({
      status: 'True',
      reason: 'Active',
    });
    expect(back.status?.server.handled).toBe(1);
  });

  it.each(['lostAnswer', 'lateDeed'] as const)('is carried out once when the answer is lost (%s)', async (type) => {
    const { worker } = await running({
      cloud: {
        faults: [
          {
            match: { operation: 'nova.server.action' },
            count: 1,
            action: type === 'lostAnswer' ? { type } : { type, afterMs: 100 },
          },
        ],
      },
    });
    await world.health(worker, order('Reboot'));
    await untilMachine(worker, 'the order is handled', (m) => m.status?.server.handled === 1);
    expect(world.cloud.state.faults.list()[0]?.hits).toBe(1);
    expect(await reboots(worker)).toBe(1);
  });

  it('is handled, and told of, when the cloud refuses it', async () => {
    const { worker } = await running();
    await world.user.compute.servers.lock(idOf(worker));
    world.cloud.state.faults.add({
      match: { operation: 'nova.server.action' },
      count: 5,
      action: { type: 'status', status: 409 },
    } as never);
    await world.health(worker, order('HardReboot'));
    await untilMachine(worker, 'the order is handled', (m) => m.status?.server.handled === 1);
    expect(await reboots(worker)).toBe(0);
    expect(await eventsOf(worker)).toContain('RebootRefused');
  });

  it('finds that there is no server, and says that it is gone', async () => {
    const { worker } = await running({ times: { recheckMs: 60_000 } });
    await world.user.compute.servers.delete(idOf(worker));
    await world.health(worker, order('HardReboot'));
    const after = await untilMachine(worker, 'the order is handled', (m) => m.status?.server.handled === 1);
    expect(after.status?.server.state).toBe('Gone');
  });

  it.each([
    ['the emergency stop is on', () => world.emergencyStop(true), () => world.emergencyStop(false)],
    ['the cluster is paused', () => pause(true), () => pause(false)],
  ])('waits while %s, and is carried out after', async (_, begin, end) => {
    const { worker } = await running();
    await begin();
    await until(
      () => world.provisioner.deps.emergencyStop() !== undefined || world.provisioner.clusters.list()[0]?.spec.paused,
      {
        what: 'the provisioner knows',
      },
    );
    await world.health(worker, order('Reboot'));
    await until(() => world.provisioner.machines.list().some((m) => m.status?.health.order), {
      what: 'the order is seen',
    });
    const passes = () => world.engine.passes.filter((p) => p.key.endsWith(worker.metadata.name)).length;
    await until(() => passes() > 0, { what: 'the machine was looked at' });
    expect([await reboots(worker), (await now(worker))?.status?.server.handled]).toEqual([0, undefined]);
    await end();
    await untilMachine(worker, 'the order is handled', (m) => m.status?.server.handled === 1);
    expect(await reboots(worker)).toBe(1);
  });
});

it('a control-plane machine is not rebooted at the moment when the member of another is taken out of etcd', async () => {
  world = await startWorld();
  await world.createCluster({ controlPlanes: 3, workers: 0 });
  const [sick, other] = (await world.untilMachines('the servers run', allActive(3))) as [Machine, Machine];
  const say = async (status: string, reason: string) =>
    world.kube.patchStatusMap<Machine>(MACHINES, (await now(other)) as Machine, 'bootstrap', {
      joinedAt: '2026-01-01T00:00:00Z',
      conditions: [{ type: 'MemberRemoved', status, reason, message: '', lastTransitionTime: '2026-01-01T00:00:00Z' }],
    });
  await say('False', 'Removing');
  await world.kube.delete(MACHINES, other.metadata);
  await until(() => world.provisioner.machines.list().some((m) => m.metadata.deletionTimestamp), {
    what: 'the provisioner knows that the other leaves',
  });
  const passes = () => world.engine.passes.filter((p) => p.key.endsWith(sick.metadata.name)).length;
  const before = passes();
  await world.health((await now(sick)) as Machine, order('Reboot'));
  await until(() => passes() > before, { what: 'the machine was looked at' });
  expect([await reboots(sick), (await now(sick))?.status?.server.handled]).toEqual([0, undefined]);
  await say('True', 'Removed');
  await untilMachine(sick, 'the order is handled', (m) => m.status?.server.handled === 1);
  expect(await reboots(sick)).toBe(1);
});

describe('a server that changes by itself', () => {
  it('is told with the host that it is on', async () => {
    const { worker } = await running();
    const server = await world.user.compute.servers.get(idOf(worker));
    expect(worker.status?.server.hostId).toBe(server.hostId);
    expect(server.hostId).toMatch(/./);
  });

  it('is looked at alone when its node is silent, although no list tells', async () => {
    const { worker } = await running();
    world.cloud.state.faults.add({
      match: { operation: 'nova.server.list' },
      count: 1_000,
      action: { type: 'status', status: 503 },
    } as never);
    await world.user.compute.servers.delete(idOf(worker));
    await world.health(worker, silent);
    const gone = await untilMachine(worker, 'it is found gone', (m) => m.status?.server.state === 'Gone');
    expect(findCondition(gone.status?.server.conditions, 'ServerReady')?.reason).toBe('ServerGone');
    expect(await eventsOf(worker)).toContain('ServerGone');
  });
});

describe('a control-plane machine whose server is gone', () => {
  it('is said to be out of the endpoint at once, although that cannot be changed just now', async () => {
    const { controlPlane } = await running({ endpoint: 'LoadBalancer' });
    await world.user.compute.servers.delete(idOf(controlPlane));
    world.cloud.state.faults.add({ match: { service: 'octavia' }, action: { type: 'status', status: 503 } });
    await world.health(controlPlane, silent);
    const out = await untilMachine(
      controlPlane,
      'it is out',
      (m) => findCondition(m.status?.server.conditions, 'InEndpoint')?.status === 'False',
    );
    expect(out.status?.server.state).toBe('Gone');
  });
});

describe('a machine that leaves', () => {
  it('keeps its server while the emergency stop is on, and goes after', async () => {
    const { worker } = await running();
    await world.emergencyStop(true);
    await until(() => world.provisioner.deps.emergencyStop() !== undefined, { what: 'the provisioner knows' });
    const before = world.calls('DELETE');
    await world.kube.delete(MACHINES, { namespace: 'tenant-a', name: worker.metadata.name });
    await world.letGo();
    await until(
      () =>
        world.provisioner.machines
          .list()
          .some((m) => m.metadata.deletionTimestamp && m.metadata.finalizers?.length === 1),
      {
        what: 'it is seen to leave',
      },
    );
    const passes = world.engine.passes.length;
    await until(() => world.engine.passes.length > passes, { what: 'it was looked at' });
    expect(world.calls('DELETE')).toBe(before);
    await world.emergencyStop(false);
    await until(async () => (await now(worker))?.metadata.uid !== worker.metadata.uid, { what: 'it is gone' });
    expect(world.calls('DELETE', /\/servers\//)).toBeGreaterThan(0);
  });

  it('leaves volumes that others attached where they are', async () => {
    const { worker } = await running();
    const volume = await world.user.blockStorage.volumes.create({ size: 1, name: 'data' });
    await until(async () => (await world.user.blockStorage.volumes.get(volume.id)).status === 'available', {
      what: 'it is made',
    });
    await world.user.compute.servers.volumes.attach(idOf(worker), { volumeId: volume.id });
    await world.kube.delete(MACHINES, { namespace: 'tenant-a', name: worker.metadata.name });
    await world.letGo();
    await until(async () => (await now(worker)) === undefined, { what: 'the machine is gone', timeoutMs: 10_000 });
    await until(async () => (await world.user.blockStorage.volumes.get(volume.id)).status === 'available', {
      what: 'the volume is free again',
    });
  });
});
