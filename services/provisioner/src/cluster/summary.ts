import {
  type Cluster,
  type Condition,
  type ConditionInput,
  FINALIZERS,
  findCondition,
  isTrue,
  type Machine,
} from '@shoto/api';
import { addonsAil, bad, CONDITIONS, good } from '../conditions.ts';
import type { Infrastructure } from '../memory.ts';
import type { Shortage } from './gates.ts';
import type { Pool } from './pools.ts';
import { cannotJoin, cannotLeave } from './up-to-date.ts';

type PoolCount = NonNullable<Infrastructure['pools']>[number];

/**
 * How many machines each pool has and how far they are. Those on their way out do not count.
 *
 * @param outdated - how many are to be replaced, by pool; said only where there are some
 */
export function countPools(
  pools: readonly Pool[],
  machines: readonly Machine[],
  outdated: ReadonlyMap<string, number> = new Map(),
): PoolCount[] {
  const staying = machines.filter((m) => !m.metadata.deletionTimestamp);
  const names = new Set(pools.map((p) => p.name));
  const gone = [...new Set(machines.map((m) => m.spec.pool))].filter((n) => !names.has(n)).sort();
  return [...pools.map((p) => ({ name: p.name, desired: p.count })), ...gone.map((name) => ({ name, desired: 0 }))].map(
    ({ name, desired }) => {
      const of = staying.filter((m) => m.spec.pool === name);
      return {
        name,
        desired,
        machines: of.length,
        joined: of.filter((m) => m.status?.bootstrap?.joinedAt).length,
        ready: of.filter((m) => m.status?.health?.ready).length,
        ...(outdated.get(name) ? { outdated: outdated.get(name) as number } : {}),
      };
    },
  );
}

const plural = (n: number, one: string): string => `${n} ${one}${n === 1 ? '' : 's'}`;

/**
 * MachinesReady: servers are as many as asked for, and run.
 *
 * @param isRolling - machines are being replaced: more than asked for are no news, and neither is one that fails while enough run
 * @param shortage - what the tenant's quota keeps from being made
 */
export function machinesCondition(
  pools: readonly Pool[],
  machines: readonly Machine[],
  isRolling = false,
  shortage?: Shortage,
): ConditionInput {
  const wanted = pools.reduce((n, p) => n + p.count, 0);
  const staying = machines.filter((m) => !m.metadata.deletionTimestamp);
  const failed = staying
    .flatMap((m) => {
      const c = findCondition(m.status?.server?.conditions, CONDITIONS.server);
      return c?.status === 'False' ? [{ name: m.metadata.name, c }] : [];
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const active = staying.filter((m) => m.status?.server?.state === 'Active').length;
  const running = good(CONDITIONS.machines, 'Running', `${plural(wanted, 'server')} of ${wanted} run`);
  if (isRolling && active >= wanted) return running;
  const first = failed[0];
  if (first) {
    const more = failed.length > 1 ? ` (and ${failed.length - 1} more)` : '';
    return bad(CONDITIONS.machines, first.c.reason, `${first.name}${more}: ${first.c.message}`);
  }
  if (shortage?.isGrowth) return bad(CONDITIONS.machines, shortage.reason, shortage.message);
  const leaving = machines.length - staying.length;
  if (active === wanted && staying.length === wanted && leaving === 0) return running;
  if (!isRolling && (staying.length > wanted || leaving > 0))
    return bad(CONDITIONS.machines, 'Removing', `machines that are no longer asked for are being removed`);
  // No count in it: the text would change with every server, and the pools' counts say it.
  return bad(CONDITIONS.machines, 'Building', `the cloud is building ${plural(wanted, 'server')}`);
}

/** What the summary is made of. */
export interface SummaryInput {
  cluster: Cluster;
  /** But for those that are kept for study. */
  machines: readonly Machine[];
  infrastructure: Partial<Infrastructure>;
  pools: readonly Pool[];
}

/**
 * Ready, as people read it: what is happening, why it waits and whose move it is. Derived from what each service says, in the order in which
 * a cluster comes into being; the first that is not so gives reason and message.
 */
export function summarize(s: SummaryInput): ConditionInput {
  const { cluster } = s;
  if (cluster.metadata.deletionTimestamp) return deletion(s);
  const ready = findCondition(cluster.status?.conditions, CONDITIONS.ready);
  if (cluster.spec.paused && ready?.status !== 'True')
    return bad(
      CONDITIONS.ready,
      'Paused',
      'nothing is made or changed while spec.paused is true: set it to false to go on',
    );
  const steps = [infrastructure, controlPlane, nodesFailed, addons, nodes, reachable, sickAddons];
  for (const step of steps) {
    const not = step(s);
    if (not) return not;
  }
  const count = s.pools.reduce((n, p) => n + p.count, 0);
  const where = s.infrastructure.endpoint?.external;
  return good(
    CONDITIONS.ready,
    'Ready',
    `${plural(count, 'node')} ready${where ? `; the API answers at https://${where}` : ''}`,
  );
}

const passOn = (c: Condition): ConditionInput => bad(CONDITIONS.ready, c.reason, c.message);

function infrastructure({ infrastructure: i }: SummaryInput): ConditionInput | undefined {
  for (const type of [CONDITIONS.network, CONDITIONS.machines, CONDITIONS.endpoint]) {
    const c = findCondition(i.conditions, type);
    // Servers that are still building are told of by what comes later, unless something is wrong with them.
    if (type === CONDITIONS.machines && (c?.reason === 'Building' || c?.reason === 'Removing')) continue;
    if (c?.status === 'False') return passOn(c);
  }
  if (!findCondition(i.conditions, CONDITIONS.network))
    return bad(CONDITIONS.ready, 'NetworkPending', "the cluster's network is being made");
  return undefined;
}

function controlPlane({ cluster, machines }: SummaryInput): ConditionInput | undefined {
  const cp = cluster.status?.controlPlane;
  if (cp?.initialized && isTrue(cp.conditions, 'EndpointHealthy')) return undefined;
  const failed = failedNode(machines);
  if (failed) return failed;
  const wrong = cp?.initialized
    ? findCondition(cp.conditions, 'EndpointHealthy')
    : cp?.conditions?.find((c) => c.status === 'False');
  if (wrong) return passOn(wrong);
  return cp?.initialized
    ? bad(CONDITIONS.ready, 'EndpointPending', 'the control plane is up; its API is being reached from outside')
    : bad(CONDITIONS.ready, 'ControlPlanePending', 'the first control-plane machine boots and installs Kubernetes');
}

function failedNode(machines: readonly Machine[]): ConditionInput | undefined {
  const failed = machines
    .filter((m) => !m.metadata.deletionTimestamp && !m.status?.bootstrap?.joinedAt)
    .flatMap((m) => {
      const says = cannotJoin(m);
      return says === undefined ? [] : [`${m.metadata.name}: ${says}`];
    })
    .sort();
  return failed[0] ? bad(CONDITIONS.ready, 'NodeFailed', failed[0]) : undefined;
}

/** Machines are being replaced, and as many nodes as asked for work meanwhile: that is no outage, whatever becomes of the new ones. */
const isServedWhileRolling = ({ infrastructure: i, pools, machines }: SummaryInput): boolean =>
  i.rollout !== undefined && countPools(pools, machines).every((p) => p.ready >= p.desired);

const nodesFailed = (s: SummaryInput): ConditionInput | undefined =>
  isServedWhileRolling(s) ? undefined : failedNode(s.machines);

function addons({ cluster, infrastructure }: SummaryInput): ConditionInput | undefined {
  if (cluster.spec.addons.length === 0) return undefined;
  const conditions = cluster.status?.addons?.conditions;
  if (isTrue(conditions, 'Healthy')) return undefined;
  const lacking = findCondition(infrastructure.conditions, CONDITIONS.addonCredentials);
  if (lacking?.status === 'False') return passOn(lacking);
  const c = findCondition(conditions, 'Applied');
  const wrong = c?.status === 'False' ? c : findCondition(conditions, 'Healthy');
  if (wrong && addonsAil(wrong)) return undefined;
  return wrong ? passOn(wrong) : bad(CONDITIONS.ready, 'AddonsPending', 'the addons are being applied');
}

/**
 * Addons that ran are not well any more. Nodes that are missing may be why, and are told of first; while machines are replaced their pods move, and
 * that is no outage where enough nodes work.
 */
function sickAddons(s: SummaryInput): ConditionInput | undefined {
  const said = findCondition(s.cluster.status?.addons?.conditions, 'Healthy');
  if (s.cluster.spec.addons.length === 0 || !said || !addonsAil(said) || isServedWhileRolling(s)) return undefined;
  return passOn(said);
}

function nodes(s: SummaryInput): ConditionInput | undefined {
  const { machines, pools } = s;
  if (isServedWhileRolling(s)) return undefined;
  const counts = countPools(pools, machines);
  const sum = (key: 'desired' | 'machines' | 'joined' | 'ready') => counts.reduce((n, p) => n + p[key], 0);
  const right = counts.every((p) => p.desired === p.machines && p.ready === p.desired);
  if (right && machines.every((m) => !m.metadata.deletionTimestamp)) return undefined;
  const isRolling = s.infrastructure.rollout !== undefined;
  if (!isRolling && (sum('machines') > sum('desired') || machines.some((m) => m.metadata.deletionTimestamp)))
    return bad(CONDITIONS.ready, 'ScalingDown', scalingDown(machines));
  // Machines that cannot be made, or may not be removed, are not waited for in silence.
  const behind = findCondition(s.infrastructure.conditions, CONDITIONS.upToDate);
  if (behind?.status === 'False' && sum('machines') < sum('desired') && !WAITS_BY_ITSELF.has(behind.reason))
    return passOn(behind);
  return bad(
    CONDITIONS.ready,
    'NodesPending',
    `${sum('ready')} of ${plural(sum('desired'), 'node')} ready, ${sum('joined')} joined`,
  );
}

/** Reasons of UpToDate that keep no machine from being made. */
const WAITS_BY_ITSELF = new Set([
  'RollingOut',
  'OutsideMaintenanceWindow',
  'WaitingForHealth',
  'WaitingForAddons',
  'UpgradeBlocked',
  'Paused',
  'EmergencyStop',
]);

/** What goes on, and what holds up the first machine that cannot leave. */
function scalingDown(machines: readonly Machine[]): string {
  const held = machines
    .flatMap((m) => {
      const says = m.metadata.deletionTimestamp && cannotLeave(m);
      return says ? [`${m.metadata.name}: ${says}`] : [];
    })
    .sort();
  const what = 'machines that are no longer asked for are being removed';
  const more = held.length > 1 ? ` (and ${held.length - 1} more)` : '';
  return held[0] ? `${what}; held up${more}: ${held[0]}` : what;
}

function reachable({ cluster }: SummaryInput): ConditionInput | undefined {
  const c = findCondition(cluster.status?.health?.conditions, 'Reachable');
  return c?.status === 'False' ? passOn(c) : undefined;
}

function deletion({ cluster, machines, infrastructure: i }: SummaryInput): ConditionInput {
  const finalizers = cluster.metadata.finalizers ?? [];
  if (finalizers.includes(FINALIZERS.addons))
    return bad(CONDITIONS.ready, 'Deleting', 'the addons and what they made in the cloud go first');
  const stop = findCondition(i.conditions, CONDITIONS.emergencyStop);
  if (stop?.status === 'True') return passOn(stop);
  const waits = [CONDITIONS.machines, CONDITIONS.endpoint, CONDITIONS.network]
    .map((type) => findCondition(i.conditions, type))
    .find(
      (c) => c?.status === 'False' && c.reason !== 'Deleting' && c.reason !== 'Building' && c.reason !== 'Removing',
    );
  if (waits && waits.reason !== 'Deleted') return passOn(waits);
  return bad(
    CONDITIONS.ready,
    'Deleting',
    machines.length > 0 ? 'machines are being deleted' : 'endpoint and network are being deleted',
  );
}
