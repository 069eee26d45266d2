import { emergencyStopMessage, type Keep, type Machine, timestamp } from '@shoto/api';
import type { Outcome } from '@shoto/reconciler';
import { backInService, kept } from '../events.ts';
import type { MachineDeps } from '../machine-deps.ts';
import { names, podKey } from '../workload/drain.ts';
import { uncordon } from '../workload/node.ts';
import type { Kube } from '../world.ts';
import { drainRound, ROUND_MS } from './drain-node.ts';
import { held } from './leave.ts';
import { drainedOf, say, unsayDrained } from './say.ts';

const STOPPED_AGAIN_MS = 15_000;

/** Whether a keep-mark was acted on and is not taken back yet: what is said of a Machine that nobody deletes. */
export const isTakenOut = (m: Machine): boolean => drainedOf(m) !== undefined;

/**
 * A machine that is kept for study: its pods are moved, its node stays, marked.
 *
 * @throws {WaitingError} while something holds the drain, which is said on the Machine
 */
export async function keepNode(
  d: MachineDeps,
  workload: Kube,
  machine: Machine,
  keep: Exclude<Keep, { state: 'no' }>,
  signal: AbortSignal,
): Promise<Outcome> {
  const said = drainedOf(machine)?.reason;
  if (said === 'Kept') return undefined;
  const stop = d.emergencyStop();
  if (stop) {
    if (stop !== 'unknown') await say(d, machine, 'EmergencyStop', emergencyStopMessage(stop));
    return { requeueAfterMs: STOPPED_AGAIN_MS };
  }
  const until = Number.isFinite(keep.until) ? ` until ${timestamp(keep.until)}` : '';
  // Said before the deed, so that whoever takes the mark away finds what is to be undone.
  const known =
    said && said !== 'EmergencyStop'
      ? machine
      : await say(d, machine, 'Draining', `it is kept for study${until}: its pods are being moved to other nodes`);
  if (!known) return undefined;
  const round = await drainRound(workload, known, { keep: true, isMemberGone: false, now: d.clock.now() }, signal);
  if (round.state === 'going') return { requeueAfterMs: ROUND_MS };
  if (round.state === 'held') return held(d, known, round.held);
  const left = round.state === 'out' && round.left.length > 0 ? `; left on it: ${names(round.left.map(podKey))}` : '';
  const why = keep.reason ? ` (${keep.reason})` : '';
  const message = `it is out of service and kept for study${until}${why}${left}`;
  await say(d, known, 'Kept', message, 'True');
  await kept(d.events, known, message);
  return undefined;
}

/** The keep-mark was taken away before its time: the node is in service again. Safe to repeat. */
export async function unkeepNode(d: MachineDeps, workload: Kube, machine: Machine, signal: AbortSignal): Promise<void> {
  await uncordon(workload, machine.metadata.name, signal);
  await unsayDrained(d, machine);
  await backInService(d.events, machine);
}
