import { API_VERSION, type Machine } from '@shoto/api';
import type { EventRecord } from '@shoto/kube';
import { uidOf } from './world.ts';

/** Where events go. */
export type Events = (e: EventRecord) => Promise<void>;

/** Characters of a machine's log that fit into one event beside its first words; the API takes 1,024. */
const CHUNK = 900;

const about = (m: Machine): Pick<EventRecord, 'regarding' | 'reportingController'> => ({
  regarding: {
    apiVersion: API_VERSION,
    kind: 'Machine',
    name: m.metadata.name,
    uid: uidOf(m),
    ...(m.metadata.namespace ? { namespace: m.metadata.namespace } : {}),
  },
  reportingController: 'shoto.dev/bootstrap-worker',
});

/** Text in pieces of at most `size` characters, broken between lines where there are any. */
export function chunks(text: string, size = CHUNK): string[] {
  const pieces: string[] = [];
  let piece = '';
  for (const line of text.split('\n').flatMap((l) => l.match(new RegExp(`.{1,${size}}`, 'gu')) ?? [''])) {
    if (piece && piece.length + 1 + line.length > size) {
      pieces.push(piece);
      piece = line;
    } else piece = piece ? `${piece}\n${line}` : line;
  }
  return piece.trim() ? [...pieces, piece] : pieces;
}

/** A step failed: the last lines of its log, in as many events as they need. */
export async function stepFailed(events: Events, m: Machine, step: string, log: string): Promise<void> {
  const pieces = chunks(log);
  const total = Math.max(1, pieces.length);
  for (let i = 0; i < total; i++) {
    const part = total > 1 ? ` (${i + 1}/${total})` : '';
    await events({
      ...about(m),
      type: 'Warning',
      reason: 'StepFailed',
      action: 'Join',
      message: pieces[i] ? `${step} failed${part}:\n${pieces[i]}` : `${step} failed; the machine sent no log`,
    });
  }
}

/** Somebody has the ticket of this machine: it lay in user-data, so whoever could read that is suspect. */
export const ticketMisused = (events: Events, m: Machine): Promise<void> =>
  events({
    ...about(m),
    type: 'Warning',
    reason: 'TicketUsed',
    action: 'CheckIn',
    message:
      'the ticket of this machine was shown a second time with another key, and refused: its user-data was read by somebody else, or its disk was lost; replace the machine',
  });

/** A ticket came too late. */
export const ticketExpired = (events: Events, m: Machine, message: string): Promise<void> =>
  events({ ...about(m), type: 'Warning', reason: 'TicketExpired', action: 'CheckIn', message });

/** The release cannot be turned into configuration. */
export const releaseInvalid = (events: Events, m: Machine, message: string): Promise<void> =>
  events({ ...about(m), type: 'Warning', reason: 'ReleaseInvalid', action: 'CheckIn', message });

/** A drain begins. @param pods - how many have to move */
export const drainBegun = (events: Events, m: Machine, pods: number): Promise<void> =>
  events({
    ...about(m),
    type: 'Normal',
    reason: 'Draining',
    action: 'Drain',
    message: `its node takes no new pods, and ${pods === 1 ? '1 pod is' : `${pods} pods are`} moved to other nodes`,
  });

/** A drain does not get on. */
export const drainHeld = (events: Events, m: Machine, reason: string, message: string): Promise<void> =>
  events({ ...about(m), type: 'Warning', reason, action: 'Drain', message });

/** A drain is given up. */
export const drainTimedOut = (events: Events, m: Machine, message: string): Promise<void> =>
  events({ ...about(m), type: 'Warning', reason: 'DrainTimedOut', action: 'Drain', message });

/** Volumes are not waited for any longer. */
export const volumesTimedOut = (events: Events, m: Machine, message: string): Promise<void> =>
  events({ ...about(m), type: 'Warning', reason: 'DetachTimedOut', action: 'Drain', message });

/** The node is out of its cluster. */
export const nodeRemoved = (events: Events, m: Machine): Promise<void> =>
  events({
    ...about(m),
    type: 'Normal',
    reason: 'NodeRemoved',
    action: 'Drain',
    message: 'its node is out of the cluster: the server may go',
  });

/** The node is out of service for study. */
export const kept = (events: Events, m: Machine, message: string): Promise<void> =>
  events({ ...about(m), type: 'Normal', reason: 'Kept', action: 'Keep', message });

/** The node is in service again. */
export const backInService = (events: Events, m: Machine): Promise<void> =>
  events({
    ...about(m),
    type: 'Normal',
    reason: 'BackInService',
    action: 'Keep',
    message: 'it is no longer kept for study: its node takes pods again',
  });
