import { until } from '../../poll.ts';
import { type ClusterScene, expectThat, machinesOf } from '../scene.ts';

const CLAIM = 'data';

const claim = {
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name: CLAIM },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
};

/** A pod on a node, with the claim at /data. */
const pod = (name: string, node: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    // By the scheduler, since a claim waits for its choice.
    nodeSelector: { 'kubernetes.io/hostname': node },
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'c',
        image: 'registry.shoto.local/k8s/busybox:1',
        imagePullPolicy: 'IfNotPresent',
        command: ['sleep', '100000'],
        volumeMounts: [{ name: 'data', mountPath: '/data' }],
      },
    ],
    volumes: [{ name: 'data', persistentVolumeClaim: { claimName: CLAIM } }],
  },
});

/** A claim is bound and written, its pod moves to another node, and what was written is there; without the claim the volume is gone. */
export async function volumesFollow(scene: ClusterScene): Promise<void> {
  const { kubectl, say, world } = scene;
  const [first, second] = scene.nodes.filter((n) => n.includes('default'));
  expectThat(first !== undefined && second !== undefined, 'two workers are needed');
  const apply = (object: object) => kubectl(['apply', '-f', '-'], JSON.stringify(object));
  await until('the default service account', () => kubectl(['get', 'serviceaccount', 'default']), 60_000, 500);
  await apply(claim);
  await apply(pod('writer', first));
  await kubectl(['wait', 'pod/writer', '--for=condition=Ready', '--timeout=180s']);
  const text = `written on ${first}`;
  await kubectl(['exec', 'writer', '--', 'sh', '-c', `echo ${text} > /data/note && sync`]);
  const volume = await kubectl(['get', 'pvc', CLAIM, '-o', 'jsonpath={.spec.volumeName}']);
  const id = await kubectl(['get', 'pv', volume, '-o', 'jsonpath={.spec.csi.volumeHandle}']);
  const attachedTo = async (): Promise<string> => {
    const server = (await world.cloud.blockStorage.volumes.get(id)).attachments[0]?.server_id;
    const machine = (await machinesOf(scene)).find((m) => m.status?.server.id === server);
    return machine?.metadata.name ?? `server ${server}`;
  };
  expectThat((await attachedTo()) === first, `volume ${id} is attached to ${await attachedTo()}, not ${first}`);
  say(`pvc/${CLAIM} is bound to ${volume}, volume ${id} of Cinder, attached to ${first}, and written`);

  const began = Date.now();
  await kubectl(['delete', 'pod', 'writer']);
  await apply(pod('reader', second));
  await kubectl(['wait', 'pod/reader', '--for=condition=Ready', '--timeout=300s']);
  const found = (await kubectl(['exec', 'reader', '--', 'cat', '/data/note'])).trim();
  expectThat(found === text, `on ${second} the volume says ${JSON.stringify(found)}, not ${JSON.stringify(text)}`);
  expectThat((await attachedTo()) === second, `volume ${id} is attached to ${await attachedTo()}, not ${second}`);
  say(`moved to ${second} in ${((Date.now() - began) / 1000).toFixed(0)} s: ${found}`);

  await kubectl(['delete', 'pod', 'reader']);
  await kubectl(['delete', 'pvc', CLAIM]);
  await until(
    'the volume is gone from Cinder',
    async () =>
      world.cloud.blockStorage.volumes.get(id).then(
        (v) => Promise.reject(new Error(`it is ${v.status}`)),
        (e: Error) => (/404|not be found|NotFound/i.test(`${e.name} ${e.message}`) ? true : Promise.reject(e)),
      ),
    120_000,
    1_000,
  );
  say('without its claim the volume is gone from Cinder');
}
