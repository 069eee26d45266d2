import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ManagementCluster, startManagementCluster } from './management-cluster.ts';

/** Needs the binaries of kubernetes-build --only apiserver: part of `make test-real`. */
describe('the lab management cluster', () => {
  let cluster: ManagementCluster;
  let manifests: string;

  beforeAll(async () => {
    manifests = await mkdtemp(join(tmpdir(), 'manifests-'));
    await writeFile(join(manifests, 'crd.json'), JSON.stringify(widgetDefinition));
    cluster = await startManagementCluster({ apply: [manifests], users: [{ name: 'reader', groups: ['readers'] }] });
  }, 180_000);

  afterAll(async () => {
    await cluster?.stop();
    await rm(manifests, { recursive: true, force: true });
  });

  it('serves the kinds it was given', async () => {
    await cluster.kubectl(
      ['create', '-f', '-'],
      JSON.stringify({ apiVersion: 'lab.test/v1', kind: 'Widget', metadata: { name: 'one', namespace: 'default' } }),
    );
    expect(await cluster.kubectl(['get', 'widgets', '-o', 'name'])).toBe('widget.lab.test/one\n');
  });

  it('lets a user do no more than RBAC allows', async () => {
    const verdict = async (user: string) =>
      (
        await cluster
          .kubectl(['auth', 'can-i', 'list', 'secrets', '--as', user, '--as-group', 'readers'])
          .catch((e: Error & { stdout: string }) => e.stdout)
      ).trim();
    expect(await verdict('reader')).toBe('no');
    expect(cluster.kubeconfig('reader')).not.toBe(cluster.kubeconfig());
    expect(() => cluster.kubeconfig('nobody')).toThrow('no user nobody');
  });

  it('keeps its address and data when the API server restarts', async () => {
    const before = cluster.pids();
    await cluster.restartApiServer();
    expect(await cluster.kubectl(['get', 'widgets', '-o', 'name'])).toBe('widget.lab.test/one\n');
    expect(cluster.pids().etcd).toBe(before.etcd);
    expect(cluster.pids().kubeApiserver).not.toBe(before.kubeApiserver);
  }, 180_000);

  it('leaves neither process nor file behind', async () => {
    const pids = Object.values(cluster.pids());
    await cluster.stop();
    expect(pids.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
    expect(existsSync(dirname(cluster.kubeconfigFile))).toBe(false);
  });
});

const widgetDefinition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.lab.test' },
  spec: {
    group: 'lab.test',
    scope: 'Namespaced',
    names: { plural: 'widgets', singular: 'widget', kind: 'Widget' },
    versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
  },
};
