import type { Cluster, Condition, Machine } from '@shoto/api';
import { machines as machineColumns } from './kinds.ts';
import { show } from './print.ts';
import { age, table } from './table.ts';

/** An event as cluster-api tells it. */
export interface EventLine {
  time: string;
  type: string;
  reason: string;
  object: string;
  message: string;
  count: number;
}

const conditionRows = (owner: string, list: Condition[] | undefined, now: number): string[][] =>
  (list ?? []).map((c) => [owner, c.type, c.status, c.reason, age(c.lastTransitionTime, now), c.message]);

const indent = (text: string): string => text.replace(/^/gm, '  ');

/** Everything that a person wants to know of a cluster, on a page. */
export function describeCluster(c: Cluster, machines: Machine[], events: EventLine[], now: number): string {
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
      .filter((x) => x.status === 'False')
      .map((x) => `${m.metadata.name}: ${x.reason}: ${x.message}`),
  );
  const steps = machines.flatMap((m) =>
    (m.status?.bootstrap?.steps ?? []).map((x) => [
      m.metadata.name,
      x.name,
      x.state,
      x.seconds === undefined ? '-' : `${x.seconds.toFixed(1)} s`,
    ]),
  );
  const part = (title: string, text: string): string[] => ['', `${title}:`, indent(text)];
  return [
    ...lines,
    ...(conditions.length > 0
      ? part('Conditions', table(['OF', 'TYPE', 'STATUS', 'REASON', 'SINCE', 'MESSAGE'], conditions))
      : []),
    ...(machines.length > 0 ? part('Machines', show(machines, machineColumns, 'wide', now)) : []),
    ...(trouble.length > 0 ? part('Trouble', trouble.join('\n')) : []),
    ...(steps.length > 0
      ? part('Steps that failed or took more than 10 s', table(['MACHINE', 'STEP', 'STATE', 'TOOK'], steps))
      : []),
    ...part('Events', events.length === 0 ? 'none' : eventTable(events.slice(-20), now)),
  ].join('\n');
}

/** Events, oldest first. */
export const eventTable = (events: EventLine[], now: number): string =>
  table(
    ['AGE', 'TYPE', 'REASON', 'OBJECT', 'MESSAGE'],
    events.map((e) => [
      age(e.time, now),
      e.type,
      e.reason,
      e.object,
      e.count > 1 ? `${e.message} (x${e.count})` : e.message,
    ]),
  );
