import { type Cluster, type Machine, tenantNamespace } from '@shoto/api';
import type { FastifyInstance, FastifyReply } from 'fastify';
import {
  type ClusterDeps,
  createCluster,
  deleteCluster,
  etagOf,
  getCluster,
  holdsEtag,
  patchCluster,
} from '../clusters.ts';
import { INTERNAL } from '../idempotency.ts';
import { TYPES } from '../store.ts';
import { tenantOf } from '../tenants.ts';
import { warningHeaders, warningsOf } from '../warnings.ts';
import {
  ClusterCreate,
  ClusterList,
  ClusterObject,
  ClusterParams,
  ClusterPatch,
  CreateQuery,
  DryRun,
  IdempotencyKey,
  IfMatch,
  IfNoneMatch,
  ListQuery,
  MachineList,
  Problem,
  TenantParams,
} from './schemas.ts';
import type { InputTypes } from './types.ts';

const tags = ['clusters'];
const one = { 200: ClusterObject, default: Problem };

/** Clusters and their machines. */
export function clusterRoutes(server: FastifyInstance, d: ClusterDeps): void {
  const app = server.withTypeProvider<InputTypes>();
  const answer = (reply: FastifyReply, cluster: Cluster, status = 200) =>
    // What was not stored (a dry run) has no revision to match.
    (cluster.metadata.resourceVersion ? reply.header('etag', etagOf(cluster)) : reply)
      .status(status)
      .send(slim(cluster));

  app.get(
    '/v1/tenants/:tenant/clusters',
    {
      schema: {
        tags,
        summary: 'List clusters',
        params: TenantParams,
        querystring: ListQuery,
        response: { 200: ClusterList, default: Problem },
      },
    },
    async (req) => {
      await tenantOf(d, req.user, req.params.tenant);
      return page(
        await d.client.list<Cluster>(TYPES.clusters, {
          namespace: tenantNamespace(req.params.tenant),
          limit: 500,
          ...defined(req.query),
        }),
      );
    },
  );
  app.post(
    '/v1/tenants/:tenant/clusters',
    {
      schema: {
        tags,
        summary: 'Make a cluster',
        description:
          'Answers 201 with the cluster as it is stored, template resolved. The same Idempotency-Key with the same body again answers 200 with what the first call made.',
        params: TenantParams,
        querystring: CreateQuery,
        headers: IdempotencyKey,
        body: ClusterCreate,
        response: { 200: ClusterObject, 201: ClusterObject, default: Problem },
      },
    },
    async (req, reply) => {
      const tenant = await tenantOf(d, req.user, req.params.tenant);
      const dryRun = req.query.dryRun ?? false;
      const { cluster, created } = await createCluster(d, {
        tenant,
        user: req.user.name,
        body: req.body,
        template: req.query.template,
        dryRun,
        idempotencyKey: req.headers['idempotency-key'],
      });
      req.log.info(
        { cluster: cluster.metadata.name, tenant: req.params.tenant, user: req.user.name, dryRun, created },
        'cluster asked for',
      );
      reply.header('warning', warningHeaders(warningsOf(cluster.spec)));
      return answer(reply, cluster, created && !dryRun ? 201 : 200);
    },
  );
  app.get(
    '/v1/tenants/:tenant/clusters/:cluster',
    { schema: { tags, summary: 'Read a cluster', params: ClusterParams, headers: IfNoneMatch, response: one } },
    async (req, reply) => {
      await tenantOf(d, req.user, req.params.tenant);
      const cluster = await getCluster(d, req.params.tenant, req.params.cluster);
      const known = req.headers['if-none-match'];
      if (known !== undefined && holdsEtag(known, cluster))
        return reply.status(304).header('etag', etagOf(cluster)).send();
      return answer(reply, cluster);
    },
  );
  app.patch(
    '/v1/tenants/:tenant/clusters/:cluster',
    {
      schema: {
        tags,
        summary: 'Change a cluster',
        description:
          'A merge patch (RFC 7396) of spec and metadata.labels. If-Match with the ETag refuses what was changed in the meantime.',
        params: ClusterParams,
        querystring: DryRun,
        headers: IfMatch,
        consumes: ['application/merge-patch+json', 'application/json'],
        body: ClusterPatch,
        response: one,
      },
    },
    async (req, reply) => {
      await tenantOf(d, req.user, req.params.tenant);
      const cluster = await patchCluster(d, {
        tenant: req.params.tenant,
        name: req.params.cluster,
        patch: req.body,
        ifMatch: req.headers['if-match'],
        dryRun: req.query.dryRun ?? false,
      });
      req.log.info(
        { cluster: cluster.metadata.name, tenant: req.params.tenant, user: req.user.name },
        'cluster changed',
      );
      reply.header('warning', warningHeaders(warningsOf(cluster.spec)));
      return answer(reply, cluster);
    },
  );
  app.delete(
    '/v1/tenants/:tenant/clusters/:cluster',
    {
      schema: {
        tags,
        summary: 'Delete a cluster',
        description: 'Answers 202: it is gone when reading it answers 404. A dry run answers 200.',
        params: ClusterParams,
        querystring: DryRun,
        headers: IfMatch,
        response: { 200: ClusterObject, 202: ClusterObject, default: Problem },
      },
    },
    async (req, reply) => {
      await tenantOf(d, req.user, req.params.tenant);
      const cluster = await deleteCluster(d, {
        tenant: req.params.tenant,
        name: req.params.cluster,
        ifMatch: req.headers['if-match'],
        dryRun: req.query.dryRun ?? false,
      });
      req.log.info(
        { cluster: cluster.metadata.name, tenant: req.params.tenant, user: req.user.name },
        'cluster to be deleted',
      );
      return answer(reply, cluster, req.query.dryRun ? 200 : 202);
    },
  );
  app.get(
    '/v1/tenants/:tenant/clusters/:cluster/machines',
    {
      schema: {
        tags,
        summary: 'List the machines of a cluster',
        params: ClusterParams,
        querystring: ListQuery,
        response: { 200: MachineList, default: Problem },
      },
    },
    async (req) => {
      await tenantOf(d, req.user, req.params.tenant);
      const cluster = await getCluster(d, req.params.tenant, req.params.cluster);
      const own = `shoto.dev/cluster=${cluster.metadata.name}`;
      const { labelSelector, ...query } = defined(req.query);
      return page(
        await d.client.list<Machine>(TYPES.machines, {
          namespace: tenantNamespace(req.params.tenant),
          limit: 500,
          ...query,
          labelSelector: labelSelector ? `${own},${labelSelector}` : own,
        }),
      );
    },
  );
}

/** A page of a list in our form. */
export const page = <T extends { metadata: object }>(p: { items: T[]; metadata: { continue?: string } }) => ({
  items: p.items.map(slim),
  ...(p.metadata.continue ? { continue: p.metadata.continue } : {}),
});

/** An object without what only the API server needs. */
export function slim<T extends { metadata: object }>(o: T): T {
  const { managedFields: _, labels, annotations, ...metadata } = o.metadata as Slimmed;
  const kept = { labels: withoutInternal(labels), annotations: withoutInternal(annotations) };
  return { ...o, metadata: { ...metadata, ...defined(kept) } };
}

interface Slimmed {
  managedFields?: unknown;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

function withoutInternal(map: Record<string, string> | undefined): Record<string, string> | undefined {
  const kept = Object.entries(map ?? {}).filter(([k]) => !INTERNAL.includes(k));
  return kept.length > 0 ? Object.fromEntries(kept) : undefined;
}

/** The given values only, so that they fit optional properties. */
const defined = <T extends object>(o: T): { [K in keyof T]?: NonNullable<T[K]> } =>
  Object.fromEntries(Object.entries(o).filter(([, v]) => v !== undefined)) as { [K in keyof T]?: NonNullable<T[K]> };
