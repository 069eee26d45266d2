import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { conditionOf, Lab, until } from './testing/lab.ts';
import { cni, deployment } from './testing/manifests.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.start();
  lab.bootControlPlane();
  await until('the API', () => lab.api('GET', '/healthz'));
  for (const n of [1, 2, 3]) lab.bootNode(`w-${n}`, `10.0.0.2${n}`);
  await lab.apply(...cni);
  await until('four nodes Ready', async () =>
    Object.values(await lab.nodes()).filter((s) => s === 'True').length === 4 ? true : undefined,
  );
});
afterAll(() => lab.close());

interface Pod {
  metadata: { name: string; namespace: string; labels: Record<string, string> };
  spec: { nodeName?: string; containers: { image: string }[] };
  status: { phase: string; podIP?: string; conditions: { type: string; reason?: string; message?: string }[] };
}
const pods = async (selector: string, namespace = 'default') =>
  [...(await lab.list(`/api/v1/namespaces/${namespace}/pods?labelSelector=${selector}`)).values()] as unknown as Pod[];
const status = async (path: string) => (await lab.api('GET', path)).body.status as Record<string, unknown>;
const waitForStatus = (path: string, wanted: Record<string, unknown>) =>
  until(`${path} to be ${JSON.stringify(wanted)}`, async () => {
    const s = await status(path);
    return Object.entries(wanted).every(([k, v]) => s[k] === v) ? s : undefined;
  });

describe('DaemonSets', () => {
  const path = '/apis/apps/v1/namespaces/kube-flannel/daemonsets/kube-flannel-ds';
  it('report a pod on each node', async () => {
    const s = await waitForStatus(path, { numberAvailable: 4, updatedNumberScheduled: 4 });
    expect(s).toMatchObject({
      desiredNumberScheduled: 4,
      currentNumberScheduled: 4,
      numberReady: 4,
      observedGeneration: 1,
    });
    const found = await pods('app=flannel', 'kube-flannel');
    expect(found.map((p) => p.spec.nodeName).sort()).toEqual(['cp-1', 'w-1', 'w-2', 'w-3']);
    // On the network of the host.
    expect(found.map((p) => p.status.podIP).sort()).toEqual(['10.0.0.11', '10.0.0.21', '10.0.0.22', '10.0.0.23']);
  });
  it('roll to a new template, one node after the other', async () => {
    const image = 'flannel:v0.29.0';
    await lab.api(
      'PATCH',
      path,
      { spec: { template: { spec: { containers: [{ name: 'kube-flannel', image }] } } } },
      'application/strategic-merge-patch+json',
    );
    await waitForStatus(path, { observedGeneration: 2, updatedNumberScheduled: 4, numberAvailable: 4 });
    const found = await pods('app=flannel', 'kube-flannel');
    expect(found.map((p) => p.spec.containers[0]?.image)).toEqual([image, image, image, image]);
  });
});

describe('APIServices', () => {
  const path = '/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io';
  const available = async () =>
    ((await lab.api('GET', path)).body.status as { conditions?: { type: string; status: string; reason: string }[] })
      .conditions?.[0];
  it('are unavailable without a Service, and available as soon as a pod behind it is Ready', async () => {
    await lab.apply({
      path,
      object: {
        apiVersion: 'apiregistration.k8s.io/v1',
        kind: 'APIService',
        metadata: { name: 'v1beta1.metrics.k8s.io' },
        spec: {
          group: 'metrics.k8s.io',
          version: 'v1beta1',
          groupPriorityMinimum: 100,
          versionPriority: 100,
          insecureSkipTLSVerify: true,
          service: { namespace: 'default', name: 'metrics' },
        },
      },
    });
    await until('no Service', async () => ((await available())?.reason === 'ServiceNotFound' ? true : undefined));
    await lab.apply({
      path: '/api/v1/namespaces/default/services/metrics',
      object: {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'metrics', namespace: 'default' },
        spec: { selector: { app: 'metrics' }, ports: [{ port: 443 }] },
      },
    });
    await until('no pods', async () => ((await available())?.reason === 'MissingEndpoints' ? true : undefined));
    await lab.apply(deployment('metrics', 1));
    expect(
      await until('a pod', async () => ((await available())?.status === 'True' ? available() : undefined)),
    ).toEqual(expect.objectContaining({ type: 'Available', reason: 'Passed' }));
    await lab.api('DELETE', path);
    await lab.api('DELETE', '/apis/apps/v1/namespaces/default/deployments/metrics');
  });
});

describe('Deployments', () => {
  const path = '/apis/apps/v1/namespaces/default/deployments/web';
  it('spread their pods over the nodes that let them, with addresses of their ranges', async () => {
    await lab.apply(deployment('web', 3));
    await waitForStatus(path, { availableReplicas: 3, updatedReplicas: 3, observedGeneration: 1 });
    const found = await pods('app=web');
    expect(found.map((p) => p.spec.nodeName).sort()).toEqual(['w-1', 'w-2', 'w-3']);
    expect(new Set(found.map((p) => p.status.podIP)).size).toBe(3);
    for (const p of found) expect(p.status.podIP).toMatch(/^10\.244\./);
    expect(conditionOf((await lab.api('GET', path)).body, 'Available')).toBe('True');
  });
  it('roll to a new image and keep the old ReplicaSet for the way back', async () => {
    await lab.apply(deployment('web', 3, 'nginx:2'));
    await waitForStatus(path, { observedGeneration: 2, updatedReplicas: 3, availableReplicas: 3, replicas: 3 });
    await until('the old pods to go', async () => {
      const found = await pods('app=web');
      return found.length === 3 && found.every((p) => p.spec.containers[0]?.image === 'nginx:2') ? true : undefined;
    });
    const sets = await lab.list('/apis/apps/v1/namespaces/default/replicasets?labelSelector=app=web');
    expect([...sets.values()].map((rs) => (rs.spec as { replicas: number }).replicas).sort()).toEqual([0, 3]);
  });
  it('scale, and go with all that they own', async () => {
    await lab.api('PATCH', path, { spec: { replicas: 1 } }, 'application/merge-patch+json');
    await waitForStatus(path, { replicas: 1 });
    await lab.api('DELETE', path);
    await until('no pods', async () => ((await pods('app=web')).length === 0 ? true : undefined));
  });
  it('say why a pod finds no node', async () => {
    await lab.apply(deployment('picky', 1, 'nginx:1', { nodeSelector: { disk: 'ssd' } }));
    const reason = await until('a reason', async () =>
      (await pods('app=picky'))[0]?.status.conditions.find((c) => c.reason === 'Unschedulable'),
    );
    expect(reason.message).toContain('0/4 nodes are available');
    const events = await lab.list('/api/v1/namespaces/default/events?fieldSelector=reason=FailedScheduling');
    expect([...events.values()]).toMatchObject([{ involvedObject: { kind: 'Pod' }, message: reason.message }]);
    await lab.api(
      'PATCH',
      '/api/v1/nodes/w-2',
      { metadata: { labels: { disk: 'ssd' } } },
      'application/merge-patch+json',
    );
    await until('the pod to run', async () =>
      (await pods('app=picky'))[0]?.status.phase === 'Running' ? true : undefined,
    );
  });
});

describe('eviction', () => {
  const evict = (name: string) =>
    lab.api('POST', `/api/v1/namespaces/default/pods/${name}/eviction`, {
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: { name, namespace: 'default' },
    });
  it('is refused with 429 while a budget would be broken, and allowed when another pod is up', async () => {
    const budget = '/apis/policy/v1/namespaces/default/poddisruptionbudgets/db';
    await lab.apply(deployment('db', 2), {
      path: budget,
      object: {
        apiVersion: 'policy/v1',
        kind: 'PodDisruptionBudget',
        metadata: { name: 'db', namespace: 'default' },
        spec: { minAvailable: 2, selector: { matchLabels: { app: 'db' } } },
      },
    });
    await waitForStatus(budget, { currentHealthy: 2, desiredHealthy: 2, expectedPods: 2, disruptionsAllowed: 0 });
    const [first] = await pods('app=db');
    const refused = await evict(first!.metadata.name);
    expect(refused.status).toBe(429);
    expect(JSON.stringify(refused.body)).toContain('The disruption budget db needs 2 healthy pods and has 2 currently');

    await lab.api(
      'PATCH',
      '/apis/apps/v1/namespaces/default/deployments/db',
      { spec: { replicas: 3 } },
      'application/merge-patch+json',
    );
    await waitForStatus(budget, { currentHealthy: 3, disruptionsAllowed: 1 });
    expect((await evict(first!.metadata.name)).status).toBe(201);
    await until('it to be replaced', async () => {
      const found = await pods('app=db');
      return found.length === 3 && !found.some((p) => p.metadata.name === first!.metadata.name) ? true : undefined;
    });
  });
});

describe('other workloads', () => {
  it('run StatefulSets in order, by number', async () => {
    const path = '/apis/apps/v1/namespaces/default/statefulsets/kv';
    const { object } = deployment('kv', 3);
    await lab.apply({ path, object: { ...object, kind: 'StatefulSet', spec: { ...object.spec, serviceName: 'kv' } } });
    await waitForStatus(path, { readyReplicas: 3, updatedReplicas: 3 });
    expect((await pods('app=kv')).map((p) => p.metadata.name).sort()).toEqual(['kv-0', 'kv-1', 'kv-2']);
  });
  it('run Jobs to their end', async () => {
    const path = '/apis/batch/v1/namespaces/default/jobs/once';
    const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'busybox:1' }] } };
    await lab.apply({
      path,
      object: {
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: { name: 'once', namespace: 'default' },
        spec: { completions: 2, template },
      },
    });
    await waitForStatus(path, { succeeded: 2 });
    expect(conditionOf((await lab.api('GET', path)).body, 'Complete')).toBe('True');
  });
  it('tell Services which pods are ready', async () => {
    await lab.apply(deployment('api', 2), {
      path: '/api/v1/namespaces/default/services/api',
      object: {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'api', namespace: 'default' },
        spec: { selector: { app: 'api' }, ports: [{ port: 80, targetPort: 8080 }] },
      },
    });
    const subset = await until('two addresses', async () => {
      const { body } = await lab.api('GET', '/api/v1/namespaces/default/endpoints/api');
      const [first] = (body.subsets ?? []) as { addresses?: object[]; ports: object[] }[];
      return first?.addresses?.length === 2 ? first : undefined;
    });
    expect(subset.ports).toMatchObject([{ port: 8080, protocol: 'TCP' }]);
  });
});

describe('a node that goes', () => {
  it('is drained by cordon and eviction, and its pods move', async () => {
    await lab.apply(deployment('mover', 3));
    await waitForStatus('/apis/apps/v1/namespaces/default/deployments/mover', { availableReplicas: 3 });
    await lab.api('PATCH', '/api/v1/nodes/w-1', { spec: { unschedulable: true } }, 'application/merge-patch+json');
    for (const p of await pods('app=mover'))
      if (p.spec.nodeName === 'w-1')
        await lab.api('POST', `/api/v1/namespaces/default/pods/${p.metadata.name}/eviction`, {
          apiVersion: 'policy/v1',
          kind: 'Eviction',
          metadata: { name: p.metadata.name, namespace: 'default' },
        });
    await until('no pod left there', async () => {
      const found = await pods('app=mover');
      const moved = found.every((p) => p.status.phase === 'Running' && p.spec.nodeName !== 'w-1');
      return found.length === 3 && moved ? true : undefined;
    });
  });
  it('takes its pods along when its Node is deleted', async () => {
    lab.machines.destroy('id-of-w-1');
    await lab.api('DELETE', '/api/v1/nodes/w-1');
    await until('no pod of it', async () => {
      const all = await lab.list('/api/v1/pods?fieldSelector=spec.nodeName=w-1');
      return all.size === 0 ? true : undefined;
    });
    await waitForStatus('/apis/apps/v1/namespaces/kube-flannel/daemonsets/kube-flannel-ds', {
      desiredNumberScheduled: 3,
      numberAvailable: 3,
    });
  });
});
