import { type Cluster, ClusterKind, findCondition, isTrue, resourceOf, tenantNamespace } from '@shoto/api';
import {
  CONFIGMAPS,
  connectionFromKubeconfig,
  DAEMONSETS,
  DEPLOYMENTS,
  type HasMeta,
  KubeClient,
  type ResourceType,
  STATEFULSETS,
} from '@shoto/kube';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { difference, type Holdings, holdings } from '../leftovers.ts';
import { until } from '../poll.ts';
import { kubeconfigFile, startWorld, tier, type World } from '../world.ts';

const TEST_MS = 600_000;
const NAME = 'team';
const DEFAULT_CLASS = 'storageclass.kubernetes.io/is-default-class';
const STORAGE_CLASSES: ResourceType = {
  group: 'storage.k8s.io',
  version: 'v1',
  plural: 'storageclasses',
  kind: 'StorageClass',
  namespaced: false,
};

let world: World;
let before: Holdings;
let client: KubeClient | undefined;
const cluster = async () =>
  (await world.management.get<Cluster>(resourceOf(ClusterKind), {
    namespace: tenantNamespace(world.system.tenant),
    name: NAME,
  }))!;

// Machines that do not boot run no addons.
describe.runIf(tier !== 'api')('a cluster of the template standard', () => {
  beforeAll(async () => {
    world = await startWorld();
    before = await holdings(world.cloud);
  }, TEST_MS);
  afterAll(async () => {
    await client?.close();
    await world?.end();
  });

  it('is ready with every addon that a team expects, healthy', { timeout: TEST_MS }, async () => {
    const { code, stderr } = await world.shoto('create', 'cluster', NAME, '--template', 'standard', '--timeout', '8m');
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const addons = await until(
      'healthy addons',
      async () => {
        const { addons } = (await cluster()).status!;
        const healthy = findCondition(addons?.conditions, 'Healthy');
        return isTrue(addons?.conditions, 'Healthy')
          ? addons
          : Promise.reject(new Error(healthy?.message ?? 'nothing is said'));
      },
      240_000,
    );
    expect(addons?.items?.map((i) => i.name).sort()).toEqual([
      'cert-manager',
      'cinder-csi',
      'flannel',
      'grafana',
      'kube-state-metrics',
      'metrics-server',
      'node-exporter',
      'node-problem-detector',
      'openstack-cloud-controller-manager',
      'prometheus',
      'snapshot-controller',
      'traefik',
    ]);
    expect(addons?.items?.filter((i) => !i.healthy)).toEqual([]);
    client = new KubeClient({
      connection: await connectionFromKubeconfig({ file: await kubeconfigFile(world, NAME) }),
      userAgent: 'story',
    });
  });

  it('has dashboards and alert rules of its addons where Grafana and Prometheus look for them', async () => {
    const keysOf = async (label: string) =>
      (await client!.listAll<HasMeta & { data?: Record<string, string> }>(CONFIGMAPS))
        .filter((m) => m.metadata.labels?.[label] === '1')
        .flatMap((m) => Object.keys(m.data ?? {}))
        .sort();
    expect(await keysOf('grafana_dashboard')).toEqual([
      'addons.json',
      'api-server.json',
      'certificates.json',
      'cluster.json',
      'ingress.json',
      'node-problems.json',
      'nodes.json',
      'workloads.json',
    ]);
    expect(await keysOf('prometheus_rules')).toEqual([
      'certificates.yaml',
      'cluster.yaml',
      'ingress.yaml',
      'load-balancers.yaml',
      'metrics-server.yaml',
      'node-problems.yaml',
      'nodes.yaml',
      'volumes.yaml',
      'workloads.yaml',
    ]);
  });

  it('runs an agent on every node, control planes too, and the rest on workers', async () => {
    const sets = await client!.listAll<HasMeta & { status?: { numberAvailable?: number } }>(DAEMONSETS);
    const available = Object.fromEntries(sets.map((s) => [s.metadata.name, s.status?.numberAvailable]));
    expect(available).toMatchObject({ 'kube-flannel-ds': 6, 'node-exporter': 6, 'node-problem-detector': 6 });
    const all = [...(await client!.listAll<HasMeta>(DEPLOYMENTS)), ...(await client!.listAll<HasMeta>(STATEFULSETS))];
    expect(all.map((o) => o.metadata.name)).toEqual(expect.arrayContaining(['grafana', 'prometheus', 'traefik']));
  });

  it('makes volumes by the class that claims get without asking', async () => {
    const classes = await client!.listAll<HasMeta>(STORAGE_CLASSES);
    expect(classes.map((c) => [c.metadata.name, c.metadata.annotations?.[DEFAULT_CLASS] ?? 'false']).sort()).toEqual([
      ['cinder', 'true'],
      ['cinder-retain', 'false'],
    ]);
  });

  it('goes without a trace, addons first', { timeout: TEST_MS }, async () => {
    const { code, stdout, stderr } = await world.shoto('delete', 'cluster', NAME, '--timeout', '6m');
    expect(code, `${stdout}${stderr}`).toBe(0);
    await until(
      'nothing left in the cloud',
      async () => {
        const rest = difference(before, await holdings(world.cloud));
        return rest.length === 0 ? true : Promise.reject(new Error(rest.join(', ')));
      },
      60_000,
    );
  });
});
