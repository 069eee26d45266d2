import type { SimulatedCluster } from '../cluster/cluster.ts';
import { EtcdError } from '../etcd/etcd.ts';
import { PowerLost } from '../pause.ts';
import { etcdVersion } from './images.ts';
import { type KubeadmHost, type Output, spend } from './run.ts';

/** How long kubeadm asks etcd for anything: timeouts.etcdAPICall. */
const ETCD_CALL_MS = 2 * 60_000;
const RETRY_MS = 500;

/** Tries until it is done; the last complaint when the time is over. */
async function poll(
  host: KubeadmHost,
  power: AbortSignal,
  attempt: () => string | undefined,
): Promise<string | undefined> {
  const deadline = host.clock.now() + ETCD_CALL_MS;
  for (;;) {
    const complaint = attempt();
    if (complaint === undefined || host.clock.now() >= deadline) return complaint;
    await spend(host, RETRY_MS, power);
  }
}

/** Waits, without another word, until every member of etcd answers. @throws {StepFailed} after two minutes {PowerLost} */
export async function checkEtcd(
  host: KubeadmHost,
  out: Output,
  cluster: SimulatedCluster,
  power: AbortSignal,
): Promise<void> {
  out.print('[check-etcd] Checking that the etcd cluster is healthy');
  const complaint = await poll(host, power, () => {
    const dead = cluster.etcd.members.find((m) => !m.running);
    if (!dead && cluster.etcd.hasQuorum) return undefined;
    return dead
      ? `failed to dial endpoint https://${dead.address}:2379 with maintenance client: context deadline exceeded`
      : 'context deadline exceeded';
  });
  if (complaint) throw out.fail(`error execution phase check-etcd: etcd cluster is not healthy: ${complaint}`);
}

/** Adds the machine's member: announced as a learner, started, promoted. @throws {StepFailed} {PowerLost} */
export async function joinEtcd(
  host: KubeadmHost,
  out: Output,
  o: { cluster: SimulatedCluster; address: string; name: string; version: string; total: number },
  power: AbortSignal,
): Promise<void> {
  const { etcd } = o.cluster;
  const { serverId } = host;
  const complaint = await poll(host, power, () => {
    if (!etcd.hasQuorum) return 'context deadline exceeded';
    try {
      etcd.addLearner({ serverId, address: o.address, version: etcdVersion(o.version) });
      return undefined;
    } catch (error) {
      if (error instanceof EtcdError) return error.message;
      throw error;
    }
  });
  if (complaint)
    throw out.fail(`error execution phase etcd-join: error creating local etcd static pod manifest file: ${complaint}`);
  out.print(
    '[etcd] Announced new etcd member joining to the existing etcd cluster',
    '[etcd] Creating static Pod manifest for "etcd"',
    '[etcd] Waiting for the new etcd member to join the cluster. This can take up to 40s',
  );
  try {
    await spend(host, o.total * 0.2, power);
    etcd.start(serverId, o.name);
    await spend(host, o.total * 0.2, power);
  } catch (error) {
    // It stays announced: a machine that dies here leaves a member that never votes.
    if (error instanceof PowerLost) etcd.stop(serverId);
    throw error;
  }
  const member = etcd.on(serverId);
  if (!member) throw out.fail('error execution phase etcd-join: etcdserver: member not found');
  etcd.promote(member.id);
}
