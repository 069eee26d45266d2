import { describe, expect, it } from 'vitest';
import type { EventLine } from './events.ts';
import { lastLogLine } from './machines.ts';

const failed = (message: string, object = 'Machine/m', reason = 'StepFailed'): EventLine => ({
  time: '2026-01-01T00:00:00Z',
  type: 'Warning',
  reason,
  object,
  message,
  count: 1,
});

describe('the last line of the log of a failed step', () => {
  it.each<[string, EventLine[], string | undefined]>([
    ['is that of its event', [failed('join failed:\na\nb\n\n')], 'b'],
    ['is that of the latest failure', [failed('join failed:\nold'), failed('join failed:\nnew')], 'new'],
    [
      'is that of the last of several events',
      [failed('join failed (1/2):\na'), failed('join failed (2/2):\nb'), failed('join failed (1/2):\nc')],
      'b',
    ],
    ['is not that of another step', [failed('init failed:\na')], undefined],
    ['is not that of another machine', [failed('join failed:\na', 'Machine/m2')], undefined],
    ['is not that of an event of another reason', [failed('join failed:\na', 'Machine/m', 'Other')], undefined],
    ['is not there where the machine sent none', [failed('join failed; the machine sent no log')], undefined],
  ])('%s', (_what, events, line) => {
    expect(lastLogLine('m', 'join', events)).toBe(line);
  });
});
