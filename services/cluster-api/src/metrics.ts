import type { Registry } from '@shoto/service';
import type { FastifyInstance } from 'fastify';
import { Histogram } from 'prom-client';

/** Seconds; a stream of progress may last as long as a cluster takes. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600];

/** Observes every request as `shoto_http_request_duration_seconds{method,route,status}`; the route has no names in it. */
export function timeRequests(app: FastifyInstance, registry: Registry): void {
  const histogram = new Histogram({
    name: 'shoto_http_request_duration_seconds',
    help: 'Time until a request to the REST API was answered',
    labelNames: ['method', 'route', 'status'],
    buckets: BUCKETS,
    registers: [registry],
  });
  app.addHook('onResponse', async (req, reply) => {
    histogram.observe(
      { method: req.method, route: req.routeOptions.url ?? 'none', status: reply.statusCode },
      reply.elapsedTime / 1000,
    );
  });
}
