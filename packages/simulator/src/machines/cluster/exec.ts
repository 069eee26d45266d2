import type { Clock } from '../../core/clock.ts';
import { type ExecRequest, type Executed, type KubeObject, StatusError } from '../../kubernetes/index.ts';
import { at, text } from '../../kubernetes/util/json.ts';
import type { Etcd } from '../etcd/etcd.ts';
import { etcdctl } from '../etcd/etcdctl.ts';

/** What commands in the containers of a cluster run on. */
export interface ExecWorld {
  clock: Clock;
  etcd: Etcd;
  /** Whether the API server reaches the kubelet of a node. */
  isAlive(node: string): boolean;
  /** The control-plane machine that is a node. */
  machineOf(node: string): string | undefined;
}

/** What kubeadm puts into the directory that etcd's pod mounts. */
const ETCD_FILES = ['ca', 'server', 'peer', 'healthcheck-client'].flatMap((n) => [
  `/etc/kubernetes/pki/etcd/${n}.crt`,
  `/etc/kubernetes/pki/etcd/${n}.key`,
]);

const internal = (message: string, causes: object[] = []): StatusError =>
  new StatusError(500, 'InternalError', `Internal error occurred: ${message}`, { causes });

/** What containerd says of a program that the image lacks. */
function notFound(program: string): StatusError {
  const why = `error executing command in container: failed to exec in container: failed to start exec: OCI runtime exec failed: exec failed: unable to start container process: exec: ${JSON.stringify(program)}: executable file not found in $PATH`;
  return internal(why, [{ message: why }]);
}

/**
 * Runs a command in a container. There is one program in all of a simulated cluster: `etcdctl`, in the containers of etcd.
 *
 * @throws {StatusError} at once, when no kubelet answers
 */
export function runInContainer(w: ExecWorld, r: ExecRequest): Promise<Executed | StatusError> {
  const node = text(at(r.pod, 'spec', 'nodeName'));
  if (node === '') throw new StatusError(400, 'BadRequest', `pod ${r.pod.metadata.name} does not have a host assigned`);
  if (!w.isAlive(node))
    throw new StatusError(
      500,
      '',
      `error dialing backend: dial tcp ${text(at(r.pod, 'status', 'hostIP'))}:10250: connect: no route to host`,
    );
  const [program = '', ...args] = r.command;
  const serverId = memberOf(w, r.pod);
  if (at(r.pod, 'status', 'phase') !== 'Running' || (serverId !== undefined && !w.etcd.on(serverId)?.running))
    return Promise.resolve(internal(`unable to upgrade connection: container not found ("${r.container}")`));
  if (serverId === undefined || !['etcdctl', '/usr/local/bin/etcdctl'].includes(program))
    return Promise.resolve(notFound(program));
  return etcdctl(args, { clock: w.clock, etcd: w.etcd, serverId, hasFile: (path) => ETCD_FILES.includes(path) });
}

/** The machine whose etcd a pod is; undefined for any other pod. */
function memberOf(w: ExecWorld, pod: KubeObject): string | undefined {
  const node = text(at(pod, 'spec', 'nodeName'));
  const { name, namespace } = pod.metadata;
  return namespace === 'kube-system' && name === `etcd-${node}` ? w.machineOf(node) : undefined;
}
