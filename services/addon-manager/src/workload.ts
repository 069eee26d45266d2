import type { AddonBundle } from '@shoto/api';
import {
  DAEMONSETS,
  DEPLOYMENTS,
  type HasMeta,
  type KubeClient,
  KubeError,
  type ResourceType,
  STATEFULSETS,
} from '@shoto/kube';
import { TerminalError, WaitingError } from '@shoto/reconciler';
import type { Manifest } from './render.ts';

const FIELD_MANAGER = 'shoto-addon-manager';

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

/** Applies objects in their order, server-side, each as a whole. Safe to repeat, and to break off by the signal. */
export async function applyAll(
  client: KubeClient,
  finder: KindFinder,
  version: string,
  objects: Manifest[],
  signal?: AbortSignal,
): Promise<void> {
  for (const o of objects) {
    signal?.throwIfAborted();
    const type = await finder.find(client, version, o);
    if (!type) throw notServed(version, o, objects);
    await client.apply<HasMeta>(type, o as HasMeta, {
      fieldManager: FIELD_MANAGER,
      force: true,
      ...(signal ? { signal } : {}),
    });
  }
}

/** A kind of a CRD of the same bundle is only a moment away; any other will never be served. */
function notServed(version: string, o: Manifest, bundle: Manifest[]): WaitingError | TerminalError {
  const message = `Kubernetes ${version} does not serve ${o.kind} of ${o.apiVersion}`;
  const names = (m: Manifest) => (m as { spec?: { names?: { kind?: string } } }).spec?.names;
  return bundle.some((m) => m.kind === 'CustomResourceDefinition' && names(m)?.kind === o.kind)
    ? new WaitingError('KindNotServedYet', `${message} yet`, 1000)
    : new TerminalError('KindNotServed', `${message}: leave it out of the bundle, or add its CustomResourceDefinition`);
}

interface Workload extends HasMeta {
  spec?: { replicas?: number };
  status?: {
    observedGeneration?: number;
    desiredNumberScheduled?: number;
    updatedNumberScheduled?: number;
    numberAvailable?: number;
    updatedReplicas?: number;
    availableReplicas?: number;
  };
}

const TYPES = { DaemonSet: DAEMONSETS, Deployment: DEPLOYMENTS, StatefulSet: STATEFULSETS };

/** What keeps a workload from being rolled out, in one line; undefined where it is. Pure. */
export function rolloutProblem(kind: keyof typeof TYPES, w: Workload | undefined): string | undefined {
  if (!w) return 'is not there yet';
  const s = w.status ?? {};
  if ((s.observedGeneration ?? 0) < (w.metadata.generation ?? 0)) return 'was not looked at by its controller yet';
  const [want, updated, available] =
    kind === 'DaemonSet'
      ? [s.desiredNumberScheduled ?? 0, s.updatedNumberScheduled ?? 0, s.numberAvailable ?? 0]
      : [w.spec?.replicas ?? 1, s.updatedReplicas ?? 0, s.availableReplicas ?? 0];
  if (kind === 'DaemonSet' && want === 0) return 'has no node to run on yet';
  if (updated < want || available < want) return `has ${Math.min(updated, available)} of ${want} pods available`;
  return undefined;
}

/** What keeps a bundle's workloads from being healthy, in one line; undefined where they are. */
export async function healthProblem(client: KubeClient, bundle: AddonBundle): Promise<string | undefined> {
  for (const { kind, namespace, name } of bundle.spec.health) {
    if (!(kind in TYPES))
      throw new TerminalError(
        'NotSupported',
        `bundle ${bundle.metadata.name}: there is no rule for the health of ${kind}`,
      );
    const known = kind as keyof typeof TYPES;
    const problem = rolloutProblem(known, await client.get<Workload>(TYPES[known], { namespace, name }));
    if (problem) return `${kind} ${namespace}/${name} ${problem}`;
  }
  return undefined;
}
