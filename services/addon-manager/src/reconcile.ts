import { isDeepStrictEqual } from 'node:util';
import {
  type Addon,
  type AddonBundle,
  AddonKind,
  API_VERSION,
  type Cluster,
  ClusterKind,
  type Condition,
  FINALIZERS,
  type KubernetesRelease,
  LABELS,
  resourceOf,
  withCondition,
} from '@shoto/api';
import { chooseBundle } from '@shoto/bundle';
import { CONFIGMAPS, type HasMeta, type KubeClient, KubeError } from '@shoto/kube';
import { type Outcome, ReconcileError, TerminalError, WaitingError } from '@shoto/reconciler';
import { holds } from './needs.ts';
import { type Facts, type Rendered, render } from './render.ts';
import { applyAll, healthProblem, type KindFinder } from './workload.ts';

const CLUSTERS = resourceOf(ClusterKind);
const ADDONS = resourceOf(AddonKind);
/** How soon a workload that is not rolled out is looked at again: at first soon, then by how long it takes already. */
const HEALTH_MS = { first: 150, longest: 1000 };
/** A rollout that takes longer is said; before, that addons are being applied is all there is to say, and is said without them. */
const SAY_SO_AFTER_MS = 10_000;
/** How soon a kubeconfig that is not there is looked for again. */
const KUBECONFIG_MS = 500;

/** What a pass needs. */
export interface Deps {
  client: KubeClient;
  /** The Cluster as the cache, or a live read, has it. */
  cluster: (key: string) => Promise<Cluster | undefined>;
  /** Told what a write gave, so that the next pass sees it. */
  wrote: (cluster: Cluster) => void;
  release: (name: string) => KubernetesRelease | undefined;
  bundles: () => AddonBundle[];
  addonsOf: (cluster: Cluster) => Addon[];
  /** Our client in the cluster; undefined while its kubeconfig is not there. */
  workload: (cluster: Cluster) => Promise<KubeClient | undefined>;
  forget: (clusterUid: string) => Promise<void>;
  finder: KindFinder;
  /** What this process applied and when, by cluster UID and addon: spares applying again while health is waited for. */
  applied: Map<string, { input: string; digest: string; at: number }>;
  /** Milliseconds since the epoch. */
  now: () => number;
}

/** How one addon stands after a pass. */
interface Standing {
  name: string;
  version?: string;
  healthy: boolean;
  /** Why it is not healthy. */
  problem?: { reason: string; message: string; terminal: boolean };
}

/** One pass over the addons of one Cluster. May be cut short, repeated or late, and ends the same. */
export async function reconcile(d: Deps, key: string, signal?: AbortSignal): Promise<Outcome> {
  const known = await d.cluster(key);
  if (!known) return undefined;
  if (known.metadata.deletionTimestamp) return leave(d, known);
  const cluster = await ensureFinalizer(d, known);
  if (!cluster.status?.controlPlane?.initialized || cluster.spec.paused) return undefined;
  const workload = await d.workload(cluster);
  if (!workload) return { requeueAfterMs: KUBECONFIG_MS };
  const standings: Standing[] = [];
  for (const wanted of cluster.spec.addons) standings.push(await one(d, cluster, workload, wanted, signal));
  const last = Math.max(...standings.map((s) => d.applied.get(`${cluster.metadata.uid}/${s.name}`)?.at ?? 0));
  const waited = d.now() - last;
  const rollsOut = standings.some((s) => !s.healthy) && standings.every((s) => s.healthy || isRollingOut(s));
  const isFirst = !cluster.status.addons?.conditions?.length;
  if (!(isFirst && rollsOut && waited < SAY_SO_AFTER_MS)) await writeStanding(d, cluster, standings);
  if (standings.every((s) => s.healthy || s.problem?.terminal)) return undefined;
  return { requeueAfterMs: Math.min(HEALTH_MS.longest, Math.max(HEALTH_MS.first, waited / 2)) };
}

/**
 * A Cluster made through the REST API has our finalizer from birth, one made by kubectl gets it here: before anything is applied, so that it
 * does not go without its addons. Others may add theirs at the same time: the patch fails then, and the pass is repeated.
 */
async function ensureFinalizer(d: Deps, cluster: Cluster): Promise<Cluster> {
  if (holds(cluster)) return cluster;
  const { resourceVersion, finalizers = [] } = cluster.metadata;
  const patch = { metadata: { resourceVersion, finalizers: [...finalizers, FINALIZERS.addons] } };
  const held = await d.client.mergePatch<Cluster>(CLUSTERS, cluster.metadata, patch);
  d.wrote(held);
  return held;
}

/** Applies one addon where it is not applied, and asks for its health. Never throws for what is that addon's own fault. */
async function one(
  d: Deps,
  cluster: Cluster,
  workload: KubeClient,
  wanted: { name: string; version?: string | undefined },
  signal: AbortSignal | undefined,
): Promise<Standing> {
  try {
    signal?.throwIfAborted();
    const version = d.release(cluster.spec.release)?.spec.version;
    if (!version) throw new WaitingError('ReleaseMissing', `release ${cluster.spec.release} is not there`, 10_000);
    const bundle = chooseBundle(d.bundles(), wanted, [version]);
    if (!bundle)
      throw new TerminalError(
        'NoBundleFits',
        `no published bundle of ${wanted.name}${wanted.version ? ` ${wanted.version}` : ''} fits Kubernetes ${version}: publish one, or choose another version`,
      );
    const facts = factsOf(d, cluster);
    const input = JSON.stringify([bundle.metadata.name, facts]);
    const memory = `${cluster.metadata.uid}/${wanted.name}`;
    let applied = d.applied.get(memory);
    // While health is waited for, manifests are neither read nor rendered again.
    const rendered = applied?.input === input ? undefined : await renderFor(d, bundle, facts);
    const addon = await ensureAddon(d, cluster, wanted);
    if (rendered) {
      const settled = addon.status?.manager?.digest === rendered.digest && healthyIn(addon.status.manager.conditions);
      if (settled) return { name: wanted.name, version: bundle.spec.version, healthy: true };
      await applyAll(workload, d.finder, version, rendered.objects, signal);
      applied = { input, digest: rendered.digest, at: d.now() };
      d.applied.set(memory, applied);
    }
    const problem = await healthProblem(workload, bundle);
    if (problem)
      return {
        name: wanted.name,
        version: bundle.spec.version,
        healthy: false,
        problem: { reason: 'RollingOut', message: problem, terminal: false },
      };
    await writeAddon(d, addon, bundle, applied!.digest);
    d.applied.delete(memory);
    return { name: wanted.name, version: bundle.spec.version, healthy: true };
  } catch (e) {
    if (!(e instanceof ReconcileError) || e.kind === 'retryable') throw e;
    return {
      name: wanted.name,
      healthy: false,
      problem: { reason: e.reason, message: e.message, terminal: e.kind === 'terminal' },
    };
  }
}

const isRollingOut = (s: Standing): boolean => s.problem?.reason === 'RollingOut';

const healthyIn = (conditions: Condition[] | undefined): boolean =>
  conditions?.some((c) => c.type === 'Healthy' && c.status === 'True') ?? false;

/** What of a cluster stands in its manifests. @throws {WaitingError} while its endpoint is not known */
function factsOf(d: Deps, cluster: Cluster): Facts {
  const endpoint = cluster.status?.infrastructure?.endpoint?.internal;
  if (!endpoint) throw new WaitingError('EndpointMissing', 'the API endpoint is not known yet', 1000);
  const colon = endpoint.lastIndexOf(':');
  return {
    podCIDR: cluster.spec.network.podCIDR,
    serviceCIDR: cluster.spec.network.serviceCIDR,
    apiHost: endpoint.slice(0, colon),
    apiPort: endpoint.slice(colon + 1),
    imageRepository: d.release(cluster.spec.release)!.spec.imageRepository,
  };
}

async function renderFor(d: Deps, bundle: AddonBundle, facts: Facts): Promise<Rendered> {
  const { manifests } = bundle.spec;
  if (!manifests)
    throw new TerminalError(
      'NotSupported',
      `bundle ${bundle.metadata.name} lies in a registry: publish it in a ConfigMap`,
    );
  const { configMapRef, digest } = manifests;
  const map = await d.client.get<HasMeta & { data?: Record<string, string> }>(CONFIGMAPS, configMapRef);
  const text = map?.data?.[configMapRef.key];
  if (text === undefined)
    throw new TerminalError(
      'ManifestsMissing',
      `bundle ${bundle.metadata.name}: ConfigMap ${configMapRef.namespace}/${configMapRef.name} has no key ${configMapRef.key}: publish it again`,
    );
  return render(bundle.metadata.name, text, digest, facts);
}

/** The Addon object of a cluster's addon; made where it is not there. */
async function ensureAddon(
  d: Deps,
  cluster: Cluster,
  wanted: { name: string; version?: string | undefined },
): Promise<Addon> {
  const name = `${cluster.metadata.name}-${wanted.name}`;
  const known = d.addonsOf(cluster).find((a) => a.metadata.name === name);
  if (known) return known;
  const namespace = cluster.metadata.namespace!;
  try {
    return await d.client.create<Addon>(ADDONS, {
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
  } catch (e) {
    if (!(e instanceof KubeError && e.isAlreadyExists)) throw e;
    const live = await d.client.get<Addon>(ADDONS, { namespace, name });
    if (!live) throw e;
    return live;
  }
}

async function writeAddon(d: Deps, addon: Addon, bundle: AddonBundle, digest: string): Promise<void> {
  const before = addon.status?.manager;
  let conditions = withCondition(
    before?.conditions,
    { type: 'Applied', status: 'True', reason: 'Applied', message: `bundle ${bundle.metadata.name} is applied` },
    d.now(),
  );
  conditions = withCondition(
    conditions,
    { type: 'Healthy', status: 'True', reason: 'RolledOut', message: 'its workloads run' },
    d.now(),
  );
  await d.client.patchStatusMap(ADDONS, addon, 'manager', {
    ...before,
    bundle: bundle.metadata.name,
    digest,
    conditions,
  });
}

/** Writes how the addons stand, where that is not what the Cluster says already. */
async function writeStanding(d: Deps, cluster: Cluster, standings: Standing[]): Promise<void> {
  const before = cluster.status?.addons;
  const late = standings.filter((s) => !s.healthy);
  const applied = late.every(isRollingOut);
  const first = late[0]?.problem;
  const message = late.map((s) => `${s.name}: ${s.problem?.message}`).join('; ');
  let conditions = withCondition(
    before?.conditions,
    applied
      ? {
          type: 'Applied',
          status: 'True',
          reason: 'Applied',
          message:
            standings.length === 0 ? 'no addons are asked for' : `applied: ${standings.map((s) => s.name).join(', ')}`,
        }
      : { type: 'Applied', status: 'False', reason: first!.reason, message },
    d.now(),
  );
  conditions = withCondition(
    conditions,
    // The counts of a rollout change from pass to pass; the condition keeps still until it is over.
    late.length === 0
      ? { type: 'Healthy', status: 'True', reason: 'RolledOut', message: 'all addons run' }
      : {
          type: 'Healthy',
          status: 'False',
          reason: first!.reason,
          message: applied ? `rolling out: ${late.map((s) => s.name).join(', ')}` : message,
        },
    d.now(),
  );
  const items = standings.map(({ name, version, healthy }) => ({ name, ...(version ? { version } : {}), healthy }));
  // Not as text: an API server gives the fields of an object in an order of its own.
  if (isDeepStrictEqual([before?.conditions, before?.items], [conditions, items])) return;
  d.wrote(await d.client.patchStatusMap<Cluster>(CLUSTERS, cluster, 'addons', { items, conditions }));
}

/** On the way out: what the addons made in the cloud would go first; their own objects go with the cluster's machines. */
async function leave(d: Deps, cluster: Cluster): Promise<Outcome> {
  await d.forget(cluster.metadata.uid!);
  for (const name of cluster.spec.addons.map((a) => `${cluster.metadata.uid}/${a.name}`)) d.applied.delete(name);
  if (!holds(cluster)) return undefined;
  for (const addon of d.addonsOf(cluster))
    await d.client.delete(
      ADDONS,
      { namespace: addon.metadata.namespace, name: addon.metadata.name },
      { uid: addon.metadata.uid! },
    );
  await d.client.removeFinalizer(CLUSTERS, cluster, FINALIZERS.addons);
  return undefined;
}
