import type { KubeObject } from '../types.ts';
import { at, isRecord, list, record, text } from '../util/json.ts';

import { ageOf, humanDuration } from './duration.ts';
import { type Cells, conditionOf, count, orNone } from './format.ts';

/** The one word that says how a pod is, as kubectl's STATUS column. */
function reasonOf(pod: KubeObject): {
  reason: string;
  ready: number;
  restarts: number;
  lastRestart: string | undefined;
} {
  const status = record(pod.status);
  let reason = text(status.reason) || text(status.phase);
  if (
    list(at(pod, 'spec', 'schedulingGates')).length > 0 &&
    conditionOf(status, 'PodScheduled')?.reason === 'SchedulingGated'
  )
    reason = 'SchedulingGated';
  const inits = list(at(pod, 'spec', 'initContainers'));
  let initializing = false;
  let restarts = 0;
  let ready = 0;
  let lastRestart: string | undefined;
  const ended = (c: unknown): void => {
    const at_ = text(at(c, 'lastState', 'terminated', 'finishedAt'));
    if (at_ !== '' && (lastRestart === undefined || at_ > lastRestart)) lastRestart = at_;
  };
  for (const [i, c] of list(status.initContainerStatuses).entries()) {
    restarts += count(record(c).restartCount);
    ended(c);
    const terminated = at(c, 'state', 'terminated');
    if (isRecord(terminated) && terminated.exitCode === 0) continue;
    const waiting = text(at(c, 'state', 'waiting', 'reason'));
    if (isRecord(terminated)) reason = `Init:${text(terminated.reason) || `ExitCode:${String(terminated.exitCode)}`}`;
    else if (waiting !== '' && waiting !== 'PodInitializing') reason = `Init:${waiting}`;
    else reason = `Init:${i}/${inits.length}`;
    initializing = true;
    break;
  }
  if (!initializing) {
    restarts = 0;
    let running = false;
    for (const c of list(status.containerStatuses).slice().reverse()) {
      restarts += count(record(c).restartCount);
      ended(c);
      const waiting = text(at(c, 'state', 'waiting', 'reason'));
      const terminated = at(c, 'state', 'terminated');
      if (waiting !== '') reason = waiting;
      else if (isRecord(terminated))
        reason =
          text(terminated.reason) ||
          (terminated.signal ? `Signal:${String(terminated.signal)}` : `ExitCode:${String(terminated.exitCode)}`);
      else if (record(c).ready === true && isRecord(at(c, 'state', 'running'))) {
        running = true;
        ready += 1;
      }
    }
    if (reason === 'Completed' && running)
      reason = conditionOf(status, 'Ready')?.status === 'True' ? 'Running' : 'NotReady';
  }
  if (pod.metadata.deletionTimestamp) reason = status.reason === 'NodeLost' ? 'Unknown' : 'Terminating';
  return { reason, ready, restarts, lastRestart };
}

/** Rows of pods. */
export const podCells: Record<string, Cells> = {
  pods: (o, nowMs) => {
    const { reason, ready, restarts, lastRestart } = reasonOf(o);
    const restarted =
      restarts > 0 && lastRestart !== undefined
        ? `${restarts} (${humanDuration(nowMs - Date.parse(lastRestart))} ago)`
        : String(restarts);
    const gates = list(at(o, 'spec', 'readinessGates')).filter(isRecord);
    const open = gates.filter((g) => conditionOf(o.status, text(g.conditionType))?.status === 'True').length;
    return [
      o.metadata.name,
      `${ready}/${list(at(o, 'spec', 'containers')).length}`,
      reason,
      restarted,
      ageOf(o.metadata.creationTimestamp, nowMs),
      orNone(at(o, 'status', 'podIP')),
      orNone(at(o, 'spec', 'nodeName')),
      orNone(at(o, 'status', 'nominatedNodeName')),
      gates.length === 0 ? '<none>' : `${open}/${gates.length}`,
    ];
  },
};
