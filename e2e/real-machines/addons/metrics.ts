import { until } from '../../poll.ts';
import { type ClusterScene, expectThat } from '../scene.ts';

/** `kubectl top nodes` knows every node. */
export async function metricsAnswer({ kubectl, nodes, say }: ClusterScene): Promise<void> {
  const top = await until(
    'kubectl top knows every node',
    async () => {
      const text = await kubectl(['top', 'nodes', '--no-headers']);
      const known = text
        .trim()
        .split('\n')
        .map((line) => line.split(/\s+/));
      const missing = nodes.filter((n) => !known.some(([name, cores]) => name === n && /^\d+m$/.test(cores ?? '')));
      return missing.length === 0
        ? text
        : Promise.reject(new Error(`it does not know ${missing.join(', ')}:\n${text}`));
    },
    180_000,
    2_000,
  );
  say(`kubectl top nodes:\n${top.trimEnd().replace(/^/gm, '          | ')}`);
  const pods = await kubectl(['top', 'pods', '-A', '--no-headers']);
  expectThat(pods.includes('kube-apiserver'), `kubectl top pods does not know the API server:\n${pods}`);
}
