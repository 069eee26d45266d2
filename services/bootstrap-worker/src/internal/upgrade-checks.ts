import { type Cluster, parseRelease } from '@shoto/api';
import { HttpProblem } from '@shoto/service';
import { z } from 'zod';
import type { Kube } from '../world.ts';
import { answerInTime } from './answer-in-time.ts';
import { type Budget, tightBudgets } from './budgets.ts';
import { metricsOfEach } from './each-api-server.ts';

/** A cluster shall go to a release: what would be in its way? */
export const UpgradeChecksRequest = z.object({ to: z.string().min(1).max(32) });

/** An API that is asked for in the cluster, and that the target no longer has. */
export interface DeprecatedApi {
  group: string;
  version: string;
  resource: string;
  subresource?: string;
  /** `1.37`. */
  removedRelease: string;
}

/** What is in the way of an upgrade, as the cluster itself tells. */
export interface UpgradeChecks {
  deprecatedApis: DeprecatedApi[];
  budgets: { namespace: string; name: string; message: string }[];
  /** How many of the API servers told what they were asked for; absent where none did. */
  apiServers?: { asked: number; of: number };
  /** Why the cluster could not be asked; then nothing is known of the others. */
  unreachable?: string;
}

const METRIC = /^apiserver_requested_deprecated_apis\{([^}]*)\}\s+(\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/**
 * APIs that were asked for since the API servers started and are gone in a minor version, each once.
 *
 * @param metrics - text of each API server's `/metrics`
 * @param minor - of the target: 36 of `v1.36.3`
 */
export function deprecatedApis(metrics: readonly string[], minor: number): DeprecatedApi[] {
  const found = metrics
    .flatMap((text) => text.split('\n'))
    .flatMap((line): DeprecatedApi[] => {
      const [, labels, value] = METRIC.exec(line) ?? [];
      if (labels === undefined || !(Number(value) > 0)) return [];
      const all = Object.fromEntries([...labels.matchAll(LABEL)].map((m) => [m[1], m[2] ?? '']));
      const { group = '', version = '', resource = '', subresource, removed_release: removedRelease = '' } = all;
      const gone = /^1\.(\d+)$/.exec(removedRelease)?.[1];
      if (gone === undefined || Number(gone) > minor) return [];
      return [{ group, version, resource, ...(subresource ? { subresource } : {}), removedRelease }];
    })
    .map((api) => [JSON.stringify(api), api] as const);
  return [...new Map(found)].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, api]) => api);
}

function budgetInWords({ metadata, status }: Budget): UpgradeChecks['budgets'][number] {
  const { namespace = '', name } = metadata;
  const { currentHealthy = 0, desiredHealthy = 0, expectedPods = 0 } = status ?? {};
  return {
    namespace,
    name,
    message: `PodDisruptionBudget ${namespace}/${name} lets none of its ${expectedPods} pods go: ${currentHealthy} are healthy and ${desiredHealthy} have to be. A drain would wait for it: add a replica, let its pods become ready, or loosen it`,
  };
}

/**
 * What is in the way of an upgrade. Each API server counts for itself what it was asked for, so each is asked; how many could be is told.
 *
 * @param client - of the workload cluster
 * @throws {HttpProblem} 422 where the target is no release
 */
export async function upgradeChecks(
  cluster: Cluster,
  body: unknown,
  client: (cluster: Cluster) => Promise<Kube>,
): Promise<UpgradeChecks> {
  const request = UpgradeChecksRequest.safeParse(body);
  const target = request.success ? parseRelease(request.data.to) : undefined;
  if (!target) throw new HttpProblem(422, 'InvalidRequest', 'to: must be the name of a release, such as v1.36.3');
  const of = cluster.spec.controlPlane.count;
  const found = await answerInTime(cluster, client, (workload, signal) =>
    Promise.all([metricsOfEach(workload, of, { signal }), tightBudgets(workload, signal)]),
  );
  if ('unreachable' in found) return { deprecatedApis: [], budgets: [], unreachable: found.unreachable };
  const [metrics, budgets] = found.answer;
  return {
    deprecatedApis: deprecatedApis(metrics, target.minor),
    budgets: budgets.map(budgetInWords),
    apiServers: { asked: metrics.length, of },
  };
}
