import { type Cluster, type Condition, findCondition, type Machine, openingOf } from '@shoto/api';
import { windowText } from '../window.ts';
import { type EventLine, eventTable } from './events.ts';
import { machines as machineColumns } from './kinds.ts';
import { type MachineProgress, stepRows } from './machines.ts';
import { part } from './page.ts';
import { show } from './print.ts';
import { age, table } from './table.ts';

const conditionRows = (owner: string, list: Condition[] | undefined, now: number): string[][] =>
  (list ?? []).map((c) => [owner, c.type, c.status, c.reason, age(c.lastTransitionTime, now), c.message]);

const storedSteps = (m: Machine): MachineProgress['steps'] =>
  (m.status?.bootstrap?.steps ?? []).map(({ seconds, ...s }) => ({
    ...s,
    ...(seconds === undefined ? {} : { seconds }),
  }));

/** How far a cluster is from what is asked for, and what holds it: the lines that an SRE reads first. */
function standing(c: Cluster, now: number): string[] {
  const { infrastructure, health } = c.status ?? {};
  const upToDate = findCondition(infrastructure?.conditions, 'UpToDate');
  const stop = findCondition(infrastructure?.conditions, 'EmergencyStop');
  const held = findCondition(health?.conditions, 'HealingHeld');
  const w = c.spec.maintenanceWindow;
  return [
    ...(c.spec.paused ? [`Paused:         yes; shoto resume cluster ${c.metadata.name} lets it go on`] : []),
    ...(stop?.status === 'True' ? [`Emergency stop: ${stop.message}`] : []),
    ...(upToDate
      ? [`Up to date:     ${upToDate.status === 'True' ? 'yes' : `no, ${upToDate.reason}: ${upToDate.message}`}`]
      : []),
    ...(w ? [`Window:         ${windowText(w)} (${openness(w, now)})`] : []),
    ...(c.spec.healing?.enabled === false ? ['Healing:        off'] : []),
    ...(held?.status === 'True' ? [`Healing held:   ${held.reason}: ${held.message}`] : []),
  ];
}

function openness(w: NonNullable<Cluster['spec']['maintenanceWindow']>, now: number): string {
  const { opensAt, closesAt } = openingOf(w, now);
  const time = (at: number): string => new Date(at).toISOString().replace(/:\d\d\.\d+Z$/, 'Z');
  return opensAt <= now ? `open until ${time(closesAt)}` : `opens at ${time(opensAt)}`;
}

/**
 * Everything that a person wants to know of a cluster, on a page.
 *
 * @param progress - of its machines, with the steps that run now; where it is not known, only stored steps are shown
 * @param now - milliseconds since the epoch
 */
export function describeCluster(
  c: Cluster,
  machines: Machine[],
  events: EventLine[],
  progress: MachineProgress[] | undefined,
  now: number,
): string {
  const s = c.status;
  const network = c.spec.network;
  const lines = [
    `Name:           ${c.metadata.name}`,
    `Namespace:      ${c.metadata.namespace}`,
    `Created:        ${c.metadata.creationTimestamp} (${age(c.metadata.creationTimestamp, now)} ago)`,
    ...(c.metadata.deletionTimestamp
      ? [`Deleting since: ${c.metadata.deletionTimestamp}; still to go: ${(c.metadata.finalizers ?? []).join(', ')}`]
      : []),
    `Region:         ${c.spec.region}`,
    `Release:        ${c.spec.release}`,
    ...standing(c, now),
    `Endpoint:       ${s?.infrastructure?.endpoint ? `https://${s.infrastructure.endpoint.external} (inside: ${s.infrastructure.endpoint.internal})` : 'not known yet'}`,
    `Networks:       pods ${network?.podCIDR}, Services ${network?.serviceCIDR}, machines ${network?.nodeCIDR}`,
    `Control plane:  ${c.spec.controlPlane.count} x ${c.spec.controlPlane.flavor}`,
    ...c.spec.nodePools.map(
      (p) => `${`Pool ${p.name}:`.padEnd(16)}${p.count} x ${p.flavor}${p.release ? ` (${p.release})` : ''}`,
    ),
    `Addons:         ${(s?.addons?.items ?? []).map((a) => `${a.name} ${a.version ?? ''}${a.healthy ? '' : ' (not healthy)'}`).join(', ') || c.spec.addons.map((a) => a.name).join(', ') || 'none'}`,
  ];
  const conditions = [
    ...conditionRows('cluster', s?.conditions, now),
    ...conditionRows('infrastructure', s?.infrastructure?.conditions, now),
    ...conditionRows('control plane', s?.controlPlane?.conditions, now),
    ...conditionRows('addons', s?.addons?.conditions, now),
    ...conditionRows('health', s?.health?.conditions, now),
  ];
  const trouble = machines.flatMap((m) =>
    [
      ...(m.status?.server?.conditions ?? []),
      ...(m.status?.bootstrap?.conditions ?? []),
      ...(m.status?.health?.conditions ?? []),
    ]
      .filter((x) => x.status === 'False' && !['Installing', 'Recovered'].includes(x.reason))
      .map((x) => `${m.metadata.name}: ${x.reason}: ${x.message}`),
  );
  const steps = stepRows(
    progress ?? machines.map((m) => ({ name: m.metadata.name, steps: storedSteps(m) })),
    events,
    now,
  );
  return [
    ...lines,
    ...(conditions.length > 0
      ? part('Conditions', table(['OF', 'TYPE', 'STATUS', 'REASON', 'SINCE', 'MESSAGE'], conditions))
      : []),
    ...(machines.length > 0 ? part('Machines', show(machines, machineColumns, 'wide', now)) : []),
    ...(trouble.length > 0 ? part('Trouble', trouble.join('\n')) : []),
    ...(steps.length > 0
      ? part('Steps', table(['MACHINE', 'STEP', 'STATE', 'BEGAN', 'TOOK', 'LAST LINE OF ITS LOG'], steps))
      : []),
    ...part('Events', events.length === 0 ? 'none' : eventTable(events.slice(-20), now)),
  ].join('\n');
}
