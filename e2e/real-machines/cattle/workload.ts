import { until } from '../../poll.ts';
import type { ClusterScene } from '../scene.ts';

/** Name of the Deployment, its Service and its PodDisruptionBudget. */
export const WORKLOAD = 'hello';

/** How long a pod goes on serving after it was told to end: until every node has heard that it is no back end any more. */
const GOODBYE_SECONDS = 10;

const objects = [
  {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: WORKLOAD },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: WORKLOAD } },
      template: {
        metadata: { labels: { app: WORKLOAD } },
        spec: {
          terminationGracePeriodSeconds: GOODBYE_SECONDS + 10,
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: 'kubernetes.io/hostname',
              whenUnsatisfiable: 'ScheduleAnyway',
              labelSelector: { matchLabels: { app: WORKLOAD } },
            },
          ],
          containers: [
            {
              name: 'web',
              image: 'registry.shoto.local/k8s/busybox:1',
              imagePullPolicy: 'IfNotPresent',
              command: [
                'sh',
                '-c',
                'mkdir -p /tmp/w; echo hello from $(hostname) > /tmp/w/index.html; exec httpd -f -p 8080 -h /tmp/w',
              ],
              ports: [{ containerPort: 8080 }],
              readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 2 },
              lifecycle: { preStop: { sleep: { seconds: GOODBYE_SECONDS } } },
            },
          ],
        },
      },
    },
  },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: WORKLOAD },
    spec: { type: 'NodePort', selector: { app: WORKLOAD }, ports: [{ port: 80, targetPort: 8080 }] },
  },
  {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: WORKLOAD },
    spec: { minAvailable: 1, selector: { matchLabels: { app: WORKLOAD } } },
  },
];

/**
 * A well-behaved workload: two replicas, a PodDisruptionBudget, a readiness probe, and a preStop that outlasts the news that a pod goes.
 *
 * @returns its NodePort
 */
export async function deployWorkload({ kubectl, say }: ClusterScene): Promise<number> {
  await until('the default service account', () => kubectl(['get', 'serviceaccount', 'default']), 60_000, 500);
  await kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
  await kubectl(['rollout', 'status', `deployment/${WORKLOAD}`, '--timeout=180s']);
  const port = await kubectl(['get', 'service', WORKLOAD, '-o', 'jsonpath={.spec.ports[0].nodePort}']);
  say(`deployment/${WORKLOAD}: 2 replicas behind NodePort ${port}`);
  return Number(port);
}
