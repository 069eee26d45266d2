import type { Cluster } from '@shoto/api';
import { expect, it } from 'vitest';
import { aCluster } from '../test/builders.ts';
import { FakeKube } from '../test/fake-kube.ts';
import { storeImages, withImages } from './upgrade-images.ts';
import { CLUSTERS, Freshest } from './world.ts';

const of = (v: string) => ({ coreDNS: `r/coredns:${v}`, kubeProxy: `r/kube-proxy:${v}` });
const entry = (release: string, v = release) => ({ release, ...of(v) });

it.each<[string, Parameters<typeof withImages>, ReturnType<typeof withImages>]>([
  ['the first', [undefined, 'v1.35.4', of('a')], [entry('v1.35.4', 'a')]],
  ['nothing new', [[entry('v1.35.4', 'a')], 'v1.35.4', of('a')], undefined],
  ['another image of the same release', [[entry('v1.35.4', 'a')], 'v1.35.4', of('b')], [entry('v1.35.4', 'b')]],
  [
    'the newest four, by version and not by spelling',
    [['v1.33.1', 'v1.34.9', 'v1.34.10', 'v1.35.4'].map((r) => entry(r)), 'v1.36.0', of('v1.36.0')],
    ['v1.34.9', 'v1.34.10', 'v1.35.4', 'v1.36.0'].map((r) => entry(r)),
  ],
  [
    'nothing of one that is older than four others',
    [['v1.34.1', 'v1.34.9', 'v1.35.4', 'v1.36.0'].map((r) => entry(r)), 'v1.33.1', of('x')],
    undefined,
  ],
])('keeps %s', (_, input, list) => {
  expect(withImages(...input)).toEqual(list);
});

it('stores images once, also when somebody else writes the same map at that moment', async () => {
  const kube = new FakeKube();
  const cluster = aCluster();
  kube.put(CLUSTERS, cluster);
  const d = { kube, clusters: new Freshest(kube.cache<Cluster>(CLUSTERS)) };
  kube.beforePatch = async () => {
    kube.beforePatch = undefined;
    const live = kube.now<Cluster>(CLUSTERS, cluster.metadata) as Cluster;
    await kube.patchStatusMap(CLUSTERS, live, 'controlPlane', { joinMachine: 'other' });
  };
  const stored = kube.now<Cluster>(CLUSTERS, cluster.metadata) as Cluster;
  await storeImages(d, stored, 'v1.36.3', of('v1.36.3'));
  const now = kube.now<Cluster>(CLUSTERS, cluster.metadata) as Cluster;
  expect(now.status?.controlPlane).toMatchObject({ joinMachine: 'other', images: [entry('v1.36.3')] });
  const { length } = kube.writes;
  await storeImages(d, now, 'v1.36.3', of('v1.36.3'));
  expect(kube.writes).toHaveLength(length);
});
