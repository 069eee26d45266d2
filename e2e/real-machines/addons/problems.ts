import { until } from '../../poll.ts';
import { type ClusterScene, expectThat, inside, machinesOf } from '../scene.ts';

/** What self-healing reads of nodes, as far as node-problem-detector says it. */
const CONDITIONS = [
  'KernelDeadlock',
  'ReadonlyFilesystem',
  'KubeletUnhealthy',
  'ContainerRuntimeUnhealthy',
  'FrequentKubeletRestart',
  'FrequentContainerdRestart',
];
const NAMESPACE = 'node-problem-detector';

// As the bundle counts starts in the journal; one is there from the boot.
const COUNT = [
  '/home/kubernetes/bin/log-counter',
  '--journald-source=systemd',
  '--log-path=/var/log/journal',
  '--lookback=1h',
  '--count=1',
  '--pattern=Started (Kubernetes kubelet|kubelet.service|kubelet.service - .*).',
];

interface Node {
  metadata: { name: string };
  status: { conditions: { type: string; status: string; reason: string }[] };
}

/**
 * Every Node has the conditions that healing goes by; a kubelet that is stopped is told of by its Node, and that it runs again, too; the journal of the machine is read.
 */
export async function problemsAreTold(scene: ClusterScene): Promise<void> {
  const { kubectl, say } = scene;
  await until(
    'all conditions on every node, and none of them True',
    async () => {
      const bad = (await nodes(scene)).flatMap((n) =>
        CONDITIONS.filter((type) => statusOf(n, type) !== 'False').map(
          (t) => `${n.metadata.name} ${t}: ${statusOf(n, t)}`,
        ),
      );
      return bad.length === 0 ? true : Promise.reject(new Error(bad.join('; ')));
    },
    180_000,
    2_000,
  );
  say(`${CONDITIONS.join(', ')} are False on ${scene.nodes.join(', ')}`);

  const [pod] = (await kubectl(['-n', NAMESPACE, 'get', 'pods', '-o', 'name'])).trim().split('\n');
  // It ends with 1 where it found that many.
  const count = `${COUNT.map((word) => `'${word}'`).join(' ')} || [ $? = 1 ]`;
  const counted = await kubectl(['-n', NAMESPACE, 'exec', pod!, '--', 'sh', '-c', count]);
  expectThat(/Found \d+ matching logs/.test(counted), `log-counter does not read the journal: ${counted}`);
  say(`log-counter in ${pod}: ${counted.trim()}`);

  if (scene.lab) await stoppedKubelet(scene);
}

async function stoppedKubelet(scene: ClusterScene): Promise<void> {
  const machine = (await machinesOf(scene)).find((m) => m.spec.pool === 'default');
  expectThat(machine !== undefined, 'there is no worker');
  const { name } = machine.metadata;
  const becomes = (status: string) =>
    until(
      `KubeletUnhealthy ${status} on ${name}`,
      async () => {
        const node = (await nodes(scene)).find((n) => n.metadata.name === name);
        return node && statusOf(node, 'KubeletUnhealthy') === status;
      },
      120_000,
      1_000,
    );
  const began = Date.now();
  await inside(scene.lab!, machine, ['systemctl', 'stop', 'kubelet']);
  try {
    await becomes('True');
    scene.say(`kubelet of ${name} stopped: KubeletUnhealthy after ${((Date.now() - began) / 1000).toFixed(0)} s`);
  } finally {
    await inside(scene.lab!, machine, ['systemctl', 'start', 'kubelet']);
  }
  await becomes('False');
  await scene.kubectl(['wait', `node/${name}`, '--for=condition=Ready', '--timeout=120s']);
  scene.say(`started again: all is well on ${name}`);
}

const statusOf = (node: Node, type: string): string =>
  node.status.conditions.find((c) => c.type === type)?.status ?? 'not there';

async function nodes({ kubectl }: ClusterScene): Promise<Node[]> {
  return (JSON.parse(await kubectl(['get', 'nodes', '-o', 'json'])) as { items: Node[] }).items;
}
