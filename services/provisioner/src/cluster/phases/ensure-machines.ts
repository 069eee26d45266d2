import { API_VERSION, FINALIZERS, LABELS, type Machine, MachineKind, resourceOf, timestamp } from '@shoto/api';
import { KubeError } from '@shoto/kube';
import { TerminalError, WaitingError } from '@shoto/reconciler';
import type { ClusterMemory } from '../../memory.ts';
import { type Ids, idsOf, type PoolIds } from '../ids.ts';
import type { Update } from '../in-place.ts';
import type { ClusterPass } from '../pass.ts';
import type { Birth, Plan } from '../plan-machines.ts';
import { CONTROL_PLANE } from '../pools.ts';

const MACHINES = resourceOf(MachineKind);
const AT_ONCE = 8;

/**
 * Removes, makes and changes Machine objects as planned. A Machine is born whole, finalizers and all; asking twice for one meets
 * `AlreadyExists`, which is as good.
 */
export async function ensureMachines(pass: ClusterPass, plan: Plan, ids: Ids): Promise<void> {
  const { d } = pass;
  // First, since births of the same plan take their places in the tenant's quota. What works is removed only when another works already.
  await removePlanned(
    pass,
    plan.removals.map((r) => r.machine),
  );
  await inBatches(plan.births, async (birth) => {
    const from = idsOf(ids, birth.pool.name, birth.release);
    if (from === undefined || from instanceof TerminalError) return; // not planned without them
    const machine = machineOf(pass, birth, from);
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
  await inBatches(plan.updates, (update) => changeMachine(pass, update));
}

/** After something was seen that the plan was not made from. */
const LOOK_AGAIN_MS = 500;

/**
 * Removes what the plan chose, if it is still what the plan saw. A control-plane machine goes only if a live look shows all of them as the plan saw them:
 * whether the rest are a quorum is not for a cache to say.
 *
 * @throws {WaitingError} when something has changed: it is planned anew
 */
async function removePlanned(pass: ClusterPass, machines: readonly Machine[]): Promise<void> {
  const { d, signal, memory } = pass;
  let isChanged = false;
  const controls = pass.machines.filter((m) => m.spec.role === 'control-plane');
  if (machines.some((m) => m.spec.role === 'control-plane')) {
    const live = await Promise.all(controls.map((m) => d.kube.get<Machine>(MACHINES, m.metadata, { signal })));
    for (const m of live) if (m) d.machines.wrote(m);
    isChanged = controls.some((m, i) => m.metadata.resourceVersion !== live[i]?.metadata.resourceVersion);
  }
  const still = isChanged ? machines.filter((m) => m.spec.role !== 'control-plane') : machines;
  await inBatches(still, async (m) => {
    const { uid, resourceVersion } = m.metadata;
    try {
      await d.kube.delete(MACHINES, m.metadata, {
        ...(uid ? { uid } : {}),
        ...(resourceVersion ? { resourceVersion } : {}),
        signal,
      });
      memory.removed ??= new Set();
      if (uid) memory.removed.add(uid);
    } catch (e) {
      if (!(e instanceof KubeError && e.isConflict)) throw e;
      isChanged = true;
    }
  });
  if (isChanged)
    throw new WaitingError('MachineChanged', `machines of ${pass.key} changed while they were planned`, LOOK_AGAIN_MS);
}

/** The Machines as they are as far as we know: those whose deletion was asked for are on their way out, whether the watch shows it yet or not. */
export function withRemoved(machines: readonly Machine[], memory: ClusterMemory, now: number): Machine[] {
  const there = new Set(machines.map((m) => m.metadata.uid));
  for (const uid of memory.removed ?? []) if (!there.has(uid)) memory.removed?.delete(uid);
  return machines.map((m) =>
    !m.metadata.deletionTimestamp && memory.removed?.has(m.metadata.uid ?? '')
      ? { ...m, metadata: { ...m.metadata, deletionTimestamp: timestamp(now) } }
      : m,
  );
}

async function changeMachine({ d, signal, machines }: ClusterPass, { machine, ops }: Update): Promise<void> {
  try {
    const changed = await d.kube.jsonPatch<Machine>(MACHINES, machine.metadata, ops, { signal });
    d.machines.wrote(changed);
    machines.splice(machines.indexOf(machine), 1, changed);
  } catch (e) {
    if (!(e instanceof KubeError && (e.isNotFound || e.isConflict))) throw e; // gone, or another one of that name
  }
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

function machineOf(pass: ClusterPass, { name, pool, release, zone }: Birth, ids: PoolIds): Machine {
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
      release,
      image: ids.image,
      flavor: ids.flavor,
      ...(zone === undefined ? {} : { zone }),
      ...(pool.rootVolume ? { rootVolume: pool.rootVolume } : {}),
      ...(pool.labels ? { labels: pool.labels } : {}),
      ...(pool.taints ? { taints: pool.taints } : {}),
      ...(pool.drainTimeout > 0 ? { nodeDrainTimeoutSeconds: pool.drainTimeout } : {}),
      ...(pool.detachTimeout > 0 ? { nodeVolumeDetachTimeoutSeconds: pool.detachTimeout } : {}),
    },
  };
}
