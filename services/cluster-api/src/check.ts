import {
  type Cluster,
  ClusterKind,
  type ClusterSpec,
  type FieldProblem,
  InvalidObjectError,
  parseObject,
  type Subject,
  tenantNamespace,
} from '@shoto/api';
import { checkCapacity } from './capacity.ts';
import { checkLimits, machinesIn } from './limits.ts';
import type { ProvisionerClient } from './provisioner-client.ts';
import { checkReferences, type Stored } from './references.ts';
import type { Store } from './store.ts';

/** What judging a Cluster needs. */
export interface CheckDeps {
  store: Pick<
    Store,
    | 'region'
    | 'regions'
    | 'release'
    | 'releases'
    | 'tenant'
    | 'clusters'
    | 'clustersIn'
    | 'machinesOf'
    | 'addonBundles'
    | 'addonRegistries'
  >;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Asked for the cloud's quotas; without it they are not asked about at the door. */
  provisioner?: ProvisionerClient | undefined;
}

/** A Cluster as it is stored. */
export type StoredCluster = Subject<ClusterSpec> & Stored;

/**
 * Checks everything at once that we know ourselves: fields, rules, references, limits.
 *
 * @param before - as it is stored, where it is changed
 * @throws {InvalidObjectError} with every problem
 */
export function checkCluster(d: CheckDeps, object: unknown, before?: StoredCluster): Cluster {
  let cluster: Cluster | undefined;
  let problems: FieldProblem[] = [];
  try {
    cluster = parseObject(ClusterKind, object, before ? { before, strict: true } : { strict: true });
  } catch (e) {
    if (!(e instanceof InvalidObjectError)) throw e;
    problems = e.problems;
  }
  const { metadata, spec: raw } = object as { metadata?: { name?: string; namespace?: string }; spec?: unknown };
  // A spec that breaks a rule can still be read: all that is wrong is told at once.
  const spec = cluster?.spec ?? ClusterKind.spec.safeParse(raw).data;
  if (spec) {
    const running = before ? d.store.machinesOf(before).map((m) => m.spec.release) : [];
    problems.push(
      ...checkReferences(spec, d.store, d.now(), before, new Set(running)),
      ...checkLimits(spec, limitsOf(d, spec, metadata), before?.spec),
    );
  }
  if (!cluster || problems.length > 0) throw new InvalidObjectError('Cluster', metadata?.name ?? '', problems);
  return cluster;
}

/** Like {@link checkCluster}, and asks for the cloud's quotas where the Cluster grows. */
export async function checkAsked(
  d: CheckDeps,
  object: unknown,
  before?: StoredCluster,
  onError?: (e: unknown) => void,
): Promise<Cluster> {
  const cluster = checkCluster(d, object, before);
  const problems = await checkCapacity(d.provisioner, cluster.spec, before?.spec, onError);
  if (problems.length > 0) throw new InvalidObjectError('Cluster', cluster.metadata.name, problems);
  return cluster;
}

function limitsOf(d: CheckDeps, spec: ClusterSpec, own: { name?: string; namespace?: string } = {}) {
  const others = (clusters: Cluster[]): number =>
    clusters
      .filter((c) => c.metadata.name !== own.name || c.metadata.namespace !== own.namespace)
      .reduce((n, c) => n + machinesIn(c.spec), 0);
  const prefix = tenantNamespace('');
  const tenant = own.namespace?.startsWith(prefix) ? own.namespace.slice(prefix.length) : undefined;
  return {
    region: d.store.region(spec.region),
    tenant: tenant === undefined ? undefined : d.store.tenant(tenant),
    elsewhere: {
      region: others(d.store.clustersIn(spec.region)),
      tenant: own.namespace ? others(d.store.clusters(own.namespace)) : 0,
    },
  };
}
