import type { Cluster } from '@shoto/api';
import { PODS } from '@shoto/kube';
import { HttpProblem } from '@shoto/service';
import { z } from 'zod';
import { mustGo, type Pod, podsOn } from '../workload/drain.ts';
import type { Kube } from '../world.ts';
import { answerInTime } from './answer-in-time.ts';
import { type Budget, selects, tightBudgets } from './budgets.ts';

/** Machines of which one or more shall go: whose pods are disturbed least? */
export const DisturbanceRequest = z.object({ machines: z.array(z.string().min(1).max(253)).min(1).max(1000) });

/** What would have to move if these machines went. */
export interface Disturbance {
  machines: {
    name: string;
    /** Pods that would have to move. */
    pods: number;
    /** Those of them that a PodDisruptionBudget holds which allows nothing now. */
    blocked: number;
  }[];
  /** Why the cluster could not be asked; then no machine is told of. */
  unreachable?: string;
}

/** For so many machines each is asked about; for more the whole cluster is read once. */
const ONE_BY_ONE = 8;

/** Counts what would have to move. */
export const disturbanceOf = (
  machines: readonly string[],
  pods: readonly Pod[],
  tight: readonly Budget[],
): Disturbance['machines'] =>
  machines.map((name) => {
    const moving = pods.filter((p) => p.spec?.nodeName === name && mustGo(p));
    const isBlocked = ({ metadata }: Pod): boolean =>
      tight.some((b) => b.metadata.namespace === metadata.namespace && selects(b.spec?.selector, metadata.labels));
    return { name, pods: moving.length, blocked: moving.filter(isBlocked).length };
  });

/**
 * How many pods would have to move, by machine.
 *
 * @param client - of the workload cluster
 * @throws {HttpProblem} 422
 */
export async function disturbance(
  cluster: Cluster,
  body: unknown,
  client: (cluster: Cluster) => Promise<Kube>,
): Promise<Disturbance> {
  const request = DisturbanceRequest.safeParse(body);
  if (!request.success) throw new HttpProblem(422, 'InvalidRequest', 'machines: must name 1 to 1000 machines');
  const { machines } = request.data;
  const found = await answerInTime(cluster, client, async (workload, signal) => {
    const pods =
      machines.length <= ONE_BY_ONE
        ? Promise.all(machines.map((m) => podsOn(workload, m, signal))).then((lists) => lists.flat())
        : workload.listAll<Pod>(PODS, {}, { signal });
    return Promise.all([pods, tightBudgets(workload, signal)]);
  });
  if ('unreachable' in found) return { machines: [], unreachable: found.unreachable };
  return { machines: disturbanceOf(machines, ...found.answer) };
}
