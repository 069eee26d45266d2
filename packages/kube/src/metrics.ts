import { Counter, type Registry } from 'prom-client';
import type { RequestEvent } from './request-event.ts';

/**
 * Counts requests as `shoto_kube_requests_total{cluster,verb,resource,code}`; code 0: no answer.
 * @param cluster - `management` or `workload`: never a name, which would make a series for each cluster
 * @returns for `onRequest` of a client
 */
export function countRequests(registry: Registry, cluster: 'management' | 'workload'): (e: RequestEvent) => void {
  const name = 'shoto_kube_requests_total';
  const known = registry.getSingleMetric(name);
  const counter =
    known instanceof Counter
      ? known
      : new Counter({
          name,
          help: 'Requests to Kubernetes APIs',
          labelNames: ['cluster', 'verb', 'resource', 'code'],
          registers: [registry],
        });
  return (e) => counter.inc({ cluster, verb: e.verb, resource: e.resource, code: e.status });
}
