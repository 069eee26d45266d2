import { tenantNamespace } from '@shoto/api';
import { EVENTS } from '@shoto/kube';
import type { FastifyInstance } from 'fastify';
import type { z } from 'zod';
import type { BootstrapClient } from '../bootstrap-client.ts';
import { type ClusterDeps, getCluster } from '../clusters.ts';
import { eventsOf, type StoredEvent } from '../events.ts';
import { ProblemError } from '../problem.ts';
import { type Progress, progressOf } from '../progress.ts';
import { tenantOf } from '../tenants.ts';
import { ClusterParams, EventList, KubeconfigAnswer, KubeconfigRequest, Problem, ProgressObject } from './schemas.ts';
import type { InputTypes } from './types.ts';

const HEARTBEAT_MS = 15_000;

/** What goes on in a cluster: progress, events, and the way in. */
export function lifeRoutes(server: FastifyInstance, d: ClusterDeps, bootstrap: BootstrapClient): void {
  const app = server.withTypeProvider<InputTypes>();
  const tags = ['clusters'];
  app.get(
    '/v1/tenants/:tenant/clusters/:cluster/progress',
    {
      schema: {
        tags,
        summary: 'Follow a cluster',
        description:
          'JSON, or with Accept: text/event-stream a stream of `progress` events, one a change, that ends with `gone` when the cluster is gone.',
        params: ClusterParams,
        response: { 200: ProgressObject, default: Problem },
      },
    },
    async (req, reply) => {
      await tenantOf(d, req.user, req.params.tenant);
      const { tenant, cluster: name } = req.params;
      const namespace = tenantNamespace(tenant);
      const live = await getCluster(d, tenant, name);
      if (!req.headers.accept?.includes('text/event-stream')) return progressOf(live, d.store.machinesOf(live));
      // The memory may not hold the cluster yet that a moment ago was made: only one that was seen there can be gone.
      let seen = false;
      const current = (): Progress | undefined => {
        const cluster = d.store.cluster(namespace, name);
        // Another cluster of that name is not the one that is followed.
        if (cluster?.metadata.uid !== live.metadata.uid) return undefined;
        seen = true;
        return progressOf(cluster!, d.store.machinesOf(cluster!));
      };
      reply.hijack();
      const stream = reply.raw;
      stream.writeHead(200, {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      });
      let last = JSON.stringify(progressOf(live, d.store.machinesOf(live)));
      const send = (): void => {
        const now = current();
        if (!now && !seen) return;
        const data = JSON.stringify(now ?? { cluster: name });
        if (data === last) return;
        last = data;
        stream.write(`event: ${now ? 'progress' : 'gone'}\ndata: ${data}\n\n`);
        if (!now) finish();
      };
      const off = d.store.onClusterChange(namespace, name, send);
      const heartbeat = setInterval(() => stream.write(': still here\n\n'), HEARTBEAT_MS);
      const finish = (): void => {
        clearInterval(heartbeat);
        off();
        stream.end();
      };
      req.raw.on('close', finish);
      stream.write(`event: progress\ndata: ${last}\n\n`);
      send();
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
