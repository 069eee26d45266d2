import type { Cluster, KubernetesRelease, Machine } from '@shoto/api';
import { KubeError } from '@shoto/kube';
import type { Clock, Logger } from '@shoto/service';
import { stateCluster } from '../cluster-status.ts';
import { whyNoJoin } from '../etcd/decide.ts';
import { lookIntoEtcd } from '../etcd/look.ts';
import { ConfigError, configReleaseOf, newestJoined, writeKubeadmConfig } from '../upgrade/kubeadm-config.ts';
import type { WorkloadAccess } from '../workload/access.ts';
import { clusterKeyOf, type Kube, type World } from '../world.ts';
import type { CheckInAnswer } from './protocol.ts';

/** What the gate looks through. */
export interface GateDeps {
  kube: Kube;
  world: World;
  access: WorkloadAccess;
  wakeCluster: (key: string) => void;
  clock: Clock;
  log: Logger;
}

/** No plan yet: what for, and after how many milliseconds it is looked again where nothing tells sooner. */
export type NotYet = Extract<CheckInAnswer, { action: 'wait' }> & { againMs: number };

const LOOK_AGAIN_MS = 3_000;
const CONFIG_AGAIN_MS = 15_000;

const notYet = (reason: string, message: string, againMs: number): NotYet => ({
  action: 'wait',
  reason,
  message,
  retryAfterMs: 1000,
  againMs,
});

/**
 * What has to be right before a further control-plane machine joins: all members of etcd, and kubeadm's configuration for its release. The
 * machine holds the turn, so no other is at this point.
 *
 * @param all - Machines of the Cluster
 * @returns why it has to wait; undefined where it may join
 * @throws {OverrideError} of its release; {@link KubeError} the cluster's API does not answer
 */
export async function mayJoin(
  d: GateDeps,
  machine: Machine,
  cluster: Cluster,
  release: KubernetesRelease,
  all: Iterable<Machine>,
  signal: AbortSignal,
): Promise<NotYet | undefined> {
  const machines = [...all].filter((m) => m.spec.role === 'control-plane');
  const look = await lookIntoEtcd(d.access, cluster, machines, signal);
  const why = look.seen
    ? whyNoJoin(machine, look.members, machines, d.clock.now())
    : `no member of etcd can be asked: ${look.why}`;
  if (why !== undefined) {
    d.wakeCluster(clusterKeyOf(machine)); // what can be mended is mended under its key, and said there
    return notYet('EtcdNotHealthy', why, LOOK_AGAIN_MS);
  }
  return followRelease(d, cluster, machines, release, signal);
}

/** Brings kubeadm's configuration in the cluster to the release of the machine that joins now, and says so on the Cluster. */
async function followRelease(
  d: GateDeps,
  cluster: Cluster,
  machines: readonly Machine[],
  release: KubernetesRelease,
  signal: AbortSignal,
): Promise<NotYet | undefined> {
  const { name } = release.metadata;
  if (configReleaseOf(cluster, machines) === name) return undefined;
  try {
    await writeKubeadmConfig(await d.access.client(cluster), release, signal);
    await stateCluster(d, cluster, [], { configRelease: name });
    d.log.info(
      { cluster: cluster.metadata.name, release: name, newest: newestJoined(cluster, machines) },
      'kubeadm configuration follows',
    );
    return undefined;
  } catch (e) {
    if (e instanceof ConfigError) return notYet('ConfigNotReady', e.message, CONFIG_AGAIN_MS);
    if (e instanceof KubeError && e.isConflict) return notYet('ConfigNotReady', 'others write the same objects', 1_000);
    throw e;
  }
}
