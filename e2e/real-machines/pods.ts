import { until } from '../poll.ts';
import type { ClusterScene } from './scene.ts';

/** A pod on one node reaches a pod on the other by the name of its Service. */
export async function podsTalk(
  { kubectl, say }: ClusterScene,
  [serverNode, clientNode]: (string | undefined)[],
): Promise<void> {
  const box = { image: 'registry.shoto.local/k8s/busybox:1', imagePullPolicy: 'IfNotPresent' };
  const pod = (name: string, node: string | undefined, command: string[]) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: name } },
    spec: { nodeName: node, terminationGracePeriodSeconds: 1, containers: [{ name: 'c', ...box, command }] },
  });
  const objects = [
    pod('server', serverNode, [
      'sh',
      '-c',
      'mkdir -p /tmp/w; echo hello from $(hostname) > /tmp/w/index.html; httpd -f -p 80 -h /tmp/w',
    ]),
    pod('client', clientNode, ['sleep', '100000']),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'server' },
      spec: { selector: { app: 'server' }, ports: [{ port: 80 }] },
    },
  ];
  await until('the default service account', () => kubectl(['get', 'serviceaccount', 'default']), 60_000, 500);
  await kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
  await kubectl(['wait', 'pod/server', 'pod/client', '--for=condition=Ready', '--timeout=120s']);
  const heard = await until(
    'the answer by service name',
    () => kubectl(['exec', 'client', '--', 'wget', '-q', '-O', '-', 'http://server.default.svc.cluster.local/']),
    60_000,
    1000,
  );
  say(`a pod on ${clientNode} asks http://server by name, a pod on ${serverNode} answers: ${heard.trim()}`);
}
