import { tenantNamespace } from '@shoto/api';
import { EVENTS } from '@shoto/kube';
import { type Logger, systemClock } from '@shoto/service';
import type { FastifyInstance } from 'fastify';
import type { z } from 'zod';
import type { BootstrapClient } from '../bootstrap-client.ts';
import { type ClusterDeps, getCluster } from '../clusters.ts';
import { eventsOf, type StoredEvent } from '../events.ts';
import { LiveSteps } from '../live-steps.ts';
import { ProblemError } from '../problem.ts';
import { progressOf } from '../progress.ts';
import { tenantOf } from '../tenants.ts';
import { streamProgress } from './progress-stream.ts';
import { ClusterParams, EventList, KubeconfigAnswer, KubeconfigRequest, Problem, ProgressObject } from './schemas.ts';
import type { InputTypes } from './types.ts';

/** What goes on in a cluster: progress, events, and the way in. */
export function lifeRoutes(server: FastifyInstance, d: ClusterDeps, bootstrap: BootstrapClient, log: Logger): void {
  const live = new LiveSteps({ bootstrap, store: d.store, clock: systemClock, log });
  const app = server.withTypeProvider<InputTypes>();
  const tags = ['clusters'];
  app.get(
    '/v1/tenants/:tenant/clusters/:cluster/progress',
    {
      schema: {
        tags,
        summary: 'Follow a cluster',
        description:
          'JSON, or with Accept: text/event-stream a stream of `progress` events, one a change, that ends with `gone` when the cluster is gone. Machines that install tell their steps live.',
        params: ClusterParams,
        response: { 200: ProgressObject, default: Problem },
      },
    },
    async (req, reply) => {
      await tenantOf(d, req.user, req.params.tenant);
      const { tenant, cluster: name } = req.params;
      const cluster = await getCluster(d, tenant, name);
      if (!req.headers.accept?.includes('text/event-stream')) {
        const steps = await live.read({ namespace: tenantNamespace(tenant), name });
        return progressOf(cluster, d.store.machinesOf(cluster), steps);
      }
      reply.hijack();
      req.raw.on('close', streamProgress({ store: d.store, live, clock: systemClock }, cluster, reply.raw));
      return reply;
    },
  );
  app.get(
    '/v1/tenants/:tenant/clusters/:cluster/events',
    {
      schema: {
        tags,
        summary: 'List what happened',
        params: ClusterParams,
        response: { 200: EventList, default: Problem },
      },
    },
    async (req) => {
      await tenantOf(d, req.user, req.params.tenant);
      const cluster = await getCluster(d, req.params.tenant, req.params.cluster);
      const all = await d.client.listAll<StoredEvent>(EVENTS, { namespace: tenantNamespace(req.params.tenant) });
      return { items: eventsOf(cluster, all, d.store) };
    },
  );
  app.post(
    '/v1/tenants/:tenant/clusters/:cluster/kubeconfig',
    {
      schema: {
        tags,
        summary: 'Get a kubeconfig',
        description: 'Good for an hour where seconds is not given; every one is logged.',
        params: ClusterParams,
        body: KubeconfigRequest.optional(),
        response: { 200: KubeconfigAnswer, default: Problem },
      },
    },
    async (req) => {
      await tenantOf(d, req.user, req.params.tenant);
      const { seconds } = asked(req.body);
      const cluster = await getCluster(d, req.params.tenant, req.params.cluster);
      const made = await bootstrap.kubeconfig(cluster.metadata.namespace!, cluster.metadata.name, {
        user: req.user.name,
        groups: req.user.groups,
        seconds,
      });
      req.log.info(
        { cluster: cluster.metadata.name, tenant: req.params.tenant, user: req.user.name, expiresAt: made.expiresAt },
        'kubeconfig given',
      );
      return made;
    },
  );
}

/** @throws {ProblemError} 422 with the fields that are wrong */
function asked(body: unknown): z.output<typeof KubeconfigRequest> {
  const parsed = KubeconfigRequest.safeParse(body ?? {});
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues.map((i) => ({ field: i.path.map(String).join('.'), message: i.message }));
  throw new ProblemError(422, 'Invalid', errors.map((e) => `${e.field}: ${e.message}`).join('; '), errors);
}
