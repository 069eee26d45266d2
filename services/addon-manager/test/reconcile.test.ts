import { afterEach, describe, expect, it } from 'vitest';
import { needsWork } from '../src/needs.ts';
import { definition } from './look.ts';
import { digestOf, MANIFESTS, startWorld, type World } from './world.ts';

let w: World;
afterEach(() => w.close());

const apply = (path: string) => `PATCH ${path}`;
const APPLIED = [
  apply('/api/v1/namespaces/kube-flannel'),
  apply('/api/v1/namespaces/kube-flannel/configmaps/settings'),
  apply('/apis/apps/v1/namespaces/kube-flannel/daemonsets/flannel'),
];
const TENANT = '/apis/shoto.dev/v1alpha1/namespaces/tenant-blue';
const HEALTHY = {
  Applied: 'True Applied: applied: flannel',
  Healthy: 'True RolledOut: all addons run',
  UpToDate: 'True UpToDate: every addon is what it should be',
};
const settle = () => w.settle();
/** What it has is written down before it is applied, and again when it is healthy. */
const INVENTORY = apply('/api/v1/namespaces/kube-system/configmaps/shoto-addon-flannel');

describe('an addon', () => {
  it("is applied in the order of its bundle, with the cluster's facts filled in", async () => {
    w = await startWorld();
    w.publish('flannel-0.28.4');
    await w.pass();
    expect(w.workload.writes).toEqual([INVENTORY, ...APPLIED]);
    const settings = w.workload.api
      .resource({ group: '', version: 'v1', plural: 'configmaps' })
      .get({ namespace: 'kube-flannel', name: 'settings' });
    expect(settings?.data).toEqual({ net: '10.244.0.0/16', api: 'https://10.8.0.5:6443' });
    expect(settings?.metadata.managedFields?.[0]).toMatchObject({ manager: 'shoto-addon-manager', operation: 'Apply' });
  });

  it('is healthy when its workloads have rolled out, and not before', async () => {
    w = await startWorld();
    w.publish('flannel-0.28.4');
    expect(await w.pass()).toEqual({ requeueAfterMs: expect.any(Number) });
    w.rollOut(1);
    expect(await w.pass()).toEqual({ requeueAfterMs: expect.any(Number) });
    // The regular course is worth no write; a rollout that lasts is.
    expect(w.standing()).toEqual({});
    w.later(10);
    expect(await w.pass()).toEqual({ requeueAfterMs: 1000 });
    expect(w.standing()).toEqual({
      Applied: 'True Applied: applied: flannel',
      Healthy: 'False RollingOut: rolling out: flannel',
      UpToDate: 'False Updating: flannel: is being rolled out',
    });
    w.rollOut(2);
    expect(await w.pass()).toBeUndefined();
    expect(w.standing()).toEqual(HEALTHY);
    expect(w.cluster()?.status?.addons.items).toEqual([{ name: 'flannel', version: '0.28.4', healthy: true }]);
    expect(w.addons()[0]?.status?.manager).toMatchObject({
      bundle: 'flannel-0.28.4',
      digest: expect.stringMatching(/^sha256:/),
    });
  });

  it('costs two writes to its Addon and one to the Cluster, one more each if it takes long, and then none', async () => {
    for (const long of [false, true]) {
      w = await startWorld();
      w.publish('flannel-0.28.4');
      await w.pass();
      if (long) w.later(10);
      for (let i = 0; i < (long ? 5 : 1); i++) await w.pass();
      w.rollOut(2);
      for (let i = 0; i < 5; i++) await w.pass();
      expect(w.management.writes).toEqual([
        `POST ${TENANT}/addons`,
        ...(long ? [`PATCH ${TENANT}/addons/web-flannel/status`, `PATCH ${TENANT}/clusters/web/status`] : []),
        `PATCH ${TENANT}/addons/web-flannel/status`,
        `PATCH ${TENANT}/clusters/web/status`,
      ]);
      expect(w.workload.writes).toEqual([INVENTORY, ...APPLIED, INVENTORY]);
      if (!long) await w.close();
    }
  });

  it('waits for the control plane, for the kubeconfig, and while the cluster is paused', async () => {
    w = await startWorld();
    w.publish('flannel-0.28.4');
    w.kubeconfig = false;
    expect(await w.pass()).toEqual({ requeueAfterMs: 500 });
    const clusters = w.management.api.resource({ group: 'shoto.dev', version: 'v1alpha1', plural: 'clusters' });
    const web = { namespace: 'tenant-blue', name: 'web' };
    w.kubeconfig = true;
    clusters.patch(web, { spec: { paused: true } });
    expect(await w.pass()).toBeUndefined();
    clusters.patch(web, { spec: { paused: false } });
    clusters.patchStatus(web, { controlPlane: { initialized: false } });
    expect(await w.pass()).toBeUndefined();
    expect([w.management.writes, w.workload.writes]).toEqual([[], []]);
  });

  it('is none where none is asked for, which is healthy', async () => {
    w = await startWorld([]);
    await w.pass();
    expect(w.standing()).toEqual({
      Applied: 'True Applied: no addons are asked for',
      Healthy: 'True RolledOut: all addons run',
      UpToDate: 'True UpToDate: every addon is what it should be',
    });
  });
});

describe('what is wrong with a bundle is said, by name', () => {
  it('manifests that are not those of the digest are applied nowhere, and nothing is tried again', async () => {
    w = await startWorld();
    w.publish('flannel-0.28.4', {}, `${MANIFESTS}# tampered\n`);
    expect(await w.pass()).toBeUndefined();
    expect(w.standing().Applied).toBe(
      `False DigestMismatch: flannel: bundle flannel-0.28.4 should have ${digestOf(MANIFESTS)}, its manifests have ${digestOf(`${MANIFESTS}# tampered\n`)}: publish it again`,
    );
    expect(w.standing().Healthy).toMatch(/^False DigestMismatch/);
    expect(w.workload.writes).toEqual([]);
    await w.pass();
    expect(w.management.writes).toEqual([
      `POST ${TENANT}/addons`,
      `PATCH ${TENANT}/addons/web-flannel/status`,
      `PATCH ${TENANT}/clusters/web/status`,
    ]);
  });

  it('no bundle that fits is healed by publishing one', async () => {
    w = await startWorld();
    w.publish('flannel-0.9.0', { kubernetes: '<1.35' });
    expect(await w.pass()).toBeUndefined();
    expect(w.standing().Applied).toBe(
      'False NoBundleFits: flannel: no published bundle of flannel fits Kubernetes v1.35.4 (0.9.0 is for <1.35): publish one, or choose another version',
    );
    w.publish('flannel-0.28.4');
    await settle();
    expect(w.standing()).toEqual(HEALTHY);
  });

  it('a version that is asked for and not there is named', async () => {
    w = await startWorld([{ name: 'flannel', version: '9.9.9' }]);
    w.publish('flannel-0.28.4');
    await w.pass();
    expect(w.standing().Applied).toContain('flannel 9.9.9 is not published; there is 0.28.4');
  });

  it('the manifests that are missing are named with their place', async () => {
    w = await startWorld();
    w.publish('flannel-0.28.4', {
      manifests: { digest: digestOf(MANIFESTS), configMapRef: { namespace: 'shoto-system', name: 'lost' } },
    });
    await w.pass();
    expect(w.standing().Applied).toContain(
      'ManifestsMissing: flannel: bundle flannel-0.28.4: ConfigMap shoto-system/lost has no key manifests.yaml',
    );
  });

  it('a kind that the cluster does not serve is named', async () => {
    const text = 'apiVersion: cilium.io/v2\nkind: CiliumNode\nmetadata: { name: a }\n';
    w = await startWorld();
    w.publish(
      'flannel-0.28.4',
      { manifests: { digest: digestOf(text), configMapRef: { namespace: 'shoto-system', name: 'flannel-0.28.4' } } },
      text,
    );
    await w.pass();
    expect(w.standing().Applied).toContain('KindNotServed: flannel: Kubernetes v1.35.4 does not serve CiliumNode');
  });

  it('a kind that the bundle brings itself is waited for', async () => {
    const text = `${definition('cilium.io', 'pools', 'Pool', 'v2')}---
apiVersion: cilium.io/v2
kind: Pool
metadata: { name: a }
`;
    w = await startWorld();
    const configMapRef = { namespace: 'shoto-system', name: 'flannel-0.28.4' };
    w.publish('flannel-0.28.4', { manifests: { digest: digestOf(text), configMapRef }, health: [] }, text);
    let late = 1;
    w.workload.disturb(({ method, path }) => {
      if (method !== 'GET' || path !== '/apis/cilium.io/v2' || late-- <= 0) return undefined;
      return { status: 404, body: { kind: 'Status', code: 404, reason: 'NotFound', message: 'not served yet' } };
    });
    expect(await w.pass()).toEqual({ requeueAfterMs: 1000 });
    expect(w.standing().Applied).toContain('False KindNotServedYet');
    expect(await w.pass()).toBeUndefined();
    expect(w.standing()).toEqual(HEALTHY);
  });

  it('one addon that is wrong holds back no other', async () => {
    w = await startWorld([{ name: 'metrics' }, { name: 'flannel' }]);
    w.publish('flannel-0.28.4');
    await settle();
    expect(w.cluster()?.status?.addons.items).toEqual([
      { name: 'metrics', healthy: false },
      { name: 'flannel', version: '0.28.4', healthy: true },
    ]);
    expect(w.standing().Healthy).toContain('metrics: no bundle of metrics is published');
  });
});

describe('a cluster that was made without our finalizer', () => {
  const clusters = () => w.management.api.resource({ group: 'shoto.dev', version: 'v1alpha1', plural: 'clusters' });
  const web = { namespace: 'tenant-blue', name: 'web' };

  it.each([{ others: [] }, { others: ['shoto.dev/infrastructure'] }])(
    'gets it before anything is applied, once, beside $others',
    async ({ others }) => {
      w = await startWorld(undefined, others);
      w.publish('flannel-0.28.4');
      expect(needsWork(w.cluster()!)).toBe(true);
      await settle();
      expect(w.cluster()?.metadata.finalizers).toEqual([...others, 'shoto.dev/addons']);
      expect(w.management.writes[0]).toBe(`PATCH ${TENANT}/clusters/web`);
      expect(w.management.writes.filter((x) => x === `PATCH ${TENANT}/clusters/web`)).toHaveLength(1);
      expect(w.standing()).toEqual(HEALTHY);
      // It is looked at by each process that is new, so that its objects are watched.
      expect(needsWork(w.cluster()!)).toBe(true);
    },
  );

  it('gets it although its control plane is not up yet', async () => {
    w = await startWorld(undefined, []);
    clusters().patchStatus(web, { controlPlane: { initialized: false } });
    expect(needsWork(w.cluster()!)).toBe(true);
    expect(await w.pass()).toBeUndefined();
    expect(w.cluster()?.metadata.finalizers).toEqual(['shoto.dev/addons']);
    expect(needsWork(w.cluster()!)).toBe(false);
    expect(w.workload.writes).toEqual([]);
  });

  it('loses no finalizer that another service adds at that moment: the pass is repeated', async () => {
    w = await startWorld(undefined, []);
    w.publish('flannel-0.28.4');
    let isFirst = true;
    w.management.disturb(({ method, path }) => {
      if (isFirst && method === 'PATCH' && path.endsWith('/clusters/web')) {
        isFirst = false;
        clusters().patch(web, { metadata: { finalizers: ['shoto.dev/infrastructure'] } });
      }
      return undefined;
    });
    await expect(w.pass()).rejects.toMatchObject({ status: 409 });
    expect(w.workload.writes).toEqual([]);
    await settle();
    expect(w.cluster()?.metadata.finalizers).toEqual(['shoto.dev/infrastructure', 'shoto.dev/addons']);
  });

  it('gets none when it is being deleted', async () => {
    w = await startWorld(undefined, ['shoto.dev/secrets']);
    clusters().delete(web);
    expect(needsWork(w.cluster()!)).toBe(false);
    await w.pass();
    expect(w.cluster()?.metadata.finalizers).toEqual(['shoto.dev/secrets']);
  });
});

describe('a pass', () => {
  it('that is cut short at any request is made good by the next one, also of another process', {
    timeout: 300_000,
  }, async () => {
    w = await startWorld();
    w.publish('flannel-0.28.4');
    await settle();
    const whole = w.management.writes.length + w.workload.writes.length;
    const ends = { standing: w.standing(), addon: w.addons()[0]?.status?.manager.digest };
    await w.close();

    for (let at = 0; at < whole; at++) {
      w = await startWorld();
      w.publish('flannel-0.28.4');
      let left = at;
      const cut = ({ method }: { method: string }) =>
        method !== 'GET' && left-- === 0 ? ('reset' as const) : undefined;
      w.management.disturb(cut);
      w.workload.disturb(cut);
      let cuts = 0;
      for (let i = 0; i < 6; i++) {
        try {
          if (!(await w.pass())?.requeueAfterMs && cuts > 0) break;
          w.rollOut(2);
        } catch {
          cuts++;
          w.restart();
        }
      }
      expect([at, cuts]).toEqual([at, 1]);
      await settle();
      expect([at, w.standing(), w.addons()[0]?.status?.manager.digest]).toEqual([at, ends.standing, ends.addon]);
      expect(w.addons()).toHaveLength(1);
      await w.close();
    }
    w = await startWorld();
  });

  it('of a process that has just started applies again and ends the same', async () => {
    w = await startWorld();
    w.publish('flannel-0.28.4');
    await w.pass();
    w.restart();
    await settle();
    expect(w.standing()).toEqual(HEALTHY);
    expect(w.workload.writes).toEqual([INVENTORY, ...APPLIED, ...APPLIED, INVENTORY]);
    w.restart();
    const before = w.management.writes.length;
    await w.pass();
    expect([w.management.writes.length, w.workload.writes.length]).toEqual([before, 8]);
  });

  it('fails, to be repeated, while the cluster does not answer', async () => {
    w = await startWorld();
    w.publish('flannel-0.28.4');
    w.workload.disturb(() => 'reset');
    await expect(w.pass()).rejects.toThrow();
    w.workload.disturb(undefined);
    await settle();
    expect(w.standing()).toEqual(HEALTHY);
  });
});

describe('the deletion of a cluster', () => {
  const leave = () =>
    w.management.api
      .resource({ group: 'shoto.dev', version: 'v1alpha1', plural: 'clusters' })
      .delete({ namespace: 'tenant-blue', name: 'web' });

  it('removes its Addons, then its own finalizer, and leaves those of others', async () => {
    w = await startWorld();
    w.publish('flannel-0.28.4');
    await settle();
    leave();
    const before = w.management.writes.length;
    expect(await w.pass()).toBeUndefined();
    expect(w.addons()).toEqual([]);
    expect(w.cluster()?.metadata.finalizers).toEqual(['shoto.dev/secrets']);
    expect(w.management.writes.slice(before)).toEqual([
      `DELETE ${TENANT}/addons/web-flannel`,
      `PATCH ${TENANT}/clusters/web`,
    ]);
    await w.pass();
    expect(w.management.writes).toHaveLength(before + 2);
  });

  it('needs no cluster that answers', async () => {
    w = await startWorld();
    w.publish('flannel-0.28.4');
    await w.pass();
    w.kubeconfig = false;
    w.workload.disturb(() => 'hang');
    leave();
    await w.pass();
    expect(w.cluster()?.metadata.finalizers).toEqual(['shoto.dev/secrets']);
  });
});
