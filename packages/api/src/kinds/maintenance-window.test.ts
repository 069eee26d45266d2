import { describe, expect, it } from 'vitest';
import { DAYS, isOpen, isTimeZone, openingOf, type Window } from './maintenance-window.ts';

const at = (iso: string): number => Date.parse(iso);
const window = (w: Partial<Window> = {}): Window => ({
  timeZone: 'UTC',
  days: [...DAYS],
  start: '02:00',
  durationMinutes: 120,
  ...w,
});
const iso = (o: { opensAt: number; closesAt: number }) => [o.opensAt, o.closesAt].map((t) => new Date(t).toISOString());

describe('a maintenance window', () => {
  it('is open from its start on, and closed at its end', () => {
    const w = window();
    expect(isOpen(w, at('2026-06-01T01:59:59Z'))).toBe(false);
    expect(isOpen(w, at('2026-06-01T02:00:00Z'))).toBe(true);
    expect(isOpen(w, at('2026-06-01T03:59:59Z'))).toBe(true);
    expect(isOpen(w, at('2026-06-01T04:00:00Z'))).toBe(false);
  });

  it('is always open where there is none', () => {
    expect(isOpen(undefined, 0)).toBe(true);
  });

  it('opens next on one of its days', () => {
    // 1 June 2026 is a Monday.
    expect(iso(openingOf(window({ days: ['Sat'] }), at('2026-06-01T12:00:00Z')))[0]).toBe('2026-06-06T02:00:00.000Z');
    expect(iso(openingOf(window({ days: ['Mon'] }), at('2026-06-01T12:00:00Z')))[0]).toBe('2026-06-08T02:00:00.000Z');
  });

  it('reaches past midnight', () => {
    const w = window({ start: '23:00', days: ['Sun'], durationMinutes: 240 });
    expect(isOpen(w, at('2026-06-01T02:30:00Z'))).toBe(true);
    expect(isOpen(w, at('2026-06-01T03:30:00Z'))).toBe(false);
  });

  it('goes by the clock of its zone, in summer and in winter', () => {
    const w = window({ timeZone: 'Europe/Berlin' });
    expect(iso(openingOf(w, at('2026-07-01T12:00:00Z')))[0]).toBe('2026-07-02T00:00:00.000Z');
    expect(iso(openingOf(w, at('2026-12-01T12:00:00Z')))[0]).toBe('2026-12-02T01:00:00.000Z');
  });

  it('opens also on the day on which its hour is skipped', () => {
    // On 29 March 2026 the clock of Berlin goes from 02:00 to 03:00.
    const { opensAt, closesAt } = openingOf(window({ timeZone: 'Europe/Berlin' }), at('2026-03-29T00:30:00Z'));
    expect(closesAt - opensAt).toBe(120 * 60_000);
    expect(Math.abs(opensAt - at('2026-03-29T01:00:00Z'))).toBeLessThanOrEqual(3_600_000);
  });

  it('opens on the other side of the date line', () => {
    const w = window({ timeZone: 'Pacific/Kiritimati', days: ['Mon'], start: '00:30' });
    expect(iso(openingOf(w, at('2026-05-31T00:00:00Z')))[0]).toBe('2026-05-31T10:30:00.000Z');
  });
});

it('knows the time zones that there are', () => {
  expect(['UTC', 'Asia/Tokyo', 'Mars/Olympus', ''].map(isTimeZone)).toEqual([true, true, false, false]);
});
