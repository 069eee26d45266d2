import type { FastifyInstance } from 'fastify';
import { addonsOf, pollRegistry, retryAddon } from '../addons.ts';
import { requireAdmin } from '../auth/access.ts';
import { type ClusterDeps, getCluster } from '../clusters.ts';
import { tenantOf } from '../tenants.ts';
import { slim } from './clusters.ts';
import {
  AddonList,
  AddonObject,
  AddonParams,
  AddonRegistryObject,
  ClusterParams,
  NameParams,
  Problem,
} from './schemas.ts';
import type { InputTypes } from './types.ts';

/** What may be asked of addons: how they stand on a cluster, another try, and a look into a registry. */
export function addonRoutes(server: FastifyInstance, d: ClusterDeps): void {
  const app = server.withTypeProvider<InputTypes>();
  const tags = ['addons'];
  app.get(
    '/v1/tenants/:tenant/clusters/:cluster/addons',
    {
      schema: {
        tags,
        summary: 'List the addons of a cluster',
        description:
          'What is applied, its health, drift and conflicts. What is wanted stands in spec.addons of the Cluster.',
        params: ClusterParams,
        response: { 200: AddonList, default: Problem },
      },
    },
    async (req) => {
      await tenantOf(d, req.user, req.params.tenant);
      const cluster = await getCluster(d, req.params.tenant, req.params.cluster);
      return { items: addonsOf(d, cluster).map(slim) };
    },
  );
  app.post(
    '/v1/tenants/:tenant/clusters/:cluster/addons/:addon/retry',
    {
      schema: {
        tags,
        summary: 'Try a failed update of an addon again',
        params: AddonParams,
        response: { 200: AddonObject, default: Problem },
      },
    },
    async (req, reply) => {
      await tenantOf(d, req.user, req.params.tenant);
      const addon = await retryAddon(d, { ...req.params, user: req.user.name });
      req.log.info({ ...req.params, user: req.user.name }, 'addon tried again');
      return reply.send(slim(addon));
    },
  );
  app.post(
    '/v1/addonregistries/:name/poll',
    {
      schema: {
        tags,
        summary: 'Look into a registry of addon bundles now',
        description: 'Needs an administrator. For the webhook of a registry, and for impatient authors.',
        params: NameParams,
        response: { 200: AddonRegistryObject, default: Problem },
      },
    },
    async (req, reply) => {
      requireAdmin(req.user, 'having a registry asked at once');
      const registry = await pollRegistry(d, { name: req.params.name, user: req.user.name });
      req.log.info({ registry: req.params.name, user: req.user.name }, 'registry is asked');
      return reply.send(slim(registry));
    },
  );
}
