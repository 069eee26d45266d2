import { type Condition, type ConditionInput, emergencyStopMessage, findCondition, type Machine } from '@shoto/api';
import { bad, CONDITIONS, good } from '../conditions.ts';
import type { Deps } from '../deps.ts';
import { type Hold, healthHold } from './gates.ts';
import type { Plan } from './plan-machines.ts';
import { CONTROL_PLANE, type Pool } from './pools.ts';
import { addonsLag, type Progress } from './release-step.ts';
import { hasJoined, isLeaving } from './standing.ts';

/** What UpToDate is made of. */
export interface UpToDateInput {
  plan: Plan;
  pools: readonly Pool[];
  machines: readonly Machine[];
  progress: Progress;
  paused: boolean;
}

/**
 * UpToDate: whether every machine is as the spec asks for; else how many are not, which step of the way it is, and what is waited for. The text changes with
 * a replaced machine, and with what holds the others, and with nothing else.
 *
 * @param stated - what is stated now: while a cluster is paused less is known than before
 * @returns undefined where nothing can be said
 */
export function upToDate(i: UpToDateInput, stated?: Condition): ConditionInput | undefined {
  const { plan } = i;
  const asked = (i.pools.find((p) => p.name === CONTROL_PLANE) as Pool).release;
  const behind = [...plan.outdated.values()].reduce((sum, n) => sum + n, 0);
  const lag = plan.step.current !== undefined && addonsLag(i.progress, plan.step.current);
  const [problem] = plan.problems;
  const shortage = plan.quota?.shortage;
  if (behind === 0 && !plan.held && !problem && !shortage && !lag && !(i.paused && stated?.status !== 'True'))
    return good(CONDITIONS.upToDate, 'UpToDate', 'every machine is made from what the spec asks for');
  const total = i.pools.reduce((n, p) => n + p.count, 0);
  const says = (hold: Hold) =>
    bad(CONDITIONS.upToDate, hold.reason, behind > 0 ? `${progress(behind, total)}: ${hold.message}` : hold.message);
  if (i.paused && !stated && behind === 0) return undefined;
  if (i.paused)
    return says({
      reason: 'Paused',
      message: 'nothing is replaced while spec.paused is true; set it to false to go on',
    });
  if (behind > 0 && plan.gates.removals) return says(plan.gates.removals);
  if (plan.held) return says(plan.held);
  if (plan.step.blocked) return says(plan.step.blocked);
  if (problem) return says(problem);
  if (shortage) return says(shortage);
  if (behind > 0 && plan.gates.starts) return says(plan.gates.starts);
  if (behind > 0 && plan.gates.sick.length > 0) return says(healthHold(plan.gates.sick));
  if (lag && (behind === 0 || plan.step.waits === 'Addons'))
    return says({
      reason: 'WaitingForAddons',
      message: `kube-proxy and CoreDNS are being brought to ${plan.step.current}; it goes on by itself`,
    });
  if (plan.step.waits === 'AddonBundles')
    return says({
      reason: 'WaitingForAddonBundles',
      message: `the control plane goes to ${plan.step.way[0]} when every addon fits it: ${
        i.progress.bundles?.says ??
        'addon-manager has not said so yet (status.addons.readyFor); it goes on by itself when it does'
      }`,
    });
  const way = plan.release === asked ? '' : `; on the way to ${asked} the control plane goes to ${plan.release} now`;
  const held = heldUp(i.machines);
  return bad(CONDITIONS.upToDate, 'RollingOut', `${progress(behind, total)}${way}${held ? `; held up${held}` : ''}`);
}

const progress = (behind: number, total: number): string =>
  `${behind} of ${total} machine${total === 1 ? '' : 's'} still to be replaced`;

/** The first machine that cannot come or go, and why, for the end of a line: ` (and 2 more): web-x: ...`; undefined where there is none. */
export function heldUp(machines: readonly Machine[]): string | undefined {
  const held = machines
    .flatMap((m) => {
      const says = isLeaving(m) ? cannotLeave(m) : hasJoined(m) ? undefined : (withoutServer(m) ?? cannotJoin(m));
      return says === undefined ? [] : [`${m.metadata.name}: ${says}`];
    })
    .sort();
  const more = held.length > 1 ? ` (and ${held.length - 1} more)` : '';
  return held[0] && `${more}: ${held[0]}`;
}

/** Why a leaving machine's node is still there, unless it is just on its way. */
export function cannotLeave(m: Machine): string | undefined {
  const c = findCondition(m.status?.bootstrap?.conditions, 'Drained');
  return c?.status === 'False' && c.reason !== 'Draining' ? c.message : undefined;
}

/** Why Kubernetes could not be installed on a machine. */
export function cannotJoin(m: Machine): string | undefined {
  const c = findCondition(m.status?.bootstrap?.conditions, 'Joined');
  return c?.status === 'False' && c.reason !== 'Installing' ? c.message : undefined;
}

function withoutServer(m: Machine): string | undefined {
  const c = findCondition(m.status?.server?.conditions, CONDITIONS.server);
  return c?.status === 'False' ? c.message : undefined;
}

/**
 * EmergencyStop: True while it is on. Not stated before it was on for the first time, nor while it is not known.
 *
 * @param stated - the cluster has said so before
 */
export function emergencyStop(stop: ReturnType<Deps['emergencyStop']>, stated: boolean): ConditionInput | undefined {
  if (stop === 'unknown') return undefined;
  if (stop) return good(CONDITIONS.emergencyStop, 'EmergencyStop', emergencyStopMessage(stop.stop));
  return stated ? bad(CONDITIONS.emergencyStop, 'Resumed', 'the emergency stop of the fleet is off') : undefined;
}
