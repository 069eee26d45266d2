import { type KubeClient, KubeError, type ResourceType } from '@shoto/kube';

interface ApiResourceList {
  resources: { name: string; kind: string; namespaced: boolean }[];
}

async function resourcesOf(client: KubeClient, path: string): Promise<ApiResourceList['resources']> {
  try {
    return (JSON.parse((await client.raw('GET', path)).body) as ApiResourceList).resources;
  } catch (e) {
    if (e instanceof KubeError && e.isNotFound) return [];
    throw e;
  }
}

/**
 * Finds how kinds are reached in clusters of one Kubernetes version. What a version serves is asked once, not once a cluster;
 * a kind that is not in it (of a CRD, applied a moment ago) is asked for again.
 * It answers undefined for what is not served.
 */
export class KindFinder {
  readonly #known = new Map<string, ApiResourceList['resources']>();

  async find(
    client: KubeClient,
    version: string,
    o: { apiVersion: string; kind: string },
  ): Promise<ResourceType | undefined> {
    const slash = o.apiVersion.indexOf('/');
    const group = slash < 0 ? '' : o.apiVersion.slice(0, slash);
    const key = `${version} ${o.apiVersion}`;
    let found = this.#known.get(key)?.find((r) => r.kind === o.kind);
    if (!found) {
      const list = await resourcesOf(client, slash < 0 ? `/api/${o.apiVersion}` : `/apis/${o.apiVersion}`);
      const own = list.filter((r) => !r.name.includes('/'));
      this.#known.set(key, own);
      found = own.find((r) => r.kind === o.kind);
    }
    if (!found) return undefined;
    return {
      group,
      version: o.apiVersion.slice(slash + 1),
      plural: found.name,
      kind: o.kind,
      namespaced: found.namespaced,
    };
  }
}
