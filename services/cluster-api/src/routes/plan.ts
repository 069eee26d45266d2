import { ChangePlan } from '@shoto/api';
import type { FastifyInstance } from 'fastify';
import type { BootstrapClient } from '../bootstrap-client.ts';
import type { ClusterDeps } from '../clusters.ts';
import { planChange } from '../plan.ts';
import { tenantOf } from '../tenants.ts';
import { ClusterParams, ClusterSpecPatch, Problem } from './schemas.ts';
import type { InputTypes } from './types.ts';

/** What a change would do, before it is made. */
export function planRoutes(server: FastifyInstance, d: ClusterDeps, bootstrap: BootstrapClient): void {
  const app = server.withTypeProvider<InputTypes>();
  app.post(
    '/v1/tenants/:tenant/clusters/:cluster/plan',
    {
      schema: {
        tags: ['clusters'],
        summary: 'Plan a change',
        description:
          'A merge patch (RFC 7396) of the spec alone. Changes nothing; tells which machines would go and come, in which order and why, and what would stop it. What would be refused is refused here too. Parts that could not be asked are named in notes.',
        params: ClusterParams,
        consumes: ['application/merge-patch+json', 'application/json'],
        body: ClusterSpecPatch,
        response: { 200: ChangePlan, default: Problem },
      },
    },
    async (req) => {
      await tenantOf(d, req.user, req.params.tenant);
      return planChange(d, bootstrap, { tenant: req.params.tenant, name: req.params.cluster, patch: req.body });
    },
  );
}
