import {
  type Addon,
  type AddonBundle,
  type Cluster,
  findCondition,
  type KubernetesRelease,
  type Region,
  releasePath,
} from '@shoto/api';
import { type AddonsPlan, planAddons } from '@shoto/bundle';
import { WaitingError } from '@shoto/reconciler';

/** What the provisioner says on a Cluster while the next step of an upgrade waits for its addons. */
export const WAITS_FOR_US = 'WaitingForAddonBundles';

/** Where a cluster stands on its way, as far as addons go by it. */
export interface Way {
  current: KubernetesRelease;
  /** The next release of the way; undefined where it is there, or none leads on. */
  next: KubernetesRelease | undefined;
  /** Machines are being replaced: what is applied stays as it is. */
  rolling: boolean;
}

/**
 * Where a cluster stands: the release that its control plane runs, and the next one on the way to what is asked for. Between two steps of an upgrade
 * machines are still to be replaced, but the provisioner says that it waits for the addons: then nothing is rolling.
 *
 * @param releases - all that there are
 * @param now - milliseconds since the epoch
 * @throws {WaitingError} `ReleaseMissing`
 */
export function wayOf(cluster: Cluster, releases: readonly KubernetesRelease[], now: number): Way {
  const infra = cluster.status?.infrastructure;
  const at = infra?.release ?? cluster.spec.release;
  const named = (name: string) => releases.find((r) => r.metadata.name === name);
  const current = named(at);
  if (!current) throw new WaitingError('ReleaseMissing', `release ${at} is not there`, 10_000);
  const path = releasePath(at, cluster.spec.release, { releases, region: cluster.spec.region, now });
  const next = 'steps' in path && path.steps[0] ? named(path.steps[0]) : undefined;
  const waitsForUs = findCondition(infra?.conditions, 'UpToDate')?.reason === WAITS_FOR_US;
  return { current, next, rolling: infra?.rollout !== undefined && !waitsForUs };
}

/** What a plan is made from. */
export interface PlanInput {
  cluster: Cluster;
  way: Way;
  bundles: readonly AddonBundle[];
  /** The Addons of the cluster. */
  addons: readonly Addon[];
  region: Region | undefined;
  /** Whether an addon's bundle failed here, as it would be applied now. */
  failed: (bundle: AddonBundle) => string | undefined;
}

/** The version that an Addon says is applied. */
export function appliedVersion(addon: Addon | undefined, bundles: readonly AddonBundle[]): string | undefined {
  const manager = addon?.status?.manager;
  return manager?.version ?? bundles.find((b) => b.metadata.name === manager?.bundle)?.spec.version;
}

/** What a cluster's addons should be. Pure. */
export function planOf(i: PlanInput): AddonsPlan<AddonBundle> {
  const { cluster, way, region } = i;
  const signedOnly = region?.spec.addons?.requireSignature === true;
  return planAddons<AddonBundle>({
    wanted: cluster.spec.addons,
    bundles: i.bundles,
    applied: Object.fromEntries(i.addons.map((a) => [a.spec.addon, appliedVersion(a, i.bundles)])),
    current: way.current.spec.version,
    next: way.next?.spec.version,
    refused: (bundle) =>
      signedOnly && bundle.spec.signedBy === undefined
        ? `it is not signed, and region ${cluster.spec.region} takes signed bundles only`
        : i.failed(bundle),
  });
}
