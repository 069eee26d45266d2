import {
  type Blocker,
  type ChangePlan,
  type Cluster,
  type ClusterSpec,
  type KubernetesRelease,
  releasePath,
} from '@shoto/api';
import type { BootstrapClient, UpgradeChecks } from './bootstrap-client.ts';
import { checkCluster } from './check.ts';
import { type ClusterDeps, getCluster, mergePatch, objectOf, requireStaying } from './clusters.ts';
import { addressesShort } from './limits.ts';
import { metadataPatch } from './metadata.ts';
import { runningRelease } from './references.ts';

/**
 * What a change of a Cluster would do, and what would stop it. Judged like the change itself; then the provisioner tells which machines and
 * whether the cloud carries it, and the bootstrap-worker what in the cluster is in the way. Who does not answer is said in the notes: the rest is told.
 *
 * @param r.patch - merge patch (RFC 7396) of the spec
 * @throws {InvalidObjectError} where the change would be refused
 */
export async function planChange(
  d: ClusterDeps,
  bootstrap: BootstrapClient,
  r: { tenant: string; name: string; patch: unknown },
): Promise<ChangePlan> {
  const before = await getCluster(d, r.tenant, r.name);
  requireStaying(before);
  const patch = objectOf<object>(r.patch);
  metadataPatch(r.name, { spec: patch });
  const { spec } = checkCluster(d, { metadata: before.metadata, spec: mergePatch(before.spec, patch) }, before);
  const ref: [string, string] = [before.metadata.namespace!, r.name];
  const asking = d.provisioner?.plan(...ref, spec) ?? Promise.reject(new Error('its address is not set'));
  const told = await asking.catch((e: unknown) => {
    d.onAdviceError?.(e);
    return undefined;
  });
  const plan = told ?? withoutMachines(d, before, spec);
  const checks = await upgradeChecks(d, bootstrap, before, spec, plan);
  return {
    ...plan,
    blockers: [...plan.blockers, ...checks.blockers, ...(told ? [] : addressBlockers(d, spec))],
    notes: [...plan.notes, ...stayingPools(before, spec), ...checks.notes],
  };
}

interface Said {
  blockers: Blocker[];
  notes: string[];
}

/** The steps alone, as the releases tell them. */
function withoutMachines(d: ClusterDeps, before: Cluster, spec: ClusterSpec): ChangePlan {
  const from = runningRelease(before);
  const way = releasePath(from, spec.release, {
    releases: d.store.releases(),
    region: spec.region,
    now: d.now(),
  });
  const steps = 'steps' in way ? way.steps : [];
  return {
    from,
    to: spec.release,
    steps: steps.map((release) => ({ release, actions: [] })),
    blockers: [],
    notes: [
      "which machines it would touch, and whether the cloud's quotas carry it, is not known: the provisioner does not answer; try again",
    ],
  };
}

/** Addresses that the surge lacks, as the size of the network tells. The provisioner, which sees what is in use, knows better. */
function addressBlockers(d: ClusterDeps, spec: ClusterSpec): Blocker[] {
  const short = addressesShort(spec, d.store.region(spec.region));
  if (!short) return [];
  return [
    {
      reason: 'NoAddress',
      message: `${short.words}: ask for ${short.by} fewer, or let maxSurge be 0 and maxUnavailable 1`,
      field: 'spec.network.nodeCIDR',
    },
  ];
}

/** Pools that do not go along, since they name a release of their own. */
const stayingPools = (before: Cluster, spec: ClusterSpec): string[] =>
  spec.release === before.spec.release
    ? []
    : spec.nodePools
        .filter((p) => p.release && p.release !== spec.release)
        .map((p) => `pool ${p.name} stays on ${p.release}, its own release: shoto upgrade cluster --pool moves it`);

async function upgradeChecks(
  d: ClusterDeps,
  bootstrap: BootstrapClient,
  before: Cluster,
  spec: ClusterSpec,
  plan: ChangePlan,
): Promise<Said> {
  const upgrades = spec.release !== runningRelease(before);
  const moves = spec.nodePools.some((p) => p.release !== before.spec.nodePools.find((x) => x.name === p.name)?.release);
  const drains = plan.steps.some((s) => s.actions.some((a) => a.action === 'replace' || a.action === 'remove'));
  if (!upgrades && !moves && !drains) return { blockers: [], notes: [] };
  try {
    const to = versionOf(spec.release, d.store.release(spec.release));
    return saidOf(await bootstrap.upgradeChecks(before.metadata.namespace!, before.metadata.name, to), upgrades);
  } catch (e) {
    d.onAdviceError?.(e);
    return {
      blockers: [],
      notes: [
        'APIs in use that the new release has no more, and PodDisruptionBudgets, are not known: the bootstrap-worker does not answer; try again',
      ],
    };
  }
}

const versionOf = (name: string, release: KubernetesRelease | undefined): string =>
  release?.spec.version ?? name.split('-')[0]!;

/** What stands in the way in the cluster, in words. Pure. @param upgrades - whether the API server becomes another one */
export function saidOf(checks: UpgradeChecks, upgrades: boolean): Said {
  const apis = upgrades ? checks.deprecatedApis : [];
  const { asked, of } = checks.apiServers ?? { asked: 0, of: 0 };
  return {
    blockers: [
      ...apis.map((a) => ({
        reason: 'DeprecatedAPIInUse',
        message: `${[a.resource, a.subresource].filter(Boolean).join('/')} of ${[a.group, a.version].filter(Boolean).join('/')} is in use, and Kubernetes ${a.removedRelease} has it no more: have its users (the API server's audit log names them) ask for a newer version first`,
        field: 'spec.release',
      })),
      ...checks.budgets.map((b) => ({ reason: 'DisruptionBudget', message: b.message })),
    ],
    notes: [
      ...(checks.unreachable
        ? [
            `APIs in use that the new release has no more, and PodDisruptionBudgets, are not known: the cluster does not answer (${checks.unreachable})`,
          ]
        : []),
      ...(upgrades && asked < of
        ? [
            `APIs in use that the new release has no more are known of ${asked} of ${of} API servers: each tells only what it was asked for itself, and the others could not be reached; try again`,
          ]
        : []),
    ],
  };
}
