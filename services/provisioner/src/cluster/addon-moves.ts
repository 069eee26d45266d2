import type { AddonBundle, Cluster, ClusterSpec, Region } from '@shoto/api';
import { type AddonBlock, planAddons } from '@shoto/bundle';

/** What becomes of a cluster's addons before its control plane goes to another minor. */
export interface AddonMoves {
  /** Those that move first, in order: `cinder-csi 1.34.1 -> 1.35.2: 1.34.1 does not fit Kubernetes v1.36.3`. */
  moves: { addon: string; because: string }[];
  /** Those that have no version for it. */
  blocked: AddonBlock[];
  /** Versions after that, by addon. */
  applied: Record<string, string | undefined>;
}

/** Versions of the addons that are applied, as addon-manager says them. */
export const appliedAddons = (cluster: Cluster): Record<string, string | undefined> =>
  Object.fromEntries((cluster.status?.addons?.items ?? []).map((i) => [i.name, i.version]));

/**
 * Which addons have to move before a cluster goes from one Kubernetes version to the next, and which cannot: by the rule that addon-manager goes by. Pure.
 */
export function addonMoves(i: {
  spec: Pick<ClusterSpec, 'addons'>;
  region: Region;
  bundles: readonly AddonBundle[];
  applied: Readonly<Record<string, string | undefined>>;
  /** Kubernetes versions. */
  current: string;
  next: string;
}): AddonMoves {
  const signedOnly = i.region.spec.addons?.requireSignature === true;
  const plan = planAddons<AddonBundle>({
    wanted: i.spec.addons,
    bundles: i.bundles,
    applied: i.applied,
    current: i.current,
    next: i.next,
    refused: (b) => (signedOnly && !b.spec.signedBy ? 'it is not signed' : undefined),
  });
  const applied = { ...i.applied };
  const moves: AddonMoves['moves'] = [];
  for (const { name, action, bundle, because } of plan.addons) {
    if (!bundle || action === 'keep' || action === 'hold') continue;
    const before = applied[name];
    const { version } = bundle.spec;
    moves.push({
      addon: name,
      because: before === undefined ? `${name} ${version} is installed` : `${name} ${before} -> ${version}: ${because}`,
    });
    applied[name] = version;
  }
  return { moves, blocked: plan.blocked, applied };
}
