import { describe, expect, it } from 'vitest';
import { type Action, isOpen, ladderOf, nextNumber, type Order } from './ladder.ts';
import { DEFAULTS } from './settings.ts';
import type { Ailment } from './symptoms.ts';

const T = Date.parse('2026-11-01T12:00:00Z');
const MIN = 60_000;

const order = (action: Action, minute: number, reason = 'NodeSilent', number = 1): Order => ({
  number,
  action,
  at: new Date(T + minute * MIN).toISOString(),
  reason,
});

/** The step for a machine that fell sick at T and is due at T + 5. */
const step = (
  reason: Ailment,
  o: { last?: Order; handled?: number; carriedOut?: number; from?: number; ran?: boolean } = {},
) => {
  const s = ladderOf({
    symptom: { reason, kind: 'node', since: T, dueAt: T + 5 * MIN },
    from: T + (o.from ?? 0) * MIN,
    order: o.last,
    handled: o.handled ?? o.last?.number ?? 0,
    carriedOutAt: o.carriedOut === undefined ? undefined : T + o.carriedOut * MIN,
    ran: o.ran ?? true,
    settings: DEFAULTS,
  });
  return s.kind === 'ordered' ? `ordered, stuck at ${(s.stuckAt - T) / MIN}` : `${s.action} at ${(s.at - T) / MIN}`;
};

describe('the first rung', () => {
  it.each<[Ailment, string]>([
    ['NodeSilent', 'Reboot'],
    ['NodeNotReady', 'Reboot'],
    ['NodeMissing', 'Reboot'],
    ['ServerStopped', 'HardReboot'],
    ['ServerFailed', 'HardReboot'],
    ['ServerGone', 'Replace'],
    ['NeverJoined', 'Replace'],
    ['TicketExpired', 'Replace'],
    ['TicketMisused', 'Replace'],
    ['ReadonlyFilesystem', 'HardReboot'],
    ['KernelDeadlock', 'HardReboot'],
    ['DiskPressure', 'Replace'],
    ['MemoryPressure', 'Reboot'],
    ['PIDPressure', 'Reboot'],
  ])('of %s is %s', (reason, action) => {
    expect(step(reason)).toBe(`${action} at 5`);
  });

  it('of a server that failed before it ever ran is a new machine', () => {
    expect(step('ServerFailed', { ran: false })).toBe('Replace at 5');
  });
});

describe('the next rung', () => {
  it.each<[string, string, Parameters<typeof step>[1]]>([
    ['a reboot has five minutes from the deed', 'HardReboot at 13', { last: order('Reboot', 5), carriedOut: 8 }],
    ['or from the order, when nobody saw the deed', 'HardReboot at 10', { last: order('Reboot', 5) }],
    ['a hard reboot has ten', 'Replace at 16', { last: order('HardReboot', 5), carriedOut: 6 }],
    ['an order that is not carried out holds it', 'ordered, stuck at 15', { last: order('Reboot', 5), handled: 0 }],
    ['so does a replacement as long as the machine is there', 'ordered, stuck at 15', { last: order('Replace', 5) }],
    ['a machine well for less than an hour goes on', 'HardReboot at 5', { last: order('Reboot', -40) }],
    ['a machine well for an hour begins anew', 'Reboot at 5', { last: order('Reboot', -66) }],
  ])('%s', (_title, expected, o) => {
    expect(step('NodeSilent', o)).toBe(expected);
  });

  it('is never a weaker one when the machine ails of something else', () => {
    expect(step('MemoryPressure', { last: order('HardReboot', -20) })).toBe('Replace at 5');
    expect(step('ReadonlyFilesystem', { last: order('Reboot', -20) })).toBe('HardReboot at 5');
  });

  it('waits for nothing where nothing could still help', () => {
    expect(step('ServerGone', { last: order('HardReboot', 4) })).toBe('Replace at 5');
  });

  it('starts a server that is off twice, then replaces it', () => {
    const first = order('HardReboot', -20, 'ServerStopped');
    expect(step('ServerStopped', { last: first })).toBe('HardReboot at 5');
    const again = order('HardReboot', -20, 'ServerStoppedAgain');
    expect(step('ServerStopped', { last: again })).toBe('Replace at 5');
  });
});

describe('numbers of orders', () => {
  it('grow, also past one that was taken back', () => {
    expect(nextNumber(undefined, 0)).toBe(1);
    expect(nextNumber(order('Reboot', 0, 'x', 4), 4)).toBe(5);
    expect(nextNumber(undefined, 4)).toBe(5);
  });
  it('say whether the order is carried out', () => {
    expect(isOpen(undefined, 0)).toBe(false);
    expect(isOpen(order('Reboot', 0, 'x', 2), 1)).toBe(true);
    expect(isOpen(order('Reboot', 0, 'x', 2), 2)).toBe(false);
  });
});
