import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  ADDON_CREDENTIALS,
  AddonBundleKind,
  addonCredentialsRef,
  type Cluster,
  ClusterKind,
  findCondition,
  resourceOf,
  tenantNamespace,
} from '@shoto/api';
import {
  CONFIGMAPS,
  connectionFromKubeconfig,
  type HasMeta,
  KubeClient,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  SECRETS,
  SERVICES,
} from '@shoto/kube';
import { createClient, type OpenStack } from 'openstack-client-ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { difference, type Holdings, holdings } from '../leftovers.ts';
import { until } from '../poll.ts';
import { kubeconfigFile, startWorld, tier, type World } from '../world.ts';

/** Whether machines of this tier run Kubernetes. */
const boots = tier !== 'api';
const CLUSTERS = resourceOf(ClusterKind);
const PATIENCE_MS = 240_000;

let world: World;
let before: Holdings;
let web: Cluster;
let secret: Record<string, string>;
/** The cloud, as the cluster's addons are in it. */
let addons: OpenStack;
let workload: KubeClient | undefined;
const volumes: Record<'deleted' | 'retained', string> = { deleted: '', retained: '' };

const cluster = () =>
  world.management.get<Cluster>(CLUSTERS, { namespace: tenantNamespace(world.system.tenant), name: 'web' });
const readSecret = async (): Promise<Record<string, string> | undefined> => {
  const ref = addonCredentialsRef('shoto-system', web.metadata.uid as string);
  const object = await world.management.get<HasMeta & { data: Record<string, string> }>(SECRETS, ref);
  return (
    object && Object.fromEntries(Object.entries(object.data).map(([k, v]) => [k, Buffer.from(v, 'base64').toString()]))
  );
};

/** A bundle whose addon works in the cloud; what it does there is played by the story. */
async function publish(): Promise<void> {
  const name = 'cloud-worker-1.0.0';
  const text = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: cloud-worker, namespace: kube-system }\n';
  const at = { namespace: 'shoto-system', name };
  await world.management.create<HasMeta>(CONFIGMAPS, { metadata: at, data: { 'manifests.yaml': text } } as HasMeta);
  const digest = `sha256:${createHash('sha256').update(text).digest('hex')}`;
  const spec = {
    addon: 'cloud-worker',
    version: '1.0.0',
    kubernetes: '>=1.30',
    manifests: { digest, configMapRef: at },
    credentials: ['openstack'],
  };
  await world.management.create<HasMeta>(resourceOf(AddonBundleKind), { metadata: { name }, spec } as HasMeta);
}

beforeAll(async () => {
  // The lab's application credential is a restricted one: with the password of the same user the region can make others.
  const change = async (cloud: { cloud: string }) =>
    cloud.cloud === 'lab' ? { ...cloud, cloud: 'lab-password' } : cloud;
  world = await startWorld(tier, { change: change as never });
  before = await holdings(world.cloud);
  await publish();
});
afterAll(async () => {
  await addons?.close();
  await workload?.close();
  await world?.end();
});

describe('the credentials of a cluster’s addons', () => {
  it('are made with a cluster that has such an addon', async () => {
    const file = join(world.system.dir, 'web.yaml');
    const spec = { addons: [{ name: 'flannel' }, { name: 'cloud-worker' }] };
    writeFileSync(file, JSON.stringify({ metadata: { name: 'web' }, spec }));
    const { code, stderr } = await world.shoto(
      'create',
      'cluster',
      '-f',
      file,
      ...(boots ? ['--timeout', '4m'] : ['--no-wait']),
    );
    expect(stderr).toBe('');
    expect(code).toBe(0);
    web = await until(
      'the credentials',
      async () => {
        const c = await cluster();
        const said = findCondition(c?.status?.infrastructure?.conditions, 'AddonCredentialsReady');
        return said?.status === 'True' ? c : Promise.reject(new Error(said?.message ?? 'nothing is said of them'));
      },
      PATIENCE_MS,
    );
    secret = (await readSecret())!;
    expect(Object.keys(secret).sort()).toEqual(Object.values(ADDON_CREDENTIALS).sort());
  });

  it('are the tenant’s project’s, are not the region’s own, and make no others', async () => {
    addons = createClient({
      ...world.cloud.config,
      authUrl: secret.auth_url!,
      auth: {
        type: 'application-credential',
        id: secret.application_credential_id!,
        secret: secret.application_credential_secret!,
      },
    });
    expect(await addons.projectId()).toBe(await world.cloud.projectId());
    expect((await addons.identity.token()).application_credential).toMatchObject({
      id: web.status?.infrastructure.addonCredentials?.current?.id,
      restricted: true,
    });
    await expect(addons.identity.applicationCredentials.create({ name: 'another' })).rejects.toMatchObject({
      name: 'ForbiddenError',
    });
  });

  it('suffice for load balancers and volumes of the cluster', async () => {
    const uid = web.metadata.uid as string;
    const lb = await addons.loadBalancer.loadBalancers.create({
      name: `kube_service_${uid}_shop_web`,
      description: `Kubernetes external service shop/web from cluster ${uid}`,
      vip_subnet_id: secret.subnet_id!,
    });
    await until(
      'the load balancer ACTIVE',
      async () => (await addons.loadBalancer.loadBalancers.get(lb.id)).provisioning_status === 'ACTIVE',
      PATIENCE_MS,
    );
    await addons.network.floatingIps.create({
      floating_network_id: secret.external_network_id!,
      port_id: lb.vip_port_id,
      description: `Floating IP for Kubernetes external service shop/web from cluster ${uid}`,
    });
    for (const name of ['deleted', 'retained'] as const) {
      const metadata = { 'cinder.csi.openstack.org/cluster': uid };
      const { id } = await addons.blockStorage.volumes.create({ size: 1, name: `pvc-${name}`, metadata });
      volumes[name] = id;
      await until(
        `volume ${name}`,
        async () => (await addons.blockStorage.volumes.get(id)).status === 'available',
        PATIENCE_MS,
      );
    }
    expect(difference(before, await holdings(world.cloud))).toEqual(
      expect.arrayContaining(['2 loadBalancers', '2 floatingIps', '2 volumes', '1 applicationCredentials']),
    );
  });

  it.runIf(boots)('have their Services and claims in the cluster', async () => {
    const file = await kubeconfigFile(world, 'web');
    workload = new KubeClient({ connection: await connectionFromKubeconfig({ file }), userAgent: 'test' });
    await workload.create<HasMeta>(SERVICES, {
      metadata: { namespace: 'default', name: 'web', finalizers: ['service.kubernetes.io/load-balancer-cleanup'] },
      spec: { type: 'LoadBalancer', ports: [{ port: 80 }], selector: { app: 'web' } },
    } as HasMeta);
    for (const [name, policy] of [
      ['deleted', 'Delete'],
      ['retained', 'Retain'],
    ] as const) {
      const size = { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' } };
      const claim = await workload.create<HasMeta>(PERSISTENT_VOLUME_CLAIMS, {
        metadata: { namespace: 'default', name },
        spec: {
          accessModes: size.accessModes,
          resources: { requests: size.capacity },
          volumeName: `pvc-${name}`,
          storageClassName: '',
        },
      } as HasMeta);
      await workload.create<HasMeta>(PERSISTENT_VOLUMES, {
        metadata: {
          name: `pvc-${name}`,
          annotations: { 'pv.kubernetes.io/provisioned-by': 'cinder.csi.openstack.org' },
        },
        spec: {
          ...size,
          persistentVolumeReclaimPolicy: policy,
          claimRef: { namespace: 'default', name, uid: claim.metadata.uid },
          csi: { driver: 'cinder.csi.openstack.org', volumeHandle: volumes[name] },
        },
      } as HasMeta);
    }
  });

  it('go with the cluster, and so does what was made with them; what is to be retained stays', async () => {
    const deletion = world.shoto('delete', 'cluster', 'web', '--timeout', '5m');
    if (workload) await controllers(workload);
    const { code, stderr } = await deletion;
    expect(stderr).toBe('');
    expect(code).toBe(0);
    // Where no node ever ran nobody could ask for the reclaim policy: then both stay.
    const kept = boots ? [volumes.retained] : [volumes.deleted, volumes.retained];
    const left = await world.cloud.blockStorage.volumes.list().all();
    expect(
      left
        .map((v) => v.id)
        .filter((id) => Object.values(volumes).includes(id))
        .sort(),
    ).toEqual(kept.sort());
    for (const id of kept) await world.cloud.blockStorage.volumes.delete(id);
    await until(
      'nothing left in the cloud',
      async () => {
        const rest = difference(before, await holdings(world.cloud));
        return rest.length === 0 ? true : Promise.reject(new Error(rest.join(', ')));
      },
      60_000,
    );
    expect(await readSecret()).toBeUndefined();
    await expect(createClient(addons.config).authenticate()).rejects.toMatchObject({ status: 404 });
  });

  it('are told to nobody', () => {
    const logs = ['provisioner', 'bootstrap-worker', 'self-healing', 'addon-manager', 'cluster-api']
      .map((s) => readFileSync(`${world.system.dir}/logs/${s}.log`, 'utf8'))
      .join('\n');
    expect(logs).not.toContain(secret.application_credential_secret);
    expect(JSON.stringify(web)).not.toContain(secret.application_credential_secret);
  });
});

/** What the cloud-controller-manager and the CSI driver do once Services and claims are on their way. */
async function controllers(client: KubeClient): Promise<void> {
  const parts = [
    [SERVICES, { namespace: 'default', name: 'web' }],
    [PERSISTENT_VOLUME_CLAIMS, { namespace: 'default', name: 'deleted' }],
  ] as const;
  for (const [type, ref] of parts)
    await until(
      `${type.kind} ${ref.name} to go`,
      async () => {
        const object = await client.get(type, ref);
        if (object && !object.metadata.deletionTimestamp) return false;
        for (const f of object?.metadata.finalizers ?? []) await client.removeFinalizer(type, object!, f);
        return true;
      },
      60_000,
    );
  await client.delete(PERSISTENT_VOLUMES, { name: 'pvc-deleted' });
  const volume = await client.get(PERSISTENT_VOLUMES, { name: 'pvc-deleted' });
  for (const f of volume?.metadata.finalizers ?? []) await client.removeFinalizer(PERSISTENT_VOLUMES, volume!, f);
}
