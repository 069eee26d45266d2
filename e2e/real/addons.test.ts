import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { Applier } from '../addons/apply.ts';
import { fitting, renderShipped } from '../addons/shipped.ts';
import { type ManagementCluster, startManagementCluster } from '../lab/management-cluster.ts';
import { realVersions } from '../lab/minors.ts';

describe.each(realVersions())('a kube-apiserver %s', (version) => {
  let cluster: ManagementCluster;
  let applier: Applier;
  beforeAll(async () => {
    // As kubeadm starts it.
    cluster = await startManagementCluster({ version, build: true, apiServerArgs: ['--allow-privileged=true'] });
    const { users } = parse(cluster.kubeconfig()) as { users: { user: { token: string } }[] };
    applier = new Applier({ url: cluster.server, ca: cluster.ca, token: users[0]!.user.token });
  });
  afterAll(async () => {
    await applier?.close();
    await cluster?.stop();
  });

  it('takes every bundle that ships for it, one version over the other, without a word of deprecated APIs', async () => {
    const bundles = await fitting(version);
    expect(new Set(bundles.map((b) => b.manifest.name)).size).toBeGreaterThanOrEqual(13);
    for (const bundle of bundles) {
      const title = `${bundle.manifest.name} ${bundle.manifest.version}`;
      const { objects } = await renderShipped(bundle, version);
      expect(await applier.apply(objects), title).toEqual([]);
      expect(await applier.apply(objects), `${title} again`).toEqual([]);
    }
  });
});
