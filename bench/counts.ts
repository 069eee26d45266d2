import type { KubeClient } from '@shoto/kube';
import type { System } from '@shoto/supervisor';
import { samplesOf, sumBy } from './prometheus.ts';

/** What was counted since the start, by name. */
export interface Counts {
  /** Writes to the management API as it counted them itself, by resource (`machines/status`); as the services did where it does not. */
  apiWrites: Record<string, number>;
  /** Reads (get, list, watch) of the management API, likewise. */
  apiReads: Record<string, number>;
  /** Writes to the management API as the services counted them, by service and resource. */
  ownWrites: Record<string, number>;
  /** Passes, by service and queue. */
  reconciles: Record<string, number>;
  /** Calls to the cloud, by service, method and path template. */
  cloudCalls: Record<string, number>;
}

/** Verbs of kube-apiserver and of our own client that change something. */
const WRITES = new Set(['create', 'update', 'patch', 'apply', 'delete', 'post', 'put', 'deletecollection']);
const READS = new Set(['get', 'list', 'watch']);

/** The polling of a region: asked at a fixed rate, however many machines there are. */
export const POLLING = /^nova GET .*\/servers\/detail$/;

/** Reads every counter once. The API server's scrape costs it CPU time of its own: take CPU figures apart from it. */
export async function takeCounts(system: System, management: KubeClient | undefined): Promise<Counts> {
  const [services, apiServer, cloud] = await Promise.all([
    Promise.all(
      Object.entries(system.opsUrls).map(async ([name, url]) => [name, await text(`${url}/metrics`)] as const),
    ),
    management?.raw('GET', '/metrics').then((r) => r.body),
    text(`${system.simulator!.adminUrl}/requests`).then(
      (t) =>
        (JSON.parse(t) as { requests: { service: string; method: string; path: string; count: number }[] }).requests,
    ),
  ]);
  const ofServices = (
    metric: string,
    keyOf: (service: string, labels: Record<string, string>) => string | undefined,
  ) => {
    const all: Record<string, number> = {};
    for (const [service, body] of services)
      Object.assign(
        all,
        sumBy(samplesOf(body, metric), (l) => keyOf(service, l)),
      );
    return all;
  };
  const own = (verbs: Set<string>) =>
    ofServices('shoto_kube_requests_total', (service, l) =>
      l.cluster === 'management' && verbs.has(l.verb ?? '') ? `${service} ${l.resource}` : undefined,
    );
  const counted = (verbs: Set<string>): Record<string, number> =>
    apiServer === undefined
      ? byResource(own(verbs))
      : sumBy(samplesOf(apiServer, 'apiserver_request_total'), (l) =>
          verbs.has((l.verb ?? '').toLowerCase()) && l.resource
            ? `${l.resource}${l.subresource ? `/${l.subresource}` : ''}`
            : undefined,
        );
  return {
    apiWrites: counted(WRITES),
    apiReads: counted(READS),
    ownWrites: own(WRITES),
    reconciles: ofServices('shoto_reconcile_total', (service, l) => `${service} ${l.queue}`),
    cloudCalls: Object.fromEntries(cloud.map((r) => [`${r.service} ${r.method} ${r.path}`, r.count])),
  };
}

/** `provisioner machines/status` of every service, summed as `machines/status`. */
function byResource(own: Record<string, number>): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [key, value] of Object.entries(own)) {
    const resource = key.slice(key.indexOf(' ') + 1);
    sums[resource] = (sums[resource] ?? 0) + value;
  }
  return sums;
}

/** What each service wrote so far; cheap enough to be asked every second. */
export async function writesOfServices(system: System): Promise<number> {
  const bodies = await Promise.all(Object.values(system.opsUrls).map((url) => text(`${url}/metrics`)));
  return bodies
    .flatMap((b) => samplesOf(b, 'shoto_kube_requests_total'))
    .filter((s) => WRITES.has(s.labels.verb ?? ''))
    .reduce((sum, s) => sum + s.value, 0);
}

async function text(url: string): Promise<string> {
  const answer = await fetch(url);
  const body = await answer.text();
  if (!answer.ok) throw new Error(`GET ${url} answered ${answer.status}: ${body.slice(0, 200)}`);
  return body;
}
