import { createHash } from 'node:crypto';
import {
  API_VERSION,
  type Cluster,
  ClusterKind,
  type ClusterSpec,
  FINALIZERS,
  type FieldProblem,
  InvalidObjectError,
  parseObject,
  type Subject,
  tenantNamespace,
} from '@shoto/api';
import { type KubeClient, KubeError } from '@shoto/kube';
import { ProblemError } from './problem.ts';
import { checkReferences } from './references.ts';
import { resolveTemplate } from './resolve.ts';
import { type Store, TYPES } from './store.ts';
import { ensureNamespace } from './tenants.ts';

/** Annotation that remembers the request that made a Cluster, so that the same request again is the same answer. */
const IDEMPOTENCY = 'shoto.dev/idempotency';

/** What the rules of clusters need. */
export interface ClusterDeps {
  client: KubeClient;
  store: Store;
  /** Milliseconds since the epoch. */
  now: () => number;
}

/** A request to make a Cluster. */
export interface CreateRequest {
  tenant: string;
  body: unknown;
  /** Name of a ClusterTemplate; that of the body's spec, or `default` where it exists, if absent. */
  template?: string | undefined;
  dryRun: boolean;
  idempotencyKey?: string | undefined;
}

interface Body {
  apiVersion?: unknown;
  kind?: unknown;
  metadata?: {
    name?: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  spec?: unknown;
}

/**
 * Checks everything at once: fields, rules and references.
 *
 * @throws {InvalidObjectError} with every problem
 */
export function checkCluster(
  d: Pick<ClusterDeps, 'store' | 'now'>,
  object: unknown,
  before?: Subject<ClusterSpec>,
): Cluster {
  const cluster = parseObject(ClusterKind, object, before ? { before, strict: true } : { strict: true });
  const problems = checkReferences(cluster.spec, d.store, d.now(), before?.spec);
  if (problems.length > 0) throw new InvalidObjectError('Cluster', cluster.metadata.name, problems);
  return cluster;
}

/** Makes a Cluster; nothing half-made stays behind when it is refused. */
export async function createCluster(d: ClusterDeps, r: CreateRequest): Promise<{ cluster: Cluster; created: boolean }> {
  const tenant = d.store.tenant(r.tenant);
  if (!tenant) throw unknownTenant(d.store, r.tenant);
  const body = (typeof r.body === 'object' && r.body !== null ? r.body : {}) as Body;
  const namespace = tenantNamespace(r.tenant);
  if (body.metadata?.namespace && body.metadata.namespace !== namespace)
    throw new ProblemError(
      422,
      'Invalid',
      `metadata.namespace: ${body.metadata.namespace} is not that of tenant ${r.tenant}`,
      [{ field: 'metadata.namespace', message: `must be ${namespace}, or left out` }],
    );
  const spec = resolveTemplate(
    body.spec,
    templateFor(d.store, r.template ?? (body.spec as { template?: string } | undefined)?.template),
  );
  const digest = r.idempotencyKey
    ? createHash('sha256')
        .update(`${r.idempotencyKey}\n${JSON.stringify(r.body)}`)
        .digest('hex')
    : undefined;
  const cluster = checkCluster(d, {
    ...body,
    metadata: {
      name: body.metadata?.name,
      namespace,
      ...(body.metadata?.labels ? { labels: body.metadata.labels } : {}),
      ...(body.metadata?.annotations || digest
        ? { annotations: { ...body.metadata?.annotations, ...(digest ? { [IDEMPOTENCY]: digest } : {}) } }
        : {}),
      // All finalizers are there from birth: what a service makes can never outlive the Cluster unseen.
      finalizers: [FINALIZERS.addons, FINALIZERS.infrastructure, FINALIZERS.secrets],
    },
    spec,
  });
  const stored = {
    apiVersion: API_VERSION,
    kind: cluster.kind,
    metadata: cluster.metadata,
    spec: cluster.spec,
  } as Cluster;
  const create = () => d.client.create<Cluster>(TYPES.clusters, stored, { dryRun: r.dryRun });
  try {
    return { cluster: await create(), created: true };
  } catch (e) {
    if (!(e instanceof KubeError)) throw e;
    if (e.isNotFound && !r.dryRun) {
      await ensureNamespace(d.client, tenant);
      return { cluster: await create(), created: true };
    }
    if (!e.isAlreadyExists) throw e;
    const there = await d.client.get<Cluster>(TYPES.clusters, { namespace, name: cluster.metadata.name });
    if (there && digest && there.metadata.annotations?.[IDEMPOTENCY] === digest)
      return { cluster: there, created: false };
    throw new ProblemError(
      409,
      'AlreadyExists',
      there?.metadata.deletionTimestamp
        ? `cluster ${cluster.metadata.name} of tenant ${r.tenant} is being deleted: wait until it is gone, or choose another name`
        : `tenant ${r.tenant} has a cluster ${cluster.metadata.name} already: choose another name`,
      [{ field: 'metadata.name', message: `${JSON.stringify(cluster.metadata.name)} is taken` }],
    );
  }
}

/** Reads a Cluster of a tenant, live. */
export async function getCluster(d: ClusterDeps, tenant: string, name: string): Promise<Cluster> {
  const cluster = await d.client.get<Cluster>(TYPES.clusters, { namespace: tenantNamespace(tenant), name });
  if (!cluster) throw new ProblemError(404, 'NotFound', `tenant ${tenant} has no cluster ${name}`);
  return cluster;
}

/** Deep merge of RFC 7396. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const out: Record<string, unknown> =
    typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [k, v] of Object.entries(patch)) {
    if (v === null) delete out[k];
    else out[k] = mergePatch(out[k], v);
  }
  return out;
}

/** Changes a Cluster's spec and labels by a merge patch (RFC 7396). */
export async function patchCluster(
  d: ClusterDeps,
  r: { tenant: string; name: string; patch: unknown; ifMatch?: string | undefined; dryRun: boolean },
): Promise<Cluster> {
  const before = await getCluster(d, r.tenant, r.name);
  requireMatch(before, r.ifMatch);
  if (before.metadata.deletionTimestamp)
    throw new ProblemError(409, 'BeingDeleted', `cluster ${r.name} is being deleted: it cannot be changed any more`);
  const patch = (typeof r.patch === 'object' && r.patch !== null ? r.patch : {}) as {
    metadata?: { labels?: unknown };
    spec?: unknown;
  };
  const foreign: FieldProblem[] = Object.keys(patch)
    .filter((k) => k !== 'spec' && k !== 'metadata')
    .map((field) => ({ field, reason: 'Forbidden', message: 'only spec and metadata.labels may be changed' }));
  foreign.push(
    ...Object.keys(patch.metadata ?? {})
      .filter((k) => k !== 'labels')
      .map((k) => ({
        field: `metadata.${k}`,
        reason: 'Forbidden' as const,
        message: 'only spec and metadata.labels may be changed',
      })),
  );
  if (foreign.length > 0) throw new InvalidObjectError('Cluster', r.name, foreign);
  const wanted = { metadata: before.metadata, spec: mergePatch(before.spec, patch.spec ?? {}) };
  checkCluster(d, wanted, before);
  return d.client.mergePatch<Cluster>(
    TYPES.clusters,
    { namespace: before.metadata.namespace, name: r.name },
    {
      // The revision makes what was checked and what is stored the same thing.
      metadata: {
        resourceVersion: before.metadata.resourceVersion,
        ...(patch.metadata?.labels !== undefined ? { labels: patch.metadata.labels } : {}),
      },
      ...(patch.spec === undefined ? {} : { spec: patch.spec }),
    },
    { dryRun: r.dryRun },
  );
}

/** Asks for a Cluster to go. Safe to repeat; the answer is the Cluster as it leaves. */
export async function deleteCluster(
  d: ClusterDeps,
  r: { tenant: string; name: string; ifMatch?: string | undefined; dryRun: boolean },
): Promise<Cluster> {
  const cluster = await getCluster(d, r.tenant, r.name);
  requireMatch(cluster, r.ifMatch);
  if (r.dryRun || cluster.metadata.deletionTimestamp) return cluster;
  await d.client.delete(
    TYPES.clusters,
    { namespace: cluster.metadata.namespace, name: r.name },
    { uid: cluster.metadata.uid! },
  );
  return (
    (await d.client.get<Cluster>(TYPES.clusters, { namespace: cluster.metadata.namespace, name: r.name })) ?? cluster
  );
}

/** The ETag of an object: its resourceVersion. */
export const etagOf = (o: { metadata: { resourceVersion?: string } }): string => `"${o.metadata.resourceVersion}"`;

function requireMatch(cluster: Cluster, ifMatch: string | undefined): void {
  if (!ifMatch || ifMatch === '*' || ifMatch.split(',').some((t) => t.trim() === etagOf(cluster))) return;
  throw new ProblemError(
    412,
    'Changed',
    `cluster ${cluster.metadata.name} was changed in the meantime (it is at ${etagOf(cluster)}): read it again and repeat`,
  );
}

function templateFor(store: Store, asked: string | undefined) {
  const name = asked ?? 'default';
  const found = store.template(name);
  if (found) return { name, spec: found.spec };
  if (asked === undefined) return undefined;
  const names = store
    .templates()
    .map((t) => t.metadata.name)
    .sort();
  throw new ProblemError(422, 'Invalid', `spec.template: template ${JSON.stringify(asked)} does not exist`, [
    {
      field: 'spec.template',
      message: `template ${JSON.stringify(asked)} does not exist: ${names.length > 0 ? `choose one of ${names.join(', ')}` : 'there is none'}`,
    },
  ]);
}

function unknownTenant(store: Store, name: string): ProblemError {
  return new ProblemError(
    404,
    'NotFound',
    `tenant ${name} does not exist${store.tenants().length > 0 ? '' : '; there is none yet'}: ask an administrator`,
  );
}
