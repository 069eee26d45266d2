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

/** A drain does not get on. */
export const drainHeld = (events: Events, m: Machine, reason: string, message: string): Promise<void> =>
  events({ ...about(m), type: 'Warning', reason, action: 'Drain', message });
