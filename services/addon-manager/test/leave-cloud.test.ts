import { type Cluster, ClusterKind, resourceOf } from '@shoto/api';
import {
  type EventRecord,
  type HasMeta,
  NAMESPACES,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  PODS,
  type ResourceType,
  SERVICES,
  STATEFULSETS,
} from '@shoto/kube';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CloudLeave, leaveCloud } from '../src/leave-cloud.ts';
import { startWorld, type World } from './world.ts';

const CLUSTERS = resourceOf(ClusterKind);
const AT = Date.parse('2026-01-01T00:00:00Z');

let world: World;
let events: EventRecord[];
/** Milliseconds since the Cluster was asked to go. */
let age: number;
let stop: boolean;
beforeEach(async () => {
  world = await startWorld([{ name: 'cinder-csi' }]);
  [events, age, stop] = [[], 0, false];
  await world.workload.client.create<HasMeta>(NAMESPACES, { metadata: { name: 'shop' } });
  await given({ infrastructure: { addonCredentials: { serial: 1 } } });
});
afterEach(() => world.close());

/** Writes maps of the Cluster's status. */
async function given(maps: Record<string, object>): Promise<void> {
  for (const [map, value] of Object.entries(maps))
    await world.management.client.patchStatusMap<Cluster>(CLUSTERS, world.cluster()!, map, value);
}

const pass = (): Promise<CloudLeave> => {
  const cluster = structuredClone(world.cluster()!);
  cluster.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
  return leaveCloud(
    {
      client: world.management.client,
      workload: async () => (world.kubeconfig ? world.workload.client : undefined),
      emergencyStop: () => (stop ? 'unknown' : undefined),
      wrote: () => {},
      events: (e) => events.push(e),
      now: () => AT + age,
    },
    cluster,
  );
};
const isWaiting = async (): Promise<boolean> => 'againMs' in (await pass());
const leaving = () => world.cluster()?.status?.addons?.leaving;

const make = (type: ResourceType, name: string, fields: object, metadata: object = {}) =>
  world.workload.client.create<HasMeta>(type, {
    metadata: { name, ...(type.namespaced ? { namespace: 'shop' } : {}), ...metadata },
    ...fields,
  } as HasMeta);
/** Whether it is there, and not on its way. */
const there = async (type: ResourceType, name: string): Promise<boolean> => {
  const o = await world.workload.client.get(type, { name, ...(type.namespaced ? { namespace: 'shop' } : {}) });
  return o !== undefined && o.metadata.deletionTimestamp === undefined;
};

const service = (name: string, type = 'LoadBalancer', finalizers: string[] = []) =>
  make(SERVICES, name, { spec: { type, ports: [{ port: 80 }] } }, { finalizers });
/** A claim that is bound to a volume of the CSI driver, as both stand in a cluster. */
async function claim(name: string, policy: 'Delete' | 'Retain', o: { made?: boolean; finalizers?: string[] } = {}) {
  const spec = {
    accessModes: ['ReadWriteOnce'],
    resources: { requests: { storage: '1Gi' } },
    volumeName: `pv-${name}`,
  };
  const { metadata } = await make(PERSISTENT_VOLUME_CLAIMS, name, { spec }, { finalizers: o.finalizers ?? [] });
  await make(
    PERSISTENT_VOLUMES,
    `pv-${name}`,
    {
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        persistentVolumeReclaimPolicy: policy,
        claimRef: { namespace: 'shop', name, uid: metadata.uid },
        csi: { driver: 'cinder.csi.openstack.org', volumeHandle: `id-of-${name}` },
      },
    },
    o.made === false ? {} : { annotations: { 'pv.kubernetes.io/provisioned-by': 'cinder.csi.openstack.org' } },
  );
}
/** What the cluster's controllers do when a claim is on its way: they let go of it, and its driver removes the volume. */
async function driverDeletes(name: string): Promise<void> {
  const { client } = world.workload;
  const parts: [ResourceType, { name: string; namespace?: string }][] = [
    [PERSISTENT_VOLUME_CLAIMS, { name, namespace: 'shop' }],
    [PERSISTENT_VOLUMES, { name: `pv-${name}` }],
  ];
  for (const [type, ref] of parts) {
    await client.delete(type, ref);
    for (let o = await client.get(type, ref); o?.metadata.finalizers?.[0]; o = await client.get(type, ref))
      await client.removeFinalizer(type, o, o.metadata.finalizers[0]);
  }
}

describe('a cluster that goes', () => {
  it('lets go of its load balancers, and is waited for until its cloud has removed them', async () => {
    await service('web', 'LoadBalancer', ['service.kubernetes.io/load-balancer-cleanup']);
    await service('inside', 'ClusterIP');
    expect(await isWaiting()).toBe(true);
    const web = (await world.workload.client.get(SERVICES, { namespace: 'shop', name: 'web' }))!;
    expect(web.metadata.deletionTimestamp).toBeDefined();
    expect(await isWaiting()).toBe(true);
    await world.workload.client.removeFinalizer(SERVICES, web, 'service.kubernetes.io/load-balancer-cleanup');
    expect(await isWaiting()).toBe(false);
    expect(leaving()).toEqual({ state: 'Done' });
    expect(await there(SERVICES, 'inside')).toBe(true);
    expect(events).toEqual([]);
  });

  it('lets go of claims whose volume is to be deleted, with what uses them and would ask for them again', async () => {
    await claim('data', 'Delete');
    const volumes = [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }];
    await make(PODS, 'user', { spec: { containers: [{ name: 'c', image: 'i' }], volumes } });
    await make(PODS, 'other', { spec: { containers: [{ name: 'c', image: 'i' }] } });
    const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };
    const set = (volumeClaimTemplates: object[]) => ({
      spec: { selector: { matchLabels: { a: 'b' } }, serviceName: 's', template, volumeClaimTemplates },
    });
    await make(STATEFULSETS, 'claims', set([{ metadata: { name: 'data' }, spec: {} }]));
    await make(STATEFULSETS, 'claims-nothing', set([]));
    expect(await isWaiting()).toBe(true);
    expect(await there(PERSISTENT_VOLUME_CLAIMS, 'data')).toBe(false);
    expect([await there(PODS, 'user'), await there(PODS, 'other')]).toEqual([false, true]);
    expect([await there(STATEFULSETS, 'claims'), await there(STATEFULSETS, 'claims-nothing')]).toEqual([false, true]);
    await driverDeletes('data');
    expect(await isWaiting()).toBe(false);
    expect(leaving()).toEqual({ state: 'Done' });
  });

  it('keeps what is to be retained, and says which volumes that are', async () => {
    await claim('kept', 'Retain');
    expect(await isWaiting()).toBe(false);
    expect(await there(PERSISTENT_VOLUME_CLAIMS, 'kept')).toBe(true);
    expect(leaving()).toEqual({ state: 'Done', retained: ['id-of-kept'] });
    expect(events).toMatchObject([{ type: 'Normal', reason: 'VolumesRetained' }]);
    expect(events[0]?.message).toContain('id-of-kept (claim shop/kept)');
  });

  it('leaves volumes alone that a person made', async () => {
    await claim('own', 'Delete', { made: false });
    expect(await isWaiting()).toBe(false);
    expect(await there(PERSISTENT_VOLUME_CLAIMS, 'own')).toBe(true);
    expect(leaving()).toEqual({ state: 'Done' });
  });

  it('goes on after three minutes, names what is still there, and says which volumes stay', async () => {
    await service('web', 'LoadBalancer', ['x.org/never']);
    await claim('kept', 'Retain');
    expect(await isWaiting()).toBe(true);
    age = 181_000;
    expect(await isWaiting()).toBe(false);
    expect(leaving()).toEqual({ state: 'TimedOut', retained: ['id-of-kept'] });
    expect(events.map((e) => e.reason)).toEqual(['LeavingTimedOut', 'VolumesRetained']);
    expect(events[0]?.message).toContain('Service shop/web');
  });

  it('is removed from once, and keeps what else is known of its addons', async () => {
    await given({ addons: { conditions: [], items: [{ name: 'cinder-csi', healthy: true }] } });
    expect(await isWaiting()).toBe(false);
    expect(world.cluster()?.status?.addons?.items).toHaveLength(1);
    await service('late');
    expect(await isWaiting()).toBe(false);
    expect(await there(SERVICES, 'late')).toBe(true);
  });

  it('keeps everything during the emergency stop', async () => {
    await service('web');
    stop = true;
    age = 600_000;
    expect(await isWaiting()).toBe(true);
    expect(await there(SERVICES, 'web')).toBe(true);
  });
});

describe('a cluster that cannot be reached', () => {
  const broken: [string, () => void][] = [
    ['it does not answer', () => world.workload.disturb(() => ({ status: 503 }))],
    [
      'its kubeconfig is not there',
      () => {
        world.kubeconfig = false;
      },
    ],
  ];
  it.each(broken)('is waited for three minutes, and then goes, and it is said: %s', async (_, breaks) => {
    breaks();
    expect(await isWaiting()).toBe(true);
    expect(leaving()).toBeUndefined();
    age = 181_000;
    expect(await isWaiting()).toBe(false);
    expect(leaving()).toEqual({ state: 'Unreachable' });
    expect(events).toMatchObject([{ type: 'Warning', reason: 'LeavingUnreachable' }]);
  });
  it.each(broken)('is not waited for where its addons were never given a credential: %s', async (_, breaks) => {
    await given({ infrastructure: {} });
    breaks();
    expect(await isWaiting()).toBe(false);
    expect(leaving()).toBeUndefined();
  });
  it('is not asked where it never ran', async () => {
    await given({ controlPlane: { initialized: false } });
    world.workload.disturb(() => ({ status: 503 }));
    expect(await isWaiting()).toBe(false);
    expect(leaving()).toBeUndefined();
  });
});

it('ends the same, wherever the process dies', async () => {
  for (let dieAt = 1; ; dieAt++) {
    await given({ addons: {} });
    await service('web');
    await claim('data', 'Delete');
    let calls = 0;
    let died = false;
    world.workload.disturb(() => {
      died ||= ++calls === dieAt;
      return died ? { status: 503 } : undefined;
    });
    await pass();
    world.workload.disturb(undefined);
    await pass();
    expect([await there(SERVICES, 'web'), await there(PERSISTENT_VOLUME_CLAIMS, 'data')]).toEqual([false, false]);
    await driverDeletes('data');
    expect(await isWaiting()).toBe(false);
    expect(leaving()).toEqual({ state: 'Done' });
    if (!died) return expect(dieAt).toBeGreaterThan(6);
  }
});
