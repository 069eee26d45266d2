import { type AddonRegistry, API_VERSION, parseObject, type Region, type Tenant, TenantKind } from '@shoto/api';
import type { FastifyInstance } from 'fastify';
import { ADMINS, mayUse, requireAdmin, type User } from '../auth/access.ts';
import type { ClusterDeps } from '../clusters.ts';
import { ProblemError } from '../problem.ts';
import { TYPES } from '../store.ts';
import { ensureNamespace, tenantOf } from '../tenants.ts';
import { slim } from './clusters.ts';
import {
  AddonBundleList,
  AddonBundleObject,
  AddonRegistryList,
  AddonRegistryObject,
  NameParams,
  Problem,
  RegionList,
  RegionObject,
  ReleaseList,
  ReleaseObject,
  TemplateList,
  TemplateObject,
  TenantCreate,
  TenantList,
  TenantObject,
} from './schemas.ts';
import type { InputTypes } from './types.ts';

interface Named {
  metadata: { name: string };
}

const sorted = <T extends Named>(items: T[]): T[] =>
  items.map(slim).sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));

/** Where credentials lie is nobody's business but an administrator's. */
function shownTo(user: User, region: Region): Named & { spec: object } {
  if (user.groups.includes(ADMINS)) return region;
  const { openstack: _, ...spec } = region.spec;
  return { ...region, spec };
}

function withoutCredentials(registry: AddonRegistry): Named & { spec: object } {
  const { credentialsSecretRef: _, ...spec } = registry.spec;
  return { ...registry, spec };
}

/** What there is to choose from: addons and their registries, regions, releases, templates, tenants. Small lists, answered from memory. */
export function catalogueRoutes(server: FastifyInstance, d: ClusterDeps): void {
  const app = server.withTypeProvider<InputTypes>();
  const tags = ['catalogue'];
  const kinds = [
    {
      one: 'region',
      list: RegionList,
      object: RegionObject,
      all: (user: User): Named[] => d.store.regions().map((r) => shownTo(user, r)),
    },
    { one: 'release', list: ReleaseList, object: ReleaseObject, all: (): Named[] => d.store.releases() },
    { one: 'template', list: TemplateList, object: TemplateObject, all: (): Named[] => d.store.templates() },
    {
      one: 'addonbundle',
      list: AddonBundleList,
      object: AddonBundleObject,
      all: (): Named[] => d.store.addonBundles(),
    },
    {
      one: 'addonregistry',
      many: 'addonregistries',
      list: AddonRegistryList,
      object: AddonRegistryObject,
      all: (): Named[] => d.store.addonRegistries().map(withoutCredentials),
    },
  ];
  for (const { one, many = `${one}s`, list, object, all } of kinds) {
    app.get(
      `/v1/${many}`,
      { schema: { tags, summary: `List ${many}`, response: { 200: list, default: Problem } } },
      async (req) => ({ items: sorted(all(req.user)) }),
    );
    app.get(
      `/v1/${many}/:name`,
      { schema: { tags, summary: `Read a ${one}`, params: NameParams, response: { 200: object, default: Problem } } },
      async (req) => {
        const items = sorted(all(req.user));
        const found = items.find((i) => i.metadata.name === req.params.name);
        if (found) return found;
        const names = items.map((i) => i.metadata.name).join(', ');
        throw new ProblemError(
          404,
          'NotFound',
          `${one} ${req.params.name} does not exist: ${names ? `there are ${names}` : 'there is none'}`,
        );
      },
    );
  }
  app.get(
    '/v1/tenants',
    { schema: { tags, summary: 'List your tenants', response: { 200: TenantList, default: Problem } } },
    async (req) => ({ items: sorted(d.store.tenants().filter((t) => mayUse(req.user, t.metadata.name))) }),
  );
  app.get(
    '/v1/tenants/:name',
    {
      schema: {
        tags,
        summary: 'Read a tenant of yours',
        params: NameParams,
        response: { 200: TenantObject, default: Problem },
      },
    },
    async (req) => slim(await tenantOf(d, req.user, req.params.name)),
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
