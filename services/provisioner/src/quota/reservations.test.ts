import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Cluster, crdOf, KINDS, resourceOf, type Tenant, TenantKind } from '@shoto/api';
import { CRDS, KubeClient, type KubeObject, NAMESPACES } from '@shoto/kube';
import { systemClock } from '@shoto/service';
import { until } from '@shoto/service/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createApiServer } from '../testing/simulators.ts';
import { CLUSTERS } from '../testing/world.ts';
import { View } from '../view.ts';
import type { Ask } from './ledger.ts';
import { Reservations } from './reservations.ts';

const TENANTS = resourceOf(TenantKind);
const NAMESPACE = 'tenant-blue';

let api: ReturnType<typeof createApiServer>;
let http: Server;
let kube: KubeClient;
/** Writes to Tenants: method and path. */
let writes: string[] = [];

beforeAll(async () => {
  api = createApiServer({ authn: { staticTokens: [{ token: 'admin', user: 'admin', groups: ['system:masters'] }] } });
  http = createServer((request, response) => void api.handle(request, response));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  kube = new KubeClient({
    connection: { server: `http://127.0.0.1:${(http.address() as AddressInfo).port}`, token: 'admin' },
    userAgent: 'test',
    onRequest: ({ method, path }) => {
      if (method !== 'GET' && path.includes('/tenants/')) writes.push(`${method} ${path}`);
    },
  });
  for (const kind of KINDS) await kube.create<KubeObject>(CRDS, crdOf(kind) as unknown as KubeObject);
  await kube.create<KubeObject>(NAMESPACES, { metadata: { name: NAMESPACE } });
  await until(() => kube.list(TENANTS).then(() => true), { what: 'the kinds are served' });
});
afterAll(async () => {
  await kube.close();
  api.close();
  http.closeAllConnections();
  await new Promise((resolve) => http.close(resolve));
});

const stored = async () => (await kube.get<Tenant>(TENANTS, { name: 'blue' })) as Tenant;
const held = async () =>
  Object.fromEntries(
    Object.entries((await stored()).status?.reserved?.clusters ?? {}).map(([u, c]) => [u, c.machines]),
  );

beforeEach(async () => {
  if (await kube.get(TENANTS, { name: 'blue' })) await kube.delete(TENANTS, { name: 'blue' });
  for (const c of await kube.listAll<Cluster>(CLUSTERS, { namespace: NAMESPACE }))
    await kube.delete(CLUSTERS, c.metadata);
  await kube.create<Tenant>(TENANTS, {
    metadata: { name: 'blue' },
    spec: { quota: { machines: 10 } },
  } as unknown as Tenant);
  writes = [];
});

const cluster = (name: string) =>
  kube.create<Cluster>(CLUSTERS, {
    metadata: { name, namespace: NAMESPACE },
    spec: { region: 'r1', release: 'v1.35.4', controlPlane: { count: 1, flavor: 'm1.small' } },
  } as unknown as Cluster);

/** A process that saw the Tenant as it is now, and these clusters, and sees nothing after that but what it writes. */
async function aProcess(clusters: Cluster[] = []): Promise<Reservations> {
  const seen = await stored();
  const cache = { get: () => seen, read: async () => seen, list: () => [seen], byIndex: () => [] };
  return new Reservations({
    kube,
    tenants: new View<Tenant>(cache, systemClock),
    clustersIn: () => clusters,
    machinesOf: () => 0,
  });
}

const asks = (uid: string, wants: number, o: Partial<Ask> = {}): Ask => ({
  cluster: { uid, name: 'web' },
  has: 0,
  there: 0,
  wants,
  keeps: wants,
  releases: true,
  ...o,
});

describe('two processes that ask at once', () => {
  it('do not both get the last of it, though none sees what the other writes', async () => {
    const [one, two] = await Promise.all([aProcess(), aProcess()]);
    const clusters = await Promise.all([cluster('one'), cluster('two')]);
    const [a, b] = clusters.map((c) => c.metadata.uid as string) as [string, string];
    const grants = await Promise.all([one.ask(NAMESPACE, asks(a, 7)), two.ask(NAMESPACE, asks(b, 7))]);
    expect(grants.map((g) => g?.machines).sort()).toEqual([3, 7]);
    expect(await held()).toEqual({ [a]: grants[0]?.machines, [b]: grants[1]?.machines });
  });
});

describe('many clusters of one process', () => {
  it('share writes, and together get what there is', async () => {
    const clusters = await Promise.all(Array.from({ length: 8 }, (_, i) => cluster(`c${i}`)));
    const p = await aProcess(clusters);
    const uids = clusters.map((c) => c.metadata.uid as string);
    const grants = await Promise.all(uids.map((uid) => p.ask(NAMESPACE, asks(uid, 2))));
    expect(grants.reduce((n, g) => n + (g?.machines ?? 0), 0)).toBe(10);
    expect(writes.length).toBeLessThanOrEqual(2);
    expect(await stored()).toMatchObject({ status: { reserved: { machines: 10 } } });
  });
});

describe('a process that dies after it has reserved and before it has made a machine', () => {
  it('leaves a reservation that its successor takes for its own, without another write', async () => {
    const web = await cluster('web');
    const uid = web.metadata.uid as string;
    await (await aProcess([web])).ask(NAMESPACE, asks(uid, 4));
    expect(writes).toHaveLength(1);
    const successor = await aProcess([web]);
    expect(await successor.ask(NAMESPACE, asks(uid, 4))).toMatchObject({ machines: 4, isSurplus: false });
    expect(successor.room(NAMESPACE, 'another')).toMatchObject({ others: 4 });
    expect(writes).toHaveLength(1);
  });

  it('leaves one that is given back when fewer are asked for by now', async () => {
    const web = await cluster('web');
    const uid = web.metadata.uid as string;
    await (await aProcess([web])).ask(NAMESPACE, asks(uid, 4));
    await (await aProcess([web])).ask(NAMESPACE, asks(uid, 1));
    expect(await held()).toEqual({ [uid]: 1 });
  });

  it('leaves one that is swept for whoever needs it when its Cluster is gone', async () => {
    const [gone, web] = await Promise.all([cluster('gone'), cluster('web')]);
    await (await aProcess([gone])).ask(NAMESPACE, asks(gone.metadata.uid as string, 8));
    await kube.delete(CLUSTERS, gone.metadata);
    const uid = web.metadata.uid as string;
    expect(await (await aProcess([web])).ask(NAMESPACE, asks(uid, 6))).toMatchObject({ machines: 6 });
    expect(await held()).toEqual({ [uid]: 6 });
  });
});

describe('a reservation of a cluster that this process does not know yet', () => {
  it('is not swept', async () => {
    const [young, web] = await Promise.all([cluster('young'), cluster('web')]);
    await (await aProcess([young])).ask(NAMESPACE, asks(young.metadata.uid as string, 8));
    expect(await (await aProcess([web])).ask(NAMESPACE, asks(web.metadata.uid as string, 6))).toMatchObject({
      machines: 2,
    });
    expect(await held()).toEqual({ [young.metadata.uid as string]: 8, [web.metadata.uid as string]: 2 });
  });
});

describe('where nothing is to be reserved', () => {
  it('nothing is written: no Tenant, no quota, nothing left, nothing new', async () => {
    const p = await aProcess();
    expect(await p.ask('default', asks('uid-a', 3))).toBeUndefined();
    await p.ask(NAMESPACE, asks('uid-a', 10));
    await p.ask(NAMESPACE, asks('uid-a', 10, { has: 10, there: 10 }));
    expect(await p.ask(NAMESPACE, asks('uid-a', 12, { has: 10, there: 10 }))).toMatchObject({ machines: 10 });
    expect(writes).toHaveLength(1);
  });

  it('nothing stays in the books of a tenant whose quota was taken away', async () => {
    await (await aProcess()).ask(NAMESPACE, asks('uid-a', 4));
    await kube.mergePatch(TENANTS, { name: 'blue' }, { spec: { quota: { machines: null } } });
    writes = [];
    const p = await aProcess();
    expect(await p.ask(NAMESPACE, asks('uid-a', 40))).toBeUndefined();
    expect(await held()).toEqual({});
    expect(await p.ask(NAMESPACE, asks('uid-a', 40))).toBeUndefined();
    expect(writes).toHaveLength(1);
  });
});
