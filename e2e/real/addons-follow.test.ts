import { join } from 'node:path';
import {
  ADDON_CREDENTIALS,
  type Addon,
  AddonKind,
  addonCredentialsRef,
  type Cluster,
  ClusterKind,
  resourceOf,
  workloadSecretRef,
} from '@shoto/api';
import { connectionFromKubeconfig, KubeClient, WorkloadPool } from '@shoto/kube';
import { LocalEngine } from '@shoto/reconciler/testing';
import { createLogger, systemClock } from '@shoto/service';
import { ROOT } from '@shoto/supervisor';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { catalogue, simulatedCloud } from '../../packages/supervisor/src/cloud.ts';
import { applySeeds, bundles, documents, documentsIn } from '../../packages/supervisor/src/seed.ts';
import { wire } from '../../services/addon-manager/src/wire.ts';
import { type ManagementCluster, startManagementCluster } from '../lab/management-cluster.ts';
import { realVersions } from '../lab/minors.ts';
import { until } from '../poll.ts';
import { Rollouts } from './rollouts.ts';

const [FROM, TO] = realVersions();
const SYSTEM = 'shoto-system';
const PLACE = { namespace: 'tenant-demo', name: 'web' };
const CLUSTERS = resourceOf(ClusterKind);

/**
 * What the cluster asks for, with the versions that it gets before and after: the newest that fits. Those with one for each minor move.
 * metrics-server is not among them: its API answers only where its pods run, and here no pod runs.
 */
const ADDONS: Record<string, [before: string, after: string]> = {
  flannel: ['0.28.4', '0.28.10'],
  'cinder-csi': ['1.35.0', '1.36.0'],
  'openstack-cloud-controller-manager': ['1.35.0', '1.36.0'],
  'snapshot-controller': ['8.4.0', '8.4.0'],
  'node-exporter': ['1.12.1', '1.12.1'],
  'kube-state-metrics': ['2.19.1', '2.19.1'],
  prometheus: ['3.16.0', '3.16.0'],
  grafana: ['13.1.1', '13.1.1'],
};

let management: ManagementCluster;
let workload: ManagementCluster;
let kube: KubeClient;
let rollouts: Rollouts;
const ends: (() => Promise<unknown>)[] = [];

const clusterNow = async (): Promise<Cluster> => (await kube.get<Cluster>(CLUSTERS, PLACE))!;
const patchStatus = (status: object) =>
  kube.mergePatch<Cluster>(CLUSTERS, PLACE, { status }, { subresource: 'status' });

/** Versions of the addons, as their Addons say them. */
async function versions(): Promise<Record<string, string | undefined>> {
  const all = await kube.listAll<Addon>(resourceOf(AddonKind), { namespace: PLACE.namespace });
  return Object.fromEntries(all.map((a) => [a.spec.addon, a.status?.manager.version]));
}

const at = (which: 0 | 1) => Object.fromEntries(Object.entries(ADDONS).map(([name, v]) => [name, v[which]]));

/** Waits until every addon is at its version, healthy, and the Cluster says so. */
const settled = (which: 0 | 1) =>
  until(
    'addons settle',
    async () => {
      const { status } = await clusterNow();
      const now = await versions();
      const sick = status?.addons?.items?.filter((i) => !i.healthy).map((i) => i.name);
      if (JSON.stringify(sorted(now)) !== JSON.stringify(sorted(at(which))) || sick === undefined || sick.length > 0)
        throw new Error(`${JSON.stringify(now)}; not healthy: ${sick}; ${JSON.stringify(status?.addons?.conditions)}`);
      return true;
    },
    120_000,
    500,
  );
const sorted = (o: object) => Object.entries(o).sort(([a], [b]) => (a < b ? -1 : 1));

/** What must outlive the move: no addon is taken away and put there again. */
const identities = async (): Promise<Record<string, string>> =>
  Object.fromEntries(
    (
      JSON.parse(await workload.kubectl(['get', 'deployments,daemonsets,statefulsets', '-A', '-o', 'json'])) as {
        items: { kind: string; metadata: { name: string; uid: string } }[];
      }
    ).items.map((o) => [`${o.kind}/${o.metadata.name}`, o.metadata.uid]),
  );

/** APIs that were asked for though they are deprecated, as the API server counts them since its start. */
const deprecated = async (): Promise<string[]> =>
  (await workload.kubectl(['get', '--raw', '/metrics']))
    .split('\n')
    .filter((line) => line.startsWith('apiserver_requested_deprecated_apis{'));

describe.skipIf(!TO)('a cluster whose API server moves to the next minor', () => {
  beforeAll(async () => {
    management = await startManagementCluster({ build: true });
    ends.push(() => management.stop());
    workload = await startManagementCluster({
      version: FROM!,
      build: true,
      // As kubeadm sets it: drivers of volumes need it.
      apiServerArgs: ['--allow-privileged=true'],
    });
    ends.push(() => workload.stop());
    await applySeeds(management.kubeconfig(), [
      ...(await documentsIn(join(ROOT, 'crds'))),
      ...(await documents(join(ROOT, 'deploy/namespaces.yaml'))),
      ...catalogue(simulatedCloud('http://127.0.0.1:1'), 1),
      ...(await bundles(join(ROOT, 'deploy/addons'), SYSTEM, Object.keys(ADDONS))),
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: PLACE.namespace } },
    ]);
    kube = new KubeClient({
      connection: await connectionFromKubeconfig({ text: management.kubeconfig() }),
      userAgent: 'test',
    });
    ends.push(() => kube.close());
    const cluster = await kube.create<Cluster>(CLUSTERS, {
      metadata: PLACE,
      spec: {
        region: 'one',
        release: FROM,
        controlPlane: { count: 1, flavor: 'm1.medium' },
        addons: Object.keys(ADDONS).map((name) => ({ name })),
      },
    } as unknown as Cluster);
    const secret = (ref: { namespace: string; name: string }, stringData: Record<string, string>) =>
      management.kubectl(
        ['apply', '-f', '-'],
        JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: ref, stringData }),
      );
    await secret(workloadSecretRef(SYSTEM, 'addon-manager', cluster.metadata.uid!), { value: workload.kubeconfig() });
    await secret(
      addonCredentialsRef(SYSTEM, cluster.metadata.uid!),
      Object.fromEntries(
        Object.values(ADDON_CREDENTIALS).map((key) => [key, key === 'ca_bundle' ? '' : `some-${key}`]),
      ),
    );
    const address = workload.server.slice('https://'.length);
    await patchStatus({
      controlPlane: { initialized: true },
      infrastructure: {
        release: FROM,
        endpoint: { internal: address, external: address },
        conditions: [
          {
            type: 'AddonCredentialsReady',
            status: 'True',
            reason: 'Made',
            message: 'made',
            lastTransitionTime: new Date().toISOString(),
          },
        ],
      },
    });
    rollouts = await Rollouts.start(workload.kubeconfig());
    ends.push(() => rollouts.end());
    const engine = new LocalEngine();
    const pool = new WorkloadPool({ userAgent: 'shoto-addon-manager' });
    ends.push(() => pool.close());
    const manager = wire({
      client: kube,
      pool,
      engine: engine.engine,
      systemNamespace: SYSTEM,
      concurrency: 10,
      clock: systemClock,
      log: createLogger({ service: 'addon-manager', level: process.env.SHOTO_LOG_LEVEL ?? 'silent' }),
    });
    ends.push(() => manager.close());
    await manager.start();
  });
  afterAll(async () => {
    for (const end of ends.reverse()) await end();
  });

  let before: Record<string, string>;

  it('has the newest of each addon that fits its version', async () => {
    await settled(0);
    before = await identities();
    expect(Object.keys(before)).toContain('DaemonSet/kube-flannel-ds');
    expect(await deprecated()).toEqual([]);
  });

  it('is ready for the next minor when each addon fits that too', async () => {
    await kube.mergePatch<Cluster>(CLUSTERS, PLACE, { spec: { release: TO } });
    await until('ready for the next release', async () => {
      const { addons } = (await clusterNow()).status ?? {};
      return addons?.readyFor === TO || Promise.reject(new Error(JSON.stringify(addons)));
    });
    expect(await versions()).toEqual(at(0));
  });

  it('takes its addons along, in place', async () => {
    await workload.restartApiServer(TO!);
    expect(JSON.parse(await workload.kubectl(['get', '--raw', '/version'])).gitVersion).toBe(TO);
    await patchStatus({ infrastructure: { release: TO } });
    await settled(1);
    expect(await identities()).toMatchObject(before);
    const image = await workload.kubectl([
      ...['-n', 'kube-system', 'get', 'daemonset', 'csi-cinder-nodeplugin'],
      ...['-o', 'jsonpath={.spec.template.spec.containers[?(@.name=="cinder-csi-plugin")].image}'],
    ]);
    expect(image).toBe('registry.k8s.io/provider-os/cinder-csi-plugin:v1.36.0');
    expect(await deprecated()).toEqual([]);
  });
});
