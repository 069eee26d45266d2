import type { Cluster, Machine } from '@shoto/api';
import { KubeError } from '@shoto/kube';
import type { WorkloadAccess } from '../workload/access.ts';
import type { Kube } from '../world.ts';
import { isDead } from './decide.ts';
import { clientUrl, Etcdctl, EtcdctlError, type Member } from './etcdctl.ts';

/** What one look into an etcd brought. */
export type Look =
  | { seen: true; members: Member[]; etcdctl: Etcdctl }
  /** Nobody could be asked; `why` in words that stay the same for the same trouble. */
  | { seen: false; why: string };

/** At most so many machines are tried: a pass has 20 s. */
const TRIES = 3;

/** Machines beside whose etcd a question may be asked, the best first: ready ones that stay. */
export function askable(machines: readonly Machine[]): Machine[] {
  const rank = (m: Machine): number =>
    (m.metadata.deletionTimestamp ? 2 : 0) + (m.status?.health.ready === false ? 1 : 0);
  return machines
    .filter((m) => m.spec.role === 'control-plane' && m.status?.bootstrap.joinedAt && !isDead(m))
    .sort((a, b) => rank(a) - rank(b) || (a.metadata.name < b.metadata.name ? -1 : 1));
}

/** Etcdctl in the static pod of a machine. */
export function etcdctlAt(workload: Pick<Kube, 'exec'>, machine: Machine, signal: AbortSignal): Etcdctl {
  const pod = { namespace: 'kube-system', name: `etcd-${machine.metadata.name}` };
  const [address = '127.0.0.1'] = machine.status?.server.addresses ?? [];
  return new Etcdctl(
    (command, timeoutMs) => workload.exec(pod, 'etcd', command, { signal, timeoutMs }),
    clientUrl(address),
  );
}

/**
 * Asks one control-plane machine after the other who the members of etcd are.
 *
 * @param machines - those of the Cluster
 * @throws {NoAccessError} the cluster cannot be entered yet
 */
export async function lookIntoEtcd(
  access: Pick<WorkloadAccess, 'client'>,
  cluster: Cluster,
  machines: readonly Machine[],
  signal: AbortSignal,
): Promise<Look> {
  const workload = await access.client(cluster);
  let why = 'no control-plane machine is up';
  for (const machine of askable(machines).slice(0, TRIES)) {
    const etcdctl = etcdctlAt(workload, machine, signal);
    try {
      return { seen: true, members: await etcdctl.members(), etcdctl };
    } catch (e) {
      signal.throwIfAborted();
      if (!(e instanceof KubeError || e instanceof EtcdctlError)) throw e;
      why = `${machine.metadata.name}: ${e.message}`;
      if (e instanceof KubeError && e.status === 0 && e.reason !== 'Timeout') break; // the API itself does not answer
    }
  }
  return { seen: false, why };
}
