import { readFileSync } from 'node:fs';
import { GROUP, KINDS, resourceOf } from '@shoto/api';
import { connectionFromKubeconfig, KubeClient, KubeError, type KubeObject, NAMESPACES } from '@shoto/kube';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verdicts } from '../../packages/api/test/verdicts.ts';
import { type ManagementCluster, startManagementCluster } from '../lab/management-cluster.ts';

let cluster: ManagementCluster;
let client: KubeClient;
const typeOf = (kind: string) => resourceOf(KINDS.find((k) => k.kind === kind)!);

beforeAll(async () => {
  cluster = await startManagementCluster({ build: true, apply: [new URL('../../crds', import.meta.url).pathname] });
  client = new KubeClient({
    connection: await connectionFromKubeconfig({ text: cluster.kubeconfig() }),
    userAgent: 'test',
  });
  await client.create(NAMESPACES, { metadata: { name: 'tenant-blue' } });
});
afterAll(async () => {
  await client?.close();
  await cluster?.stop();
});

/** What the API server says to an object: the fields that it blames, none where it takes it. */
async function blamed(v: (typeof verdicts)[number]): Promise<string[]> {
  const type = typeOf(v.kind);
  const object = JSON.parse(JSON.stringify(v.object)) as KubeObject;
  const refOf = (o: KubeObject) => ({ namespace: o.metadata.namespace, name: o.metadata.name });
  try {
    if (v.before) {
      const stored = await client.create<KubeObject>(type, JSON.parse(JSON.stringify(v.before)) as KubeObject);
      try {
        await client.replace<KubeObject>(
          type,
          { ...object, metadata: { ...object.metadata, resourceVersion: stored.metadata.resourceVersion! } },
          { dryRun: true },
        );
      } finally {
        await client.delete(type, refOf(object));
      }
    } else await client.create<KubeObject>(type, object, { dryRun: true });
    return [];
  } catch (e) {
    if (!(e instanceof KubeError)) throw e;
    return e.causes.map((c) => c.field ?? '');
  }
}

describe('a real kube-apiserver gives the verdict of the parser', () => {
  for (const v of verdicts)
    it(`${v.blames ? `refuses ${v.title} and blames ${v.blames}` : `takes ${v.title}`}`, async () => {
      const fields = await blamed(v);
      if (v.blames) expect(fields).toContain(v.blames);
      else expect(fields).toEqual([]);
    });
});

it('describes every field to kubectl explain', async () => {
  expect(await cluster.kubectl(['explain', 'cluster.spec.nodePools.count'])).toContain('Machines in the pool.');
  expect(readFileSync(new URL(`../../crds/${GROUP}_clusters.yaml`, import.meta.url), 'utf8')).toContain(
    'Machines in the pool.',
  );
});
