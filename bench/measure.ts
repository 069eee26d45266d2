import { setTimeout as sleep } from 'node:timers/promises';
import { type Cluster, ClusterKind, type Machine, MachineKind, resourceOf, tenantNamespace } from '@shoto/api';
import { EVENTS, type HasMeta } from '@shoto/kube';
import { Team } from './clusters.ts';
import { takeCounts } from './counts.ts';
import type { BenchOptions } from './options.ts';
import { peakRssMiB } from './processes.ts';
import { watchTimeline } from './timeline.ts';
import { ownSeconds, recordedWaits, recordWaits, type Waiting } from './waits.ts';
import { begin, holdings, quiet, together, type Window } from './window.ts';
import type { BenchWorld } from './world.ts';

/** Everything that was seen; `report.ts` makes figures of it. */
export interface Observations {
  /** When each cluster was asked for and when it was ready, in milliseconds since 1970. */
  clusters: (Waiting & { uid: string })[];
  /** Seconds of each cluster in which no simulated latency kept it waiting. */
  ownSeconds: number[];
  /** From the first request to the last cluster that is Ready. */
  wallSeconds: number;
  /** From the first request until nothing is written any more. */
  creation: Window;
  idle: Window;
  deletion: Window;
  /** Events by the kind that they are about. */
  events: Record<string, number>;
  /** Sizes of the Machines' JSON, in bytes. */
  machines: { bytes: number; bytesWithManagedFields: number }[];
  peakRssMiB: Record<string, number>;
}

/** Makes clusters, waits, lets them idle, deletes them. @throws {Error} where a cluster is not ready, or something is left */
export async function measure(world: BenchWorld, o: BenchOptions, say: (text: string) => void): Promise<Observations> {
  const team = new Team(world.system);
  const counter = world.countsItself ? world.kube : undefined;
  const counts = () => takeCounts(world.system, counter);
  const names = Array.from({ length: o.clusters }, (_, i) => `bench-${String(i + 1).padStart(3, '0')}`);
  const left = async () => JSON.stringify(await holdings(world));
  const heldBefore = await left();
  await quiet(world);

  say(`creating ${o.clusters} clusters of 1 control plane and ${o.workers} workers`);
  const untrace = o.trace ? watchTimeline(world.kube, say) : undefined;
  if (o.latency === 'realistic') await recordWaits(world.system);
  const creation = await begin(world, counts);
  const asked = new Map<string, number>();
  const ready = new Map<string, number>();
  const started = Date.now();
  await together('ready', names, o.timeoutSeconds, say, async (name, signal, told) => {
    asked.set(name, Date.now());
    await team.create(name, o.workers);
    await team.follow(name, 'ready', signal, told);
    ready.set(name, Date.now());
  });
  await untrace?.();
  const wallSeconds = (Date.now() - started) / 1000;
  await quiet(world);
  const created = await creation();
  const waits = o.latency === 'realistic' ? await recordedWaits(world.system) : [];
  const stored = await world.kube.listAll<Cluster & HasMeta>(resourceOf(ClusterKind), {
    namespace: tenantNamespace(world.system.tenant),
  });
  const machines = await world.kube.listAll<Machine & HasMeta>(resourceOf(MachineKind), {
    namespace: tenantNamespace(world.system.tenant),
  });
  const clusters = stored.map((c) => ({
    name: c.metadata.name,
    uid: c.metadata.uid ?? '',
    own: namesOf(
      c,
      machines.filter((m) => m.spec.cluster.uid === c.metadata.uid),
    ),
    asked: asked.get(c.metadata.name) ?? Number.NaN,
    ready: ready.get(c.metadata.name) ?? Number.NaN,
  }));
  const events = await eventsByKind(world);

  say(`idle for ${o.idleSeconds} s`);
  const idling = await begin(world, counts);
  await sleep(o.idleSeconds * 1000);
  const idle = await idling();

  say('deleting');
  const deletion = await begin(world, counts);
  await together('gone', names, o.timeoutSeconds, say, async (name, signal, told) => {
    await team.delete(name);
    await team.follow(name, 'gone', signal, told);
  });
  const deleted = await deletion();
  const clustersLeft = await team.list();
  const heldAfter = await left();
  if (clustersLeft.length > 0 || heldAfter !== heldBefore)
    throw new Error(
      `something is left: clusters [${clustersLeft.join(', ')}]; in the cloud ${heldAfter}, before ${heldBefore}`,
    );
  return {
    clusters,
    ownSeconds: ownSeconds(clusters, waits),
    wallSeconds,
    creation: created,
    idle,
    deletion: deleted,
    events,
    machines: machines.map(sizeOf),
    peakRssMiB: Object.fromEntries(Object.entries(world.processes).map(([name, pid]) => [name, peakRssMiB(pid)])),
  };
}

/** Names and ids in the cloud of what is a cluster's own. */
function namesOf(cluster: Cluster, machines: Machine[]): string[] {
  const {
    networkId,
    subnetId,
    routerId,
    securityGroups,
    serverGroups,
    loadBalancerId,
    loadBalancerPoolId,
    floatingIp,
  } = cluster.status?.infrastructure ?? {};
  return [
    networkId,
    subnetId,
    routerId,
    securityGroups?.controlPlane,
    securityGroups?.worker,
    ...Object.values(serverGroups ?? {}),
    loadBalancerId,
    loadBalancerPoolId,
    floatingIp?.id,
    ...machines.flatMap((m) => [m.metadata.name, m.status?.server.id, m.status?.server.portId]),
  ].filter((name) => name !== undefined);
}

/** Size of an object's JSON, in bytes, as it is and without what only the API server needs. */
function sizeOf(machine: Machine & HasMeta): Observations['machines'][number] {
  const size = (o: object): number => Buffer.byteLength(JSON.stringify(o));
  return {
    bytes: size({ ...machine, metadata: { ...machine.metadata, managedFields: undefined } }),
    bytesWithManagedFields: size(machine),
  };
}

async function eventsByKind(world: BenchWorld): Promise<Record<string, number>> {
  const events = await world.kube.listAll<HasMeta & { regarding?: { kind?: string } }>(EVENTS, {
    namespace: tenantNamespace(world.system.tenant),
  });
  const kinds: Record<string, number> = {};
  for (const e of events) kinds[e.regarding?.kind ?? ''] = (kinds[e.regarding?.kind ?? ''] ?? 0) + 1;
  return kinds;
}
