import type { Cluster, Machine } from '@shoto/api';
import { LABELS } from '@shoto/api';
import { type HasMeta, keyOf, NODES } from '@shoto/kube';
import type { Clock, Logger } from '@shoto/service';
import { joined } from './check-in/steps.ts';
import type { FleetStop } from './fleet.ts';
import { providerId } from './kubeadm/node.ts';
import { changeBootstrap } from './machine-status.ts';
import type { WorkloadAccess } from './workload/access.ts';
import { isInStep } from './workload/managed-fields.ts';
import { deleteNodeOf, type Node } from './workload/node.ts';
import { type Kube, MACHINES, uidOf, type World } from './world.ts';

/** What the sweep needs. */
export interface SweepDeps {
  kube: Kube;
  world: Pick<World, 'machines'>;
  access: WorkloadAccess;
  emergencyStop: () => FleetStop;
  /** A Machine needs a pass. */
  wakeMachine: (key: string) => void;
  clock: Clock;
  log: Logger;
}

/** A machine that took its ticket so long ago, whose Node is Ready, has joined, whatever became of its word. */
const JOINS_MS = 900_000;
/** A node that is silent for a shorter time may be one that just restarts. */
const SILENT_MS = 60_000;
const METADATA_ONLY = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json';

/**
 * Whether a Node is what is left of a server that is gone: it is of our making, by label and provider id, its server is no Machine's, and its
 * kubelet is silent.
 *
 * @param servers - ids of the servers of all Machines
 * @param now - milliseconds since the epoch
 */
export function isLeftOver(node: Node, servers: ReadonlySet<string>, now: number): boolean {
  const id = node.spec?.providerID ?? '';
  const server = id.startsWith(providerId('')) ? id.slice(providerId('').length) : '';
  if (!server || server.includes('/') || servers.has(server)) return false;
  if (node.metadata.labels?.[LABELS.pool] === undefined) return false;
  const ready = node.status?.conditions?.find((c) => c.type === 'Ready');
  if (ready?.status === 'True') return false;
  const since = Date.parse(ready?.lastTransitionTime ?? node.metadata.creationTimestamp ?? '');
  return now - since > SILENT_MS;
}

/**
 * Whether a Machine may have joined though nobody here knows of it: a management cluster that was restored remembers less than there is. A control-plane
 * machine that took its ticket may hang half-way, with a Node already.
 *
 * @param now - milliseconds since the epoch
 */
function mayHaveJoined({ metadata, spec, status }: Machine, now: number): boolean {
  const { joinedAt, keyHash, ticketTakenAt } = status?.bootstrap ?? {};
  if (metadata.deletionTimestamp || joinedAt || !status?.server?.id) return false;
  return keyHash === undefined || (spec.role === 'worker' && now - Date.parse(ticketTakenAt ?? '') > JOINS_MS);
}

/**
 * Looks at the Nodes of a living cluster, by their names: those of servers that are no more go, and Machines whose labels and taints have not
 * reached their Node get a pass, and those that have joined without our knowing are said to have. It makes good what happened while nobody looked,
 * and costs one small request where nothing did.
 *
 * @throws {KubeError}
 */
export async function sweepNodes(d: SweepDeps, cluster: Cluster, signal: AbortSignal): Promise<void> {
  if (cluster.spec.paused || cluster.metadata.deletionTimestamp) return;
  const workload = await d.access.client(cluster);
  const nodes = await nodesOf(workload, signal);
  const uid = uidOf(cluster);
  const machines = new Map(d.world.machines.byIndex('cluster', uid).map((m) => [m.metadata.name, m]));
  const strangers: string[] = [];
  for (const node of nodes) {
    const machine = machines.get(node.metadata.name);
    if (!machine) strangers.push(node.metadata.name);
    else if (machine.status?.bootstrap.joinedAt && !machine.metadata.deletionTimestamp && !isInStep(node, machine))
      d.wakeMachine(keyOf(machine));
    else if (mayHaveJoined(machine, d.clock.now())) await adopt(d, workload, machine, signal);
  }
  if (strangers.length === 0 || d.emergencyStop()) return;
  await removeLeftOvers(d, cluster, workload, strangers, nodes.length, signal);
}

/** Says of a Machine that it has joined, where its server's Node is Ready. */
async function adopt(d: SweepDeps, workload: Kube, machine: Machine, signal: AbortSignal): Promise<void> {
  const node = await workload.get<Node>(NODES, { name: machine.metadata.name }, { signal });
  const isReady = node?.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True');
  if (!isReady || node?.spec?.providerID !== providerId(machine.status?.server.id ?? '')) return;
  await changeBootstrap({ kube: d.kube, machines: d.world.machines }, machine, (b) => joined(b, [], d.clock.now()));
  d.log.warn(
    { machine: keyOf(machine) },
    'a machine has joined without our knowing: was the management cluster restored?',
  );
}

async function nodesOf(workload: Kube, signal: AbortSignal): Promise<HasMeta[]> {
  const { body } = await workload.raw('GET', '/api/v1/nodes', undefined, { accept: METADATA_ONLY, signal });
  return (JSON.parse(body) as { items?: HasMeta[] }).items ?? [];
}

async function removeLeftOvers(
  d: SweepDeps,
  cluster: Cluster,
  workload: Kube,
  names: readonly string[],
  total: number,
  signal: AbortSignal,
): Promise<void> {
  const found = await Promise.all(names.map((name) => workload.get<Node>(NODES, { name }, { signal })));
  // Live: a Machine that a cache does not have yet must not lose its Node.
  const namespace = cluster.metadata.namespace ?? '';
  const machines = await d.kube.listAll<Machine>(MACHINES, { namespace }, { signal });
  const servers = new Set(machines.flatMap((m) => m.status?.server.id ?? []));
  const known = new Set(machines.map((m) => m.metadata.name));
  const now = d.clock.now();
  const leftOvers = found
    .filter((n) => n !== undefined)
    .filter((n) => !known.has(n.metadata.name) && isLeftOver(n, servers, now));
  const log = d.log.child({ cluster: keyOf(cluster) });
  // Servers go one by one. When most nodes belong to nobody, it is us who lost the Machines: of a restored backup, say.
  if (leftOvers.length * 2 > total) {
    log.warn(
      { nodes: leftOvers.length, of: total },
      'most nodes are silent and belong to no Machine: none is deleted; were Machines lost, by a restore?',
    );
    return;
  }
  for (const node of leftOvers) {
    const removed = await deleteNodeOf(workload, node.metadata.name, node.spec?.providerID ?? '', signal);
    if (removed) log.info({ node: node.metadata.name }, 'a node whose server is gone is deleted');
  }
}
