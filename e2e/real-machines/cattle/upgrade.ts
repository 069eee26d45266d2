import { until } from '../../poll.ts';
import { etcdIsHealthy } from '../etcd.ts';
import { type ClusterScene, expectThat } from '../scene.ts';
import { clusterOf, machinesIn, settled, shoto } from './look.ts';
import type { Traffic } from './traffic.ts';

const MINUTES = 60_000;

interface NodeList {
  items: { metadata: { name: string }; status: { nodeInfo: { kubeletVersion: string } } }[];
}

/** One minor up: all nodes are new, kube-proxy and CoreDNS have followed, and no request has failed. */
export async function upgrade(scene: ClusterScene, traffic: Traffic, to: string): Promise<void> {
  await shoto(scene, 'scale', 'web', '--pool', 'default=2', '--timeout', '15m');
  await settled(scene, 'default', 2, 2 * MINUTES);
  await scene.kubectl(['rollout', 'restart', 'deployment/hello']);
  await scene.kubectl(['rollout', 'status', 'deployment/hello', '--timeout=180s']);
  const before = [...(await machinesIn(scene, 'control-plane')), ...(await machinesIn(scene, 'default'))];
  const controlPlanes = before.filter((m) => m.spec.role === 'control-plane').length;
  const minor = to.split('.').slice(0, 2).join('.');
  const plan = await shoto(scene, 'upgrade', 'cluster', 'web', '--to', minor, '--dry-run');
  for (const m of before) expectThat(plan.includes(m.metadata.name), `the plan does not name ${m.metadata.name}`);
  traffic.take();
  await shoto(scene, 'upgrade', 'cluster', 'web', '--to', minor, '--yes', '--wait', '--timeout', '40m');
  const masters = await settled(scene, 'control-plane', controlPlanes, 5 * MINUTES);
  const workers = await settled(scene, 'default', 2, 5 * MINUTES);
  await etcdIsHealthy(scene, masters);
  const now = [...masters, ...workers];
  // By their UIDs: a new machine may have the name of one that is gone.
  const stands = new Set(
    [...(await machinesIn(scene, 'control-plane')), ...(await machinesIn(scene, 'default'))].map((m) => m.metadata.uid),
  );
  const kept = before.filter((m) => stands.has(m.metadata.uid)).map((m) => m.metadata.name);
  expectThat(kept.length === 0, `these are not new: ${kept.join(', ')}`);

  const nodes = await until('nodes of the old machines gone', async () => {
    const { items } = JSON.parse(await scene.kubectl(['get', 'nodes', '-o', 'json'])) as NodeList;
    return items.length === now.length && items;
  });
  const versions = new Set(nodes.map((n) => n.status.nodeInfo.kubeletVersion));
  expectThat(versions.size === 1 && versions.has(to), `kubelets run ${[...versions].join(', ')}, not ${to}`);
  await addonsFollowed(scene, to);
  const { asked, failed } = traffic.take();
  scene.say(`upgraded to ${to}: ${now.length} new nodes; ${asked} requests, ${failed.length} failed`);
  expectThat(failed.length === 0, `requests failed during the upgrade: ${JSON.stringify(failed.slice(0, 5))}`);
}

async function addonsFollowed(scene: ClusterScene, to: string): Promise<void> {
  await until(
    'kube-proxy and CoreDNS follow',
    async () => (await clusterOf(scene)).status?.controlPlane.addonsRelease === to,
    2 * MINUTES,
  );
  const image = (kind: string, name: string) =>
    scene.kubectl(['-n', 'kube-system', 'get', kind, name, '-o', 'jsonpath={.spec.template.spec.containers[0].image}']);
  const proxy = await image('daemonset', 'kube-proxy');
  expectThat(proxy.endsWith(`/kube-proxy:${to}`), `kube-proxy is at ${proxy}`);
  await scene.kubectl(['-n', 'kube-system', 'rollout', 'status', 'daemonset/kube-proxy', '--timeout=180s']);
  await scene.kubectl(['-n', 'kube-system', 'rollout', 'status', 'deployment/coredns', '--timeout=180s']);
  const config = await scene.kubectl(['-n', 'kube-system', 'get', 'configmap', 'kubeadm-config', '-o', 'yaml']);
  expectThat(config.includes(`kubernetesVersion: ${to}`), `kubeadm-config does not say ${to}`);
  scene.say(`kube-proxy ${proxy}, CoreDNS ${await image('deployment', 'coredns')}, kubeadm-config ${to}`);
}
