import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type Addon, type Cluster, workloadSecretRef } from '@shoto/api';
import { KubeClient, WorkloadPool } from '@shoto/kube';
import { LocalEngine } from '@shoto/reconciler/testing';
import { createLogger, systemClock } from '@shoto/service';
import { ROOT } from '@shoto/supervisor';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type ApiServer, createApiServer } from '../../packages/simulator/src/index.ts';
import { documentsIn } from '../../packages/supervisor/src/seed.ts';
import { digestOfFiles } from '../../services/addon-manager/src/content/inline.ts';
import { wire } from '../../services/addon-manager/src/wire.ts';
import { applyRoles } from '../../services/bootstrap-worker/src/workload/roles.ts';
import { until } from '../poll.ts';

/** Custom objects of a team's own bundles, under the very rights that addon-manager has in a workload cluster. */

const SYSTEM = 'shoto-system';
const PLACE = { namespace: 'tenant-blue', name: 'web' };
const ROLE = 'shoto:addon-manager:crds';
const ends: (() => Promise<unknown> | unknown)[] = [];

interface Side {
  api: ApiServer;
  url: string;
  client: (token: string) => KubeClient;
}

async function side(): Promise<Side> {
  const api = createApiServer({
    authn: {
      staticTokens: [
        { token: 'admin', user: 'admin', groups: ['system:masters'] },
        { token: 'manager', user: 'shoto:addon-manager', groups: ['shoto:addon-manager'] },
      ],
    },
  });
  const server = createServer((request, response) => void api.handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => {
    api.close();
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = (token: string) => {
    const made = new KubeClient({ connection: { server: url, token }, userAgent: 'test' });
    ends.push(() => made.close());
    return made;
  };
  return { api, url, client };
}

let management: Side;
let workload: Side;
const shoto = (plural: string) => management.api.resource({ group: 'shoto.dev', version: 'v1alpha1', plural });
const core = (plural: string) => management.api.resource({ group: '', version: 'v1', plural });
const roles = () =>
  workload.api.resource({ group: 'rbac.authorization.k8s.io', version: 'v1', plural: 'clusterroles' });
const widgets = () => workload.api.resource({ group: 'team.example', version: 'v1', plural: 'widgets' });
const addonsOf = () => (shoto('clusters').get(PLACE) as unknown as Cluster).status?.addons;
const healthyOf = (addon: string) =>
  (
    shoto('addons').get({ ...PLACE, name: `web-${addon}` }) as unknown as Addon | undefined
  )?.status?.manager?.conditions?.find((c) => c.type === 'Healthy');

const DEFINITION = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: widgets.team.example }
spec:
  group: team.example
  scope: Namespaced
  names: { kind: Widget, plural: widgets, singular: widget, listKind: WidgetList }
  versions:
    - name: v1
      served: true
      storage: true
      schema: { openAPIV3Schema: { type: object, properties: { spec: { type: object, x-kubernetes-preserve-unknown-fields: true } } } }
`;
const widget = (size: number) => `apiVersion: team.example/v1
kind: Widget
metadata: { name: one, namespace: kube-system }
spec: { size: ${size} }
`;

function publish(addon: string, version: string, manifests: Record<string, string>): void {
  const bundle = {
    apiVersion: 'bundle.shoto.dev/v1alpha1',
    kind: 'Bundle',
    ...{ name: addon, version, kubernetes: '>=1.35 <1.37', content: { manifests: 'manifests' } },
  };
  const data = {
    'bundle.yaml': JSON.stringify(bundle),
    ...Object.fromEntries(Object.entries(manifests).map(([name, text]) => [`manifests__${name}.yaml`, text])),
  };
  const name = `${addon}-${version}`;
  core('configmaps').create({ metadata: { name, namespace: SYSTEM }, data } as never);
  shoto('addonbundles').create({
    apiVersion: 'shoto.dev/v1alpha1',
    kind: 'AddonBundle',
    metadata: { name },
    spec: {
      ...{ addon, version, kubernetes: bundle.kubernetes },
      manifests: { digest: digestOfFiles(data), configMapRef: { namespace: SYSTEM, name } },
    },
  } as never);
}

const ask = (...names: string[]) =>
  shoto('clusters').patch(PLACE, { spec: { addons: names.map((name) => ({ name })) } });

beforeEach(async () => {
  [management, workload] = await Promise.all([side(), side()]);
  for (const definition of await documentsIn(join(ROOT, 'crds')))
    management.api
      .resource({ group: 'apiextensions.k8s.io', version: 'v1', plural: 'customresourcedefinitions' })
      .create(definition as never);
  for (const name of [PLACE.namespace, SYSTEM, `${SYSTEM}-addon-manager`])
    core('namespaces').create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } } as never);
  shoto('kubernetesreleases').create({
    apiVersion: 'shoto.dev/v1alpha1',
    kind: 'KubernetesRelease',
    metadata: { name: 'v1.35.4' },
    spec: { version: 'v1.35.4', images: [{ region: 'one', image: 'i' }] },
  } as never);
  const cluster = shoto('clusters').create({
    apiVersion: 'shoto.dev/v1alpha1',
    kind: 'Cluster',
    metadata: PLACE,
    spec: { region: 'one', release: 'v1.35.4', controlPlane: { count: 1, flavor: 'f' }, addons: [] },
  } as never);
  const kubeconfig = {
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'c' },
    clusters: [{ name: 'c', cluster: { server: workload.url } }],
    users: [{ name: 'u', user: { token: 'manager' } }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
  };
  core('secrets').create({
    metadata: workloadSecretRef(SYSTEM, 'addon-manager', cluster.metadata.uid!),
    stringData: { value: JSON.stringify(kubeconfig) },
  } as never);
  await applyRoles(workload.client('admin') as never, AbortSignal.timeout(10_000));
  const pool = new WorkloadPool({ userAgent: 'shoto-addon-manager' });
  ends.push(() => pool.close());
  const manager = wire({
    ...{ client: management.client('admin'), pool, engine: new LocalEngine().engine, systemNamespace: SYSTEM },
    ...{ concurrency: 10, clock: systemClock, log: createLogger({ service: 'addon-manager', level: 'silent' }) },
  });
  ends.push(() => manager.close());
  await manager.start();
  shoto('clusters').patchStatus(PLACE, {
    controlPlane: { initialized: true },
    infrastructure: {
      release: 'v1.35.4',
      endpoint: { internal: '10.8.0.5:6443', external: '127.9.0.1:6443' },
    },
  });
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const settled = (addon: string, version: string) =>
  until(`${addon} ${version}`, () => {
    const item = addonsOf()?.items?.find((i) => i.name === addon);
    if (item?.healthy && item.version === version) return Promise.resolve(true);
    return Promise.reject(new Error(JSON.stringify(addonsOf())));
  });

describe('custom objects of a team’s own bundles', () => {
  it('are applied, updated and removed; the rights for them come and go with their definition', async () => {
    publish('widgets', '1.0.0', { crd: DEFINITION, object: widget(1) });
    ask('widgets');
    await settled('widgets', '1.0.0');
    expect(widgets().get({ namespace: 'kube-system', name: 'one' })).toMatchObject({ spec: { size: 1 } });
    expect(roles().get({ name: ROLE })).toMatchObject({
      rules: [{ apiGroups: ['team.example'], resources: ['widgets'] }],
    });

    // Another bundle has objects of the same kind.
    publish('more', '1.0.0', { object: widget(3).replace('name: one', 'name: two') });
    publish('widgets', '1.1.0', { crd: DEFINITION, object: widget(2) });
    ask('widgets', 'more');
    await settled('widgets', '1.1.0');
    await settled('more', '1.0.0');
    expect(
      widgets()
        .list()
        .map((o) => (o.spec as { size: number }).size)
        .sort(),
    ).toEqual([2, 3]);

    ask('widgets');
    await until('the objects of the other are gone', () => Promise.resolve(widgets().list().length === 1));
    ask();
    await until('the rights are gone', () => Promise.resolve(roles().get({ name: ROLE }) === undefined));
    const left = await workload.client('admin').raw('GET', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions');
    expect(left.body).not.toContain('widgets');
  });

  it('of a definition that no bundle brings are refused, and it is said what is missing', async () => {
    const admin = workload.api.resource({
      group: 'apiextensions.k8s.io',
      version: 'v1',
      plural: 'customresourcedefinitions',
    });
    admin.create(parse(DEFINITION) as never);
    publish('stray', '1.0.0', { object: widget(1) });
    ask('stray');
    await until('it is said', () => Promise.resolve(healthyOf('stray')?.reason === 'Forbidden'));
    expect(healthyOf('stray')?.message).toContain(
      'Widget kube-system/one may not be applied: PATCH /apis/team.example/v1/namespaces/kube-system/widgets/one: 403 widgets.team.example "one" is forbidden: User "shoto:addon-manager" cannot patch resource "widgets" in API group "team.example"',
    );
    expect(roles().get({ name: ROLE })).toBeUndefined();
  });
});
