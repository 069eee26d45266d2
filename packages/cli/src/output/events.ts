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
