import { type Addon, AddonKind, API_VERSION, type Cluster, type ClusterAddon, LABELS, resourceOf } from '@shoto/api';
import { KubeError } from '@shoto/kube';
import type { Deps } from '../deps.ts';
import { sharing } from '../shared-strings.ts';

export const ADDONS = resourceOf(AddonKind);

export const addonName = (cluster: Cluster, addon: string): string => `${cluster.metadata.name}-${addon}`;

/** An Addon as it is remembered, with what a pass looks at: a fleet has twenty for each cluster. */
export function keptAddon({ apiVersion, kind, metadata, spec, status }: Addon): Addon {
  const { name, namespace, uid, resourceVersion, generation, annotations } = metadata;
  return {
    ...sharing({ apiVersion, kind, spec, ...(status ? { status } : {}) }),
    metadata: {
      name,
      ...sharing({ namespace, ...(annotations ? { annotations } : {}) }),
      ...(uid ? { uid } : {}),
      ...(resourceVersion ? { resourceVersion } : {}),
      ...(generation === undefined ? {} : { generation }),
    },
  };
}

/** The Addon object of a cluster's addon; made where it is not there. */
export async function ensureAddon(d: Deps, cluster: Cluster, wanted: ClusterAddon): Promise<Addon> {
  const name = addonName(cluster, wanted.name);
  const known = d.addonsOf(cluster).find((a) => a.metadata.name === name);
  if (known) return known;
  const namespace = cluster.metadata.namespace!;
  try {
    const made = await d.client.create<Addon>(ADDONS, {
      apiVersion: API_VERSION,
      kind: 'Addon',
      metadata: {
        name,
        namespace,
        labels: { [LABELS.cluster]: cluster.metadata.name },
        ownerReferences: [
          { apiVersion: API_VERSION, kind: 'Cluster', name: cluster.metadata.name, uid: cluster.metadata.uid! },
        ],
      },
      spec: {
        clusterName: cluster.metadata.name,
        addon: wanted.name,
        ...(wanted.version ? { version: wanted.version } : {}),
      },
    });
    d.wroteAddon(made);
    return made;
  } catch (e) {
    if (!(e instanceof KubeError && e.isAlreadyExists)) throw e;
    const live = await d.client.get<Addon>(ADDONS, { namespace, name });
    if (!live) throw e;
    return live;
  }
}

export async function removeAddon(d: Deps, addon: Addon): Promise<void> {
  const { namespace, name, uid } = addon.metadata;
  await d.client.delete(ADDONS, { namespace, name }, { uid: uid! });
}
