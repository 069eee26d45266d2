import { type Cluster, compareReleases, type KubernetesRelease, type Machine } from '@shoto/api';
import { CONFIGMAPS, type HasMeta } from '@shoto/kube';
import { parse, stringify } from 'yaml';
import { type Mapping, merge, parseOverride } from '../kubeadm/merge.ts';
import type { Kube } from '../world.ts';
import { applyKubeadmRoles } from './kubeadm-roles.ts';

/** What is needed for a join to another release, and is not as kubeadm left it. The message says what, and what to do. */
export class ConfigError extends Error {}

interface ConfigMap extends HasMeta {
  data?: Record<string, string>;
}

/** Where kubeadm keeps what joining machines read. */
const KUBEADM = { name: 'kubeadm-config', key: 'ClusterConfiguration' };
const KUBELET = { name: 'kubelet-config', key: 'kubelet' };

/** Reads a document in a ConfigMap. @throws {ConfigError} */
export function documentOf(map: ConfigMap, key: string): Mapping {
  const text = map.data?.[key];
  let parsed: unknown;
  try {
    parsed = text === undefined ? undefined : parse(text);
  } catch {
    parsed = undefined;
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new ConfigError(
      `ConfigMap kube-system/${map.metadata.name} has no readable ${key}: put it right, as kubeadm config print init-defaults shows it`,
    );
  return parsed as Mapping;
}

const mapping = (v: unknown): Mapping =>
  typeof v === 'object' && v !== null && !Array.isArray(v) ? (v as Mapping) : {};
const list = (v: unknown): unknown[] => (Array.isArray(v) ? v : []);

/**
 * The ClusterConfiguration for another release. What the cluster was made with stays, whatever an override says: its name, endpoint,
 * networks, and every name in the API server's certificate.
 *
 * @throws {OverrideError}
 */
export function clusterConfigurationFor(before: Mapping, release: KubernetesRelease): Mapping {
  const { version, imageRepository, overrides } = release.spec;
  const after = merge(
    { ...before, kubernetesVersion: version, imageRepository },
    parseOverride('clusterConfiguration', overrides.clusterConfiguration),
  );
  for (const field of ['clusterName', 'controlPlaneEndpoint', 'networking'])
    if (before[field] !== undefined) after[field] = before[field];
  const names = [...new Set([before, after].flatMap((c) => list(mapping(c.apiServer).certSANs)))];
  return names.length > 0 ? { ...after, apiServer: { ...mapping(after.apiServer), certSANs: names } } : after;
}

/** The KubeletConfiguration for another release. @throws {OverrideError} */
export const kubeletConfigurationFor = (before: Mapping, release: KubernetesRelease): Mapping =>
  merge(before, parseOverride('kubeletConfiguration', release.spec.overrides.kubeletConfiguration));

/**
 * Changes a document in a ConfigMap of kube-system where it is not yet so; only over what was read.
 *
 * @returns the document's text as it is now
 * @throws {ConfigError} {@link KubeError} `isConflict` when another was quicker
 */
export async function changeDocument(
  workload: Kube,
  at: { name: string; key: string },
  change: (before: Mapping) => Mapping,
  signal?: AbortSignal,
): Promise<string> {
  const ref = { namespace: 'kube-system', name: at.name };
  const options = signal ? { signal } : {};
  const map = await workload.get<ConfigMap>(CONFIGMAPS, ref, options);
  if (!map)
    throw new ConfigError(
      `ConfigMap kube-system/${at.name} is missing: kubeadm cannot do without; restore it from a backup`,
    );
  const before = documentOf(map, at.key);
  const after = stringify(change(before), { lineWidth: 0 });
  if (after === stringify(before, { lineWidth: 0 })) return map.data?.[at.key] ?? after;
  const { resourceVersion } = map.metadata;
  const patch = { metadata: { ...(resourceVersion ? { resourceVersion } : {}) }, data: { [at.key]: after } };
  await workload.mergePatch(CONFIGMAPS, ref, patch, options);
  return after;
}

/**
 * Brings what joining machines need in the cluster to a release: kubeadm takes the version that it installs from there. Safe to repeat,
 * and to turn back as long as no control-plane machine of a newer release has joined.
 *
 * @throws {ConfigError} {@link OverrideError} {@link KubeError}
 */
export async function writeKubeadmConfig(
  workload: Kube,
  release: KubernetesRelease,
  signal?: AbortSignal,
): Promise<void> {
  await applyKubeadmRoles(workload, signal);
  await changeDocument(workload, KUBEADM, (before) => clusterConfigurationFor(before, release), signal);
  await changeDocument(workload, KUBELET, (before) => kubeletConfigurationFor(before, release), signal);
}

/** Newest of these releases; undefined where there is none. */
const newestOf = (releases: readonly string[]): string | undefined =>
  [...releases].sort((a, b) => compareReleases(b, a))[0];

/** Newest release that a control-plane machine of the cluster has joined with: the control plane has no way back behind it. */
export function newestJoined(cluster: Cluster, machines: Iterable<Machine>): string | undefined {
  const joined = [...machines]
    .filter((m) => m.spec.role === 'control-plane' && m.status?.bootstrap.joinedAt)
    .map((m) => m.spec.release);
  const { release } = cluster.status?.infrastructure ?? {};
  return newestOf(release ? [...joined, release] : joined);
}

/** Release that the cluster's kubeadm configuration is written for. Where that was never said no other one has come after the first. */
export function configReleaseOf(cluster: Cluster, machines: Iterable<Machine>): string | undefined {
  return cluster.status?.controlPlane.configRelease ?? newestJoined(cluster, machines);
}
