import { until } from '../../poll.ts';
import { type ClusterScene, expectThat } from '../scene.ts';

/** Jobs that ask something on every node. */
const ON_EVERY_NODE = ['kubelet', 'node-exporter'];

interface Answer {
  status: string;
  data: { result: { metric: Record<string, string>; value: [number, string] }[] };
}

/** Asks Prometheus by the way that people have: through the API server. */
async function ask<T>({ kubectl }: ClusterScene, path: string): Promise<T> {
  return JSON.parse(
    await kubectl(['get', '--raw', `/api/v1/namespaces/prometheus/services/prometheus:http/proxy/api/v1/${path}`]),
  ) as T;
}

const query = (scene: ClusterScene, promql: string): Promise<Answer> =>
  ask<Answer>(scene, `query?query=${encodeURIComponent(promql)}`);

/** `up` has every node, for its kubelet and its node-exporter, and the rules that came with the bundles are good. */
export async function monitoringAnswers(scene: ClusterScene): Promise<void> {
  await until(
    'up has every node',
    async () => {
      const { data } = await query(scene, 'up == 1');
      const missing = ON_EVERY_NODE.flatMap((job) =>
        scene.nodes
          .filter((node) => !data.result.some(({ metric }) => metric.job === job && metric.node === node))
          .map((node) => `${job} of ${node}`),
      );
      if (missing.length > 0) throw new Error(`not up: ${missing.join(', ')}`);
    },
    300_000,
    3_000,
  );
  const { data } = await query(scene, 'sum by (job) (up)');
  scene.say(`PromQL sum by (job) (up): ${data.result.map((r) => `${r.metric.job} ${r.value[1]}`).join(', ')}`);
  const rules = await until(
    'rules of the bundles',
    async () => {
      const got = await ask<{
        data: { groups: { name: string; rules: { name: string; health: string; lastError?: string }[] }[] };
      }>(scene, 'rules');
      return got.data.groups.length > 0 ? got.data.groups.flatMap((g) => g.rules) : undefined;
    },
    180_000,
    2_000,
  );
  const bad = rules.filter((r) => r.health === 'err').map((r) => `${r.name}: ${r.lastError}`);
  expectThat(bad.length === 0, `rules that fail: ${bad.join('; ')}`);
  scene.say(`${rules.length} rules came with the bundles, none fails`);
}
