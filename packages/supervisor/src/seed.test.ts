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

  it('of an addon are its manifests, with facts left open, and a bundle with their digest', async () => {
    const folder = join(dir, 'flannel', '1.2.3');
    await mkdir(join(folder, 'manifests'), { recursive: true });
    await writeFile(
      join(folder, 'bundle.yaml'),
      `apiVersion: bundle.shoto.dev/v1alpha1
kind: Bundle
name: flannel
version: 1.2.3
kubernetes: ">=1.35"
provides: [cni]
content: { manifests: manifests }
health: { checks: [{ apiVersion: apps/v1, kind: DaemonSet, namespace: a, name: b }] }
`,
    );
    await writeFile(
      join(folder, 'values.schema.json'),
      JSON.stringify({ type: 'object', properties: { backend: { type: 'string', default: 'vxlan' } } }),
    );
    await writeFile(
      join(folder, 'manifests', 'a.yaml'),
      'kind: DaemonSet\nx: "{{facts.podCIDR}} {{values.backend}}"\n',
    );
    const text = 'kind: DaemonSet\nx: "{{podCIDR}} vxlan"\n';
    const digest = createHash('sha256').update(text).digest('hex');
    expect(await bundles(dir, 'sys')).toMatchObject([
      { kind: 'ConfigMap', metadata: { name: 'flannel-1.2.3', namespace: 'sys' }, data: { 'manifests.yaml': text } },
      {
        kind: 'AddonBundle',
        metadata: { name: 'flannel-1.2.3' },
        spec: {
          addon: 'flannel',
          version: '1.2.3',
          kubernetes: '>=1.35',
          provides: ['cni'],
          health: [{ kind: 'DaemonSet', namespace: 'a', name: 'b' }],
          manifests: { digest: `sha256:${digest}`, configMapRef: { namespace: 'sys', name: 'flannel-1.2.3' } },
        },
      },
    ]);
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
