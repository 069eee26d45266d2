import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kubeconfig } from '@shoto/pki';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { catalogue, simulatedCloud } from './cloud.ts';
import { applySeeds, bundles, documents, documentsIn, type Seed } from './seed.ts';
import { ROOT } from './system.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'shoto-seed-'));
});
afterEach(() => rm(dir, { recursive: true }));

describe('seeds', () => {
  it('are the documents of YAML files, in order of name, without empty ones', async () => {
    await writeFile(join(dir, 'b.yaml'), 'kind: B\n---\n# nothing\n---\nkind: C\n');
    await writeFile(join(dir, 'a.yaml'), 'kind: A\n');
    await writeFile(join(dir, 'notes.md'), 'kind: D\n');
    expect((await documentsIn(dir)).map((s) => s.kind)).toEqual(['A', 'B', 'C']);
    expect(await documents(join(dir, 'a.yaml'))).toEqual([{ kind: 'A' }]);
  });

  it('of an addon are its files, as keys of a ConfigMap, and what its manifest says', async () => {
    const folder = join(dir, 'flannel', '2.0.0');
    await mkdir(join(folder, 'manifests'), { recursive: true });
    const manifest = `apiVersion: bundle.shoto.dev/v1alpha1
kind: Bundle
name: flannel
version: 2.0.0
kubernetes: ">=1.35"
channel: candidate
provides: [cni]
dependsOn: [{ name: net }]
content: { manifests: manifests }
`;
    await writeFile(join(folder, 'bundle.yaml'), manifest);
    await writeFile(join(folder, 'README.md'), 'for people');
    await writeFile(join(folder, 'manifests', 'a.yaml'), 'kind: Deployment\n');
    // A chart is not kept inline.
    await mkdir(join(dir, 'cilium', '1.0.0'), { recursive: true });
    await writeFile(
      join(dir, 'cilium', '1.0.0', 'bundle.yaml'),
      manifest.replace('manifests: manifests', 'helm: { chart: chart }').replaceAll('flannel', 'cilium'),
    );
    const data = { 'bundle.yaml': manifest, 'manifests__a.yaml': 'kind: Deployment\n' };
    const digest = createHash('sha256').update(JSON.stringify(data)).digest('hex');
    expect(await bundles(dir, 'sys')).toEqual([
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'flannel-2.0.0', namespace: 'sys' }, data },
      {
        apiVersion: 'shoto.dev/v1alpha1',
        kind: 'AddonBundle',
        metadata: { name: 'flannel-2.0.0' },
        spec: {
          addon: 'flannel',
          version: '2.0.0',
          channel: 'candidate',
          kubernetes: '>=1.35',
          provides: ['cni'],
          dependsOn: [{ name: 'net' }],
          manifests: { digest: `sha256:${digest}`, configMapRef: { namespace: 'sys', name: 'flannel-2.0.0' } },
        },
      },
    ]);
    expect(await bundles(dir, 'sys', ['grafana'])).toEqual([]);
  });
});

describe('applying seeds', () => {
  /** Applies to an API server that takes everything; a CRD is established at its third look. */
  async function applied(seeds: Seed[]): Promise<string[]> {
    const seen: string[] = [];
    let looks = 0;
    const server = createServer((req, res) => {
      seen.push(`${req.method} ${req.url?.split('?')[0]}`);
      req.resume().on('end', () => {
        const status = req.method === 'GET' && ++looks >= 3 ? 'True' : 'False';
        res
          .writeHead(200, { 'content-type': 'application/json' })
          .end(JSON.stringify({ metadata: { name: 'x' }, status: { conditions: [{ type: 'Established', status }] } }));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      await applySeeds(
        kubeconfig({ cluster: 'c', server: url, ca: '', user: 'admin', credential: { token: 't' } }),
        seeds,
      );
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
    return seen;
  }

  it('waits for kinds before it makes objects of them', async () => {
    const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/tenants.shoto.dev';
    expect(
      await applied([
        { apiVersion: 'shoto.dev/v1alpha1', kind: 'Tenant', metadata: { name: 'demo' } },
        { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'sys' } },
        {
          apiVersion: 'apiextensions.k8s.io/v1',
          kind: 'CustomResourceDefinition',
          metadata: { name: 'tenants.shoto.dev' },
        },
      ]),
    ).toEqual([
      `PATCH ${crds}`,
      `GET ${crds}`,
      `GET ${crds}`,
      `GET ${crds}`,
      'PATCH /apis/shoto.dev/v1alpha1/tenants/demo',
      'PATCH /api/v1/namespaces/sys/configmaps/a',
    ]);
  });

  it('names what it does not know', async () => {
    await expect(applied([{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' } }])).rejects.toThrow(
      'Pod p: the supervisor does not know how this kind is reached',
    );
  });

  it('knows every kind that a system is seeded with', async () => {
    const seeds = [
      ...(await documents(join(ROOT, 'deploy/namespaces.yaml'))),
      ...(await documents(join(ROOT, 'deploy/rbac.yaml'))),
      ...catalogue(simulatedCloud('http://127.0.0.1:1'), 9443),
      ...(await bundles(join(ROOT, 'deploy/addons'), 'shoto-system')),
    ];
    expect((await applied(seeds)).length).toBe(seeds.length);
  });
});
