import { tenantNamespace } from '@shoto/api';
import { EVENTS, type HasMeta } from '@shoto/kube';
import type { FastifyInstance } from 'fastify';
import { requireTenant } from '../auth/access.ts';
import type { BootstrapClient } from '../bootstrap-client.ts';
import { type ClusterDeps, getCluster } from '../clusters.ts';
import { type Progress, progressOf } from '../progress.ts';
import {
  ClusterParams,
  EventList,
  KubeconfigAnswer,
  KubeconfigRequest,
  ProblemSchema,
  ProgressObject,
} from './schemas.ts';
import type { InputTypes } from './types.ts';

interface StoredEvent extends HasMeta {
  eventTime?: string;
  deprecatedLastTimestamp?: string;
  deprecatedCount?: number;
  series?: { count: number; lastObservedTime: string };
  type?: string;
  reason?: string;
  note?: string;
  regarding?: { kind?: string; name?: string; uid?: string };
}

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
        response: { 200: ProgressObject, default: ProblemSchema },
      },
    },
    async (req, reply) => {
      requireTenant(req.user, req.params.tenant);
      const { tenant, cluster: name } = req.params;
      const namespace = tenantNamespace(tenant);
      const live = await getCluster(d, tenant, name);
      const current = (): Progress | undefined => {
        const cluster = d.store.cluster(namespace, name);
        return cluster ? progressOf(cluster, d.store.machinesOf(cluster)) : undefined;
      };
      if (!req.headers.accept?.includes('text/event-stream')) return progressOf(live, d.store.machinesOf(live));
      reply.hijack();
      const stream = reply.raw;
      stream.writeHead(200, {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      });
      let last = '';
      // The memory may not hold the cluster yet that a moment ago was made: only one that was seen can be gone.
      let seen = false;
      const send = (): void => {
        const now = current();
        if (!now && !seen) return;
        const data = JSON.stringify(now ?? { cluster: name });
        if (data === last) return;
        last = data;
        seen = true;
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
      stream.write(`event: progress\ndata: ${JSON.stringify(progressOf(live, d.store.machinesOf(live)))}\n\n`);
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
        response: { 200: EventList, default: ProblemSchema },
      },
    },
    async (req) => {
      requireTenant(req.user, req.params.tenant);
      const cluster = await getCluster(d, req.params.tenant, req.params.cluster);
      const machines = new Set(d.store.machinesOf(cluster).map((m) => m.metadata.uid));
      const prefix = `${cluster.metadata.name}-`;
      const all = await d.client.listAll<StoredEvent>(EVENTS, { namespace: tenantNamespace(req.params.tenant) });
      const items = all
        .filter(
          (e) =>
            e.regarding?.uid === cluster.metadata.uid ||
            machines.has(e.regarding?.uid) ||
            (e.regarding?.kind === 'Machine' && e.regarding.name?.startsWith(prefix)),
        )
        .map((e) => ({
          time:
            e.series?.lastObservedTime ??
            e.deprecatedLastTimestamp ??
            e.eventTime ??
            e.metadata.creationTimestamp ??
            '',
          type: e.type ?? 'Normal',
          reason: e.reason ?? '',
          object: `${e.regarding?.kind ?? ''}/${e.regarding?.name ?? ''}`,
          message: e.note ?? '',
          count: e.series?.count ?? e.deprecatedCount ?? 1,
        }))
        .sort((a, b) => (a.time < b.time ? -1 : 1));
      return { items };
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
        response: { 200: KubeconfigAnswer, default: ProblemSchema },
      },
    },
    async (req) => {
      requireTenant(req.user, req.params.tenant);
      const { seconds } = KubeconfigRequest.parse(req.body ?? {});
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
