import { ADDON_LABEL } from '@shoto/bundle';
import { parse } from 'yaml';
import { until } from '../../poll.ts';
import { type ClusterScene, expectThat } from '../scene.ts';

/** Jobs that ask something on every node, control planes too. */
const ON_EVERY_NODE = ['kubelet', 'cadvisor', 'node-exporter'];
/** Addons of this story that bring rules. */
const WITH_RULES = ['node-exporter', 'kube-state-metrics', 'prometheus'];
/** Job that tells about the objects of the cluster. */
const ABOUT_OBJECTS = 'kube-state-metrics';

interface Answer {
  data: { result: { metric: Record<string, string>; value: [number, string] }[] };
}

interface RuleGroup {
  name: string;
  rules: { name: string; health: string; lastError?: string; state?: string }[];
}

/** Asks Prometheus by the way that people have: through the API server. */
async function ask<T>({ kubectl }: ClusterScene, path: string): Promise<T> {
  return JSON.parse(
    await kubectl(['get', '--raw', `/api/v1/namespaces/prometheus/services/prometheus:http/proxy/api/v1/${path}`]),
  ) as T;
}

const query = (scene: ClusterScene, promql: string): Promise<Answer> =>
  ask<Answer>(scene, `query?query=${encodeURIComponent(promql)}`);

/**
 * `up` has every node, for its kubelet, its containers and its node-exporter; kube-state-metrics tells about every node; and every rule that addons brought
 * is evaluated without an error.
 */
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
      return true;
    },
    300_000,
    3_000,
  );
  const { data } = await query(scene, 'sum by (job) (up)');
  scene.say(`PromQL sum by (job) (up): ${data.result.map((r) => `${r.metric.job} ${r.value[1]}`).join(', ')}`);

  await objectsAreTold(scene);

  const brought = await broughtRules(scene);
  const rules = await until(
    'rules that addons brought, each evaluated once',
    async () => {
      const all = (await ask<{ data: { groups: RuleGroup[] } }>(scene, 'rules')).data.groups.flatMap((g) => g.rules);
      const evaluated = new Set(all.filter((r) => r.health !== 'unknown').map((r) => r.name));
      const missing = brought.filter((name) => !evaluated.has(name));
      return missing.length === 0 ? all : Promise.reject(new Error(`not yet: ${missing.join(', ')}`));
    },
    180_000,
    2_000,
  );
  const bad = rules.filter((r) => r.health !== 'ok').map((r) => `${r.name}: ${r.health} ${r.lastError ?? ''}`);
  expectThat(bad.length === 0, `rules that fail: ${bad.join('; ')}`);
  const on = rules.filter((r) => r.state === 'firing' || r.state === 'pending').map((r) => `${r.name} ${r.state}`);
  scene.say(`${brought.length} rules came with addons, and none fails; alerts: ${on.join(', ')}`);
}

async function objectsAreTold(scene: ClusterScene): Promise<void> {
  const told = await until(
    `${ABOUT_OBJECTS} tells about every node`,
    async () => {
      const up = (await query(scene, `up{job="${ABOUT_OBJECTS}"} == 1`)).data.result.length;
      const { data } = await query(scene, `kube_node_info{job="${ABOUT_OBJECTS}"}`);
      const known = data.result.map(({ metric }) => metric.node ?? '').sort();
      if (up === 1 && String(known) === String([...scene.nodes].sort())) return data.result;
      throw new Error(`${up} of it are up; kube_node_info has ${known.join(', ') || 'no node'}`);
    },
    120_000,
    3_000,
  );
  scene.say(
    `PromQL kube_node_info: ${told.map(({ metric }) => `${metric.node} ${metric.kubelet_version} ${metric.internal_ip}`).join(', ')}`,
  );
}

/**
 * Names of the rules in the ConfigMaps that Prometheus's sidecar takes.
 *
 * @throws {Error} when an addon of {@link WITH_RULES} brought none
 */
async function broughtRules({ kubectl }: ClusterScene): Promise<string[]> {
  const { items } = JSON.parse(
    await kubectl(['get', 'configmaps', '-A', '-l', 'prometheus_rules=1', '-o', 'json']),
  ) as {
    items: { metadata: { labels: Record<string, string> }; data: Record<string, string> }[];
  };
  const addons = new Set(items.map((m) => m.metadata.labels[ADDON_LABEL]));
  const without = WITH_RULES.filter((addon) => !addons.has(addon));
  expectThat(without.length === 0, `no ConfigMap with rules of ${without.join(', ')}`);
  return items
    .flatMap((m) => Object.values(m.data))
    .flatMap((text) => (parse(text) as { groups: { rules: { alert?: string; record?: string }[] }[] }).groups)
    .flatMap((group) => group.rules.map((r) => r.alert ?? r.record ?? ''));
}
