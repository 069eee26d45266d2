import { type Cluster, findCondition, isTrue, type Machine, resourceOf, type Tenant, TenantKind } from '@shoto/api';
import { until } from '@shoto/service/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { playOthersUntil } from '../src/testing/others.ts';
import { CLUSTERS, startWorld, type World } from '../src/testing/world.ts';

const TENANTS = resourceOf(TenantKind);
const NAMESPACE = 'tenant-a';

let world: World;
beforeEach(async () => {
  world = await startWorld({ endpoint: 'FloatingIP' });
});
afterEach(() => world.close());

const makeTenant = (machines?: number) =>
  world.kube.create<Tenant>(TENANTS, {
    metadata: { name: 'a' },
    spec: { quota: machines === undefined ? {} : { machines } },
  } as unknown as Tenant);
const setQuota = (machines: number | null) =>
  world.kube.mergePatch(TENANTS, { name: 'a' }, { spec: { quota: { machines } } });
/** Machines that each cluster holds, by its name. */
async function held(): Promise<Record<string, number>> {
  const tenant = (await world.kube.get<Tenant>(TENANTS, { name: 'a' })) as Tenant;
  const clusters = Object.values(tenant.status?.reserved?.clusters ?? {});
  expect(tenant.status?.reserved?.machines ?? 0).toBe(clusters.reduce((n, c) => n + c.machines, 0));
  return Object.fromEntries(clusters.map((c) => [c.name, c.machines]));
}
const untilHeld = (what: string, is: Record<string, number>) =>
  until(async () => JSON.stringify(await held()) === JSON.stringify(is), { what, timeoutMs: 15_000, everyMs: 20 });

const make = (name: string, workers: number, o: object = {}) =>
  world.kube.create<Cluster>(CLUSTERS, {
    metadata: { name, namespace: NAMESPACE, finalizers: ['shoto.dev/infrastructure'] },
    spec: {
      region: 'r1',
      release: 'v1.35.4',
      controlPlane: { count: 1, flavor: 'm1.medium' },
      nodePools: [{ name: 'workers', count: workers, flavor: 'm1.small', ...o }],
    },
  } as unknown as Cluster);
const clusterNamed = (name: string) => world.kube.get<Cluster>(CLUSTERS, { namespace: NAMESPACE, name });
const infra = (c: Cluster | undefined, type: string) => findCondition(c?.status?.infrastructure.conditions, type);
const untilSays = (name: string, type: string, reason: string) =>
  until(
    async () => {
      const c = await clusterNamed(name);
      return infra(c, type)?.reason === reason ? c : undefined;
    },
    { what: `${name} says ${type}: ${reason}`, timeoutMs: 15_000, everyMs: 20 },
  );
const scale = (name: string, count: number) =>
  world.kube.jsonPatch<Cluster>(CLUSTERS, { namespace: NAMESPACE, name }, [
    { op: 'replace', path: '/spec/nodePools/0/count', value: count },
  ]);
const tenantWrites = () => world.writes.filter((w) => w.path.includes('/tenants/')).length;
const living = (ms: Machine[]) => ms.filter((m) => !m.metadata.deletionTimestamp);

const playUntil = (what: string, is: (ms: Machine[]) => boolean) => playOthersUntil(world, what, is);
const ready = (ms: Machine[]) => living(ms).filter((m) => m.status?.health.ready);
async function running(name: string, workers: number, o: object = {}): Promise<void> {
  await make(name, workers, o);
  const own = (ms: Machine[]) => ready(ms).filter((m) => m.spec.cluster.name === name);
  await playUntil(`${name} runs`, (ms) => own(ms).length === workers + 1);
  await until(async () => isTrue((await clusterNamed(name))?.status?.conditions, 'Ready'), {
    what: `${name} is Ready`,
    timeoutMs: 15_000,
    everyMs: 20,
  });
}

describe('two clusters that are made at once', () => {
  it('share what the quota has, and the one without goes on when the other gives some back', async () => {
    await makeTenant(4);
    await Promise.all([make('one', 2), make('two', 2)]);
    await playUntil('four machines run', (ms) => ready(ms).length === 4);
    const short = Object.entries(await held()).sort(([, a], [, b]) => a - b);
    expect(short.map(([, n]) => n)).toEqual([1, 3]);
    const [loser, winner] = short.map(([name]) => name) as [string, string];
    const says = await untilSays(loser, 'MachinesReady', 'TenantQuotaExceeded');
    expect(infra(says, 'MachinesReady')?.message).toMatch(
      /^2 machines cannot be made, since the quota of tenant a \(4 machines\) is used up/,
    );
    await until(
      async () =>
        findCondition((await clusterNamed(loser))?.status?.conditions, 'Ready')?.reason === 'TenantQuotaExceeded',
      {
        what: 'Ready says it too',
      },
    );
    await scale(winner, 0);
    await playUntil('the other has all', (ms) => ready(ms).filter((m) => m.spec.cluster.name === loser).length === 3);
    await untilHeld('what each has', { [winner]: 1, [loser]: 3 });
    expect(living(await world.machines())).toHaveLength(4);
  });
});

describe('a cluster under a quota', () => {
  it('writes the Tenant once for all of its machines, and nothing while it stands idle', async () => {
    await makeTenant(10);
    await running('web', 5);
    expect(tenantWrites()).toBe(1);
    const passes = world.engine.passes.length;
    const { deps } = world.provisioner;
    deps.wake.cluster(`${NAMESPACE}/web`);
    await until(() => world.engine.passes.length > passes, { what: 'a pass over it' });
    await world.restart();
    expect(tenantWrites()).toBe(1);
    await untilHeld('six', { web: 6 });
  });

  it('gives back what it held, once, when it is gone', async () => {
    await makeTenant(10);
    await running('web', 3);
    const before = tenantWrites();
    await world.kube.delete(CLUSTERS, { namespace: NAMESPACE, name: 'web' });
    await playUntil('no machine is left', (ms) => ms.length === 0);
    await until(async () => (await clusterNamed('web')) === undefined, { what: 'it is gone', timeoutMs: 15_000 });
    expect(await held()).toEqual({});
    expect(tenantWrites() - before).toBeLessThanOrEqual(2);
  });

  it('keeps what it has when the quota falls below it, and is still healed', async () => {
    await makeTenant(10);
    await running('web', 3);
    await setQuota(2);
    await scale('web', 4);
    await untilSays('web', 'MachinesReady', 'TenantQuotaExceeded');
    const [sick] = (await world.machines()).filter((m) => m.spec.role === 'worker') as [Machine];
    await world.health(sick, {
      ready: false,
      order: { number: 1, action: 'Replace', at: '2026-01-01T00:00:30Z', reason: 'NodeSilent' },
    });
    const after = await playUntil(
      'another is in its place',
      (ms) => ready(ms).length === 4 && ms.every((m) => m.metadata.uid !== sick.metadata.uid),
    );
    expect(after).toHaveLength(4);
    expect(await held()).toEqual({ web: 4 });
    await scale('web', 1);
    await playUntil('shrinking waits for nothing', (ms) => ms.length === 2);
    await untilHeld('it holds as much', { web: 2 });
  });

  it('waits with a replacement for which there is no room, says so, and goes on when there is', async () => {
    await makeTenant(3);
    await running('web', 2);
    const workers = (await world.machines()).filter((m) => m.spec.role === 'worker');
    const old = new Set(workers.map((m) => m.metadata.uid));
    await world.kube.jsonPatch<Cluster>(CLUSTERS, { namespace: NAMESPACE, name: 'web' }, [
      { op: 'replace', path: '/spec/nodePools/0/flavor', value: 'm1.medium' },
    ]);
    const waits = await untilSays('web', 'UpToDate', 'TenantQuotaExceeded');
    expect(infra(waits, 'UpToDate')?.message).toMatch(
      /^2 of 3 machines still to be replaced: another machine has to stand in/,
    );
    expect(isTrue(waits?.status?.conditions, 'Ready')).toBe(true);
    expect(waits?.status?.infrastructure.rollout).toBeUndefined();
    const before = tenantWrites();
    await setQuota(4);
    await playUntil('both are replaced', (ms) => ready(ms).length === 3 && !ms.some((m) => old.has(m.metadata.uid)));
    await untilSays('web', 'UpToDate', 'UpToDate');
    await untilHeld('the surge is given back', { web: 3 });
    expect(tenantWrites() - before).toBe(2);
  });
});

describe('a quota that is set later', () => {
  it('counts what is there, and is forgotten when it is taken away', async () => {
    await makeTenant();
    await running('web', 2);
    expect(tenantWrites()).toBe(0);
    await setQuota(5);
    await untilHeld('what is there', { web: 3 });
    await make('two', 3);
    await playUntil('the rest is for the other', (ms) => ready(ms).length === 5);
    await untilSays('two', 'MachinesReady', 'TenantQuotaExceeded');
    await setQuota(null);
    await playUntil('all are made', (ms) => ready(ms).length === 7);
    await untilHeld('nobody keeps books', {});
  });
});
