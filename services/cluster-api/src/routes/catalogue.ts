import { API_VERSION, parseObject, type Tenant, TenantKind } from '@shoto/api';
import type { FastifyInstance } from 'fastify';
import { ADMINS, mayUse, requireAdmin } from '../auth/access.ts';
import type { ClusterDeps } from '../clusters.ts';
import { TYPES } from '../store.ts';
import { ensureNamespace } from '../tenants.ts';
import { slim } from './clusters.ts';
import { Problem, RegionList, ReleaseList, TemplateList, TenantCreate, TenantList, TenantObject } from './schemas.ts';
import type { InputTypes } from './types.ts';

const byName = <T extends { metadata: { name: string } }>(items: T[]) => ({
  items: items.map(slim).sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1)),
});

/** What there is to choose from: regions, releases, templates, tenants. Small lists, answered from memory. */
export function catalogueRoutes(server: FastifyInstance, d: ClusterDeps): void {
  const app = server.withTypeProvider<InputTypes>();
  const tags = ['catalogue'];
  app.get(
    '/v1/regions',
    { schema: { tags, summary: 'List regions', response: { 200: RegionList, default: Problem } } },
    async (req) => {
      const all = byName(d.store.regions());
      // Where credentials lie is nobody's business but an administrator's.
      if (req.user.groups.includes(ADMINS)) return all;
      return { items: all.items.map(({ spec: { openstack: _, ...spec }, ...r }) => ({ ...r, spec })) };
    },
  );
  app.get(
    '/v1/releases',
    { schema: { tags, summary: 'List Kubernetes releases', response: { 200: ReleaseList, default: Problem } } },
    async () => byName(d.store.releases()),
  );
  app.get(
    '/v1/templates',
    { schema: { tags, summary: 'List cluster templates', response: { 200: TemplateList, default: Problem } } },
    async () => byName(d.store.templates()),
  );
  app.get(
    '/v1/tenants',
    { schema: { tags, summary: 'List your tenants', response: { 200: TenantList, default: Problem } } },
    async (req) => byName(d.store.tenants().filter((t) => mayUse(req.user, t.metadata.name))),
  );
  app.post(
    '/v1/tenants',
    {
      schema: {
        tags,
        summary: 'Make a tenant',
        description: 'Needs an administrator. Its namespace is made with it.',
        body: TenantCreate,
        response: { 201: TenantObject, default: Problem },
      },
    },
    async (req, reply) => {
      requireAdmin(req.user, 'making a tenant');
      const wanted = parseObject(TenantKind, req.body, { strict: true });
      const tenant = await d.client.create<Tenant>(TYPES.tenants, {
        apiVersion: API_VERSION,
        kind: 'Tenant',
        metadata: { name: wanted.metadata.name },
        spec: wanted.spec,
      } as Tenant);
      await ensureNamespace(d.client, tenant);
      req.log.info({ tenant: tenant.metadata.name, user: req.user.name }, 'tenant made');
      return reply.status(201).send(slim(tenant));
    },
  );
}
