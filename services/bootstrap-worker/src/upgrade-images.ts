import { type Cluster, compareReleases } from '@shoto/api';
import { KubeError } from '@shoto/kube';
import type { AddonImages } from './check-in/protocol.ts';
import { CLUSTERS, type Freshest, type Kube } from './world.ts';

type Images = NonNullable<NonNullable<Cluster['status']>['controlPlane']['images']>;

/** Of more releases a cluster never has machines at the same time. */
const MOST = 4;
/** Tries when others write the same map at the same time. */
const TRIES = 5;

/** The list with the images of one release, the newest releases only; undefined where that changes nothing. */
export function withImages(before: Images | undefined, release: string, images: AddonImages): Images | undefined {
  const { coreDNS, kubeProxy } = images;
  const known = before?.find((i) => i.release === release);
  if (known?.coreDNS === coreDNS && known.kubeProxy === kubeProxy) return undefined;
  const all = [...(before ?? []).filter((i) => i.release !== release), { release, coreDNS, kubeProxy }];
  const kept = all.sort((a, b) => compareReleases(a.release, b.release)).slice(-MOST);
  return kept.some((i) => i.release === release) ? kept : undefined;
}

/**
 * Stores on the Cluster which images kubeadm of a release gives its own addons, as a control-plane machine of that release says. No write
 * where that is known.
 *
 * @throws {KubeError} but for a race, which is decided again on what is there now
 */
export async function storeImages(
  d: { kube: Kube; clusters: Freshest<Cluster> },
  cluster: Cluster,
  release: string,
  images: AddonImages,
): Promise<void> {
  let current = cluster;
  for (let tries = 1; ; tries++) {
    const map = current.status?.controlPlane ?? { revision: 0 };
    const next = withImages(map.images, release, images);
    if (!next) return;
    try {
      d.clusters.note(await d.kube.patchStatusMap(CLUSTERS, current, 'controlPlane', { ...map, images: next }));
      return;
    } catch (e) {
      if (!(e instanceof KubeError)) throw e;
      if (e.isNotFound) return;
      if (!e.isConflict || tries >= TRIES) throw e;
      const live = await d.kube.get<Cluster>(CLUSTERS, cluster.metadata);
      if (!live || live.metadata.uid !== cluster.metadata.uid) return;
      current = d.clusters.note(live);
    }
  }
}
