import { API_VERSION, type Cluster, FINALIZERS, type Tenant, tenantNamespace } from '@shoto/api';
import { type KubeClient, KubeError } from '@shoto/kube';
import { checkAsked } from './check.ts';
import { madeBefore, marksOf } from './idempotency.ts';
import { checkMetadata, metadataPatch } from './metadata.ts';
import { ProblemError } from './problem.ts';
import type { ProvisionerClient } from './provisioner-client.ts';
import { resolveTemplate } from './resolve.ts';
import { type Store, TYPES } from './store.ts';
import { ensureNamespace } from './tenants.ts';

/** What the rules of clusters need. */
export interface ClusterDeps {
  client: KubeClient;
  store: Store;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Namespace of the fleet's emergency stop. */
  systemNamespace: string;
  /** Absent where its address is not set: then there are no plans of machines, and no advice about quotas. */
  provisioner?: ProvisionerClient | undefined;
  /** Told what went wrong while something was asked that is advice only. */
  onAdviceError?: ((e: unknown) => void) | undefined;
}

/** A request to make a Cluster. */
export interface CreateRequest {
  tenant: Tenant;
  /** Who asks; an idempotency key is good for one user only. */
  user: string;
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

/** Makes a Cluster; nothing half-made stays behind when it is refused. */
export async function createCluster(d: ClusterDeps, r: CreateRequest): Promise<{ cluster: Cluster; created: boolean }> {
  const tenant = r.tenant.metadata.name;
  const namespace = tenantNamespace(tenant);
  const once =
    r.idempotencyKey && !r.dryRun
      ? marksOf(r.user, r.idempotencyKey, { template: r.template, body: r.body })
      : undefined;
  // Before any check: what was once accepted is answered so, whatever the catalogue says by now.
  const before = once && (await madeBefore(d.client, tenant, once));
  if (before) return { cluster: before, created: false };
  const body = objectOf<Body>(r.body);
  checkMetadata(body.metadata, namespace);
  const spec = resolveTemplate(
    body.spec,
    templateFor(d.store, r.template ?? (body.spec as { template?: string } | undefined)?.template),
  );
  const labels = { ...body.metadata?.labels, ...once?.labels };
  const annotations = { ...body.metadata?.annotations, ...once?.annotations };
  const wanted = {
    ...body,
    metadata: {
      name: body.metadata?.name,
      namespace,
      ...(Object.keys(labels).length > 0 ? { labels } : {}),
      ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
      // All finalizers are there from birth: what a service makes can never outlive the Cluster unseen.
      finalizers: [FINALIZERS.addons, FINALIZERS.infrastructure, FINALIZERS.secrets],
    },
    spec,
  };
  const cluster = await checkAsked(d, wanted, undefined, d.onAdviceError);
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
    if (e.isNotFound) {
      // The tenant's namespace is not there yet. A dry run makes none: what was checked so far is the answer.
      if (r.dryRun) return { cluster: stored, created: true };
      await ensureNamespace(d.client, r.tenant);
      return { cluster: await create(), created: true };
    }
    if (!e.isAlreadyExists) throw e;
    // Two requests with the same key may run at the same moment: the later one finds what the earlier one made.
    const twin = once && (await madeBefore(d.client, tenant, once));
    if (twin) return { cluster: twin, created: false };
    throw await nameTaken(d, tenant, cluster.metadata.name);
  }
}

async function nameTaken(d: ClusterDeps, tenant: string, name: string): Promise<ProblemError> {
  const there = await d.client.get<Cluster>(TYPES.clusters, { namespace: tenantNamespace(tenant), name });
  return new ProblemError(
    409,
    'AlreadyExists',
    there?.metadata.deletionTimestamp
      ? `cluster ${name} of tenant ${tenant} is being deleted: wait until it is gone, or choose another name`
      : `tenant ${tenant} has a cluster ${name} already: choose another name`,
    [{ field: 'metadata.name', message: `${JSON.stringify(name)} is taken: choose another name` }],
  );
}

/** @throws {ProblemError} 400 where a body is no JSON object */
export function objectOf<T extends object>(body: unknown): T {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as T;
  throw new ProblemError(
    400,
    'BadRequest',
    `the body must be a JSON object, not ${body === undefined || body === null ? 'nothing' : Array.isArray(body) ? 'a list' : JSON.stringify(body).slice(0, 80)}`,
  );
}

/** Reads a Cluster of a tenant, live. */
export async function getCluster(d: ClusterDeps, tenant: string, name: string): Promise<Cluster> {
  const cluster = await d.client.get<Cluster>(TYPES.clusters, { namespace: tenantNamespace(tenant), name });
  if (!cluster) throw new ProblemError(404, 'NotFound', `tenant ${tenant} has no cluster ${name}`);
  return cluster;
}

/** Deep merge of RFC 7396. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const out: Record<string, unknown> =
    typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [k, v] of Object.entries(patch)) {
    if (v === null) delete out[k];
    else out[k] = mergePatch(out[k], v);
  }
  return out;
}

interface PatchRequest {
  tenant: string;
  name: string;
  patch: unknown;
  ifMatch?: string | undefined;
  dryRun: boolean;
}

/** How often a change is tried again that met another one, where the asker did not say which revision it is for. */
const ATTEMPTS = 5;

/** Changes a Cluster's spec and labels by a merge patch (RFC 7396). */
export async function patchCluster(d: ClusterDeps, r: PatchRequest): Promise<Cluster> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await patchOnce(d, r);
    } catch (e) {
      // Services write status all the time: that is no reason to refuse a change of the spec.
      if (!(e instanceof KubeError && e.isConflict) || r.ifMatch || attempt === ATTEMPTS) throw e;
    }
  }
}

async function patchOnce(d: ClusterDeps, r: PatchRequest): Promise<Cluster> {
  const before = await getCluster(d, r.tenant, r.name);
  requireMatch(before, r.ifMatch);
  requireStaying(before);
  const patch = objectOf<{ metadata?: { labels?: unknown }; spec?: unknown }>(r.patch);
  const labels = metadataPatch(r.name, patch);
  const wanted = { metadata: before.metadata, spec: mergePatch(before.spec, patch.spec ?? {}) };
  await checkAsked(d, wanted, before, d.onAdviceError);
  return d.client.mergePatch<Cluster>(
    TYPES.clusters,
    { namespace: before.metadata.namespace, name: r.name },
    {
      // The revision makes what was checked and what is stored the same thing.
      metadata: { resourceVersion: before.metadata.resourceVersion, ...(labels ? { labels } : {}) },
      ...(patch.spec === undefined ? {} : { spec: patch.spec }),
    },
    { dryRun: r.dryRun },
  );
}

/** @throws {ProblemError} 409 where a Cluster is being deleted */
export function requireStaying({ metadata }: Cluster): void {
  if (metadata.deletionTimestamp)
    throw new ProblemError(
      409,
      'BeingDeleted',
      `cluster ${metadata.name} is being deleted: it cannot be changed any more`,
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

/** Whether a list of ETags, as of If-Match and If-None-Match, holds an object's; `*` holds every one. */
export const holdsEtag = (list: string, o: { metadata: { resourceVersion?: string } }): boolean =>
  list.split(',').some((t) => t.trim() === '*' || t.trim().replace(/^W\//, '') === etagOf(o));

function requireMatch(cluster: Cluster, ifMatch: string | undefined): void {
  if (!ifMatch || holdsEtag(ifMatch, cluster)) return;
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
