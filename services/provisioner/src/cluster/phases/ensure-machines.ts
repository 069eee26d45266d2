import { API_VERSION, FINALIZERS, LABELS, type Machine, MachineKind, resourceOf } from '@shoto/api';
import { KubeError } from '@shoto/kube';
import type { ClusterPass } from '../pass.ts';
import type { Birth, Plan } from '../plan-machines.ts';
import { CONTROL_PLANE } from '../plan-machines.ts';
import type { PoolIds } from './resolve-references.ts';

const MACHINES = resourceOf(MachineKind);
const AT_ONCE = 8;

/**
 * Makes and removes Machine objects as planned. A Machine is born whole, finalizers and all; asking twice for one meets
 * `AlreadyExists`, which is as good.
 */
export async function ensureMachines(pass: ClusterPass, plan: Plan, ids: ReadonlyMap<string, PoolIds>): Promise<void> {
  const { d } = pass;
  await inBatches(plan.births, async (birth) => {
    const machine = machineOf(pass, birth, ids.get(birth.pool.name) as PoolIds);
    try {
      const made = await d.kube.create<Machine>(MACHINES, machine, { signal: pass.signal });
      d.machines.wrote(made);
      pass.machines.push(made);
    } catch (e) {
      if (!(e instanceof KubeError && e.isAlreadyExists)) throw e;
      const there = await d.kube.get<Machine>(MACHINES, machine.metadata, { signal: pass.signal });
      if (there) d.machines.wrote(there);
      if (there?.spec.cluster.uid === pass.ref.uid) pass.machines.push(there);
    }
  });
  await removeMachines(pass, plan.removals);
}

/** Asks for the deletion of Machines; their finalizers do the rest. */
export async function removeMachines(pass: ClusterPass, machines: readonly Machine[]): Promise<void> {
  await inBatches(machines, async (m) => {
    await pass.d.kube
      .delete(MACHINES, m.metadata, { ...(m.metadata.uid ? { uid: m.metadata.uid } : {}), signal: pass.signal })
      .catch((e: unknown) => {
        if (!(e instanceof KubeError && e.isConflict)) throw e; // another one of that name: not ours to delete
      });
  });
}

async function inBatches<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let i = 0; i < items.length; i += AT_ONCE) await Promise.all(items.slice(i, i + AT_ONCE).map(work));
}

function machineOf(pass: ClusterPass, { name, pool, zone }: Birth, ids: PoolIds): Machine {
  const { cluster, ref } = pass;
  return {
    apiVersion: API_VERSION,
    kind: MachineKind.kind,
    metadata: {
      name,
      namespace: cluster.metadata.namespace as string,
      labels: {
        [LABELS.cluster]: ref.name,
        [LABELS.role]: pool.role,
        [LABELS.region]: cluster.spec.region,
        ...(pool.name === CONTROL_PLANE ? {} : { [LABELS.pool]: pool.name }),
      },
      finalizers: [FINALIZERS.server, FINALIZERS.node],
      ownerReferences: [
        { apiVersion: API_VERSION, kind: cluster.kind ?? 'Cluster', name: ref.name, uid: ref.uid, controller: true },
      ],
    },
    spec: {
      cluster: { name: ref.name, uid: ref.uid },
      role: pool.role,
      pool: pool.name,
      region: cluster.spec.region,
      release: pool.release,
      image: ids.image,
      flavor: ids.flavor,
      ...(zone === undefined ? {} : { zone }),
      ...(pool.rootVolume ? { rootVolume: pool.rootVolume } : {}),
      ...(pool.labels ? { labels: pool.labels } : {}),
      ...(pool.taints ? { taints: pool.taints } : {}),
    },
  };
}
