import { type MaintenanceWindow, openingOf } from '@shoto/api';
import { describe, expect, it } from 'vitest';
import { parseWindow, windowText } from './window.ts';

const EVERY = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];

describe('a window is read', () => {
  it.each<[string, object | null]>([
    [
      'Sat,Sun 02:00-06:00 Asia/Tokyo',
      { days: ['Sat', 'Sun'], start: '02:00', durationMinutes: 240, timeZone: 'Asia/Tokyo' },
    ],
    ['02:00-04:30', { days: EVERY, start: '02:00', durationMinutes: 150, timeZone: 'UTC' }],
    [
      'fri-MON 9:00-10:00',
      { days: ['Fri', 'Sat', 'Sun', 'Mon'], start: '09:00', durationMinutes: 60, timeZone: 'UTC' },
    ],
    [
      'Mon-Tue,Sat 22:00-02:00 Europe/Berlin',
      { days: ['Mon', 'Tue', 'Sat'], start: '22:00', durationMinutes: 240, timeZone: 'Europe/Berlin' },
    ],
    ['00:00-00:00', { days: EVERY, start: '00:00', durationMinutes: 1440, timeZone: 'UTC' }],
    ['Foo 02:00-03:00', { days: ['Foo'], start: '02:00', durationMinutes: 60, timeZone: 'UTC' }],
    ['none', null],
  ])('%s', (text, window) => expect(parseWindow(text)).toEqual(window));

  it.each(['', 'weekends', '02:00', 'Sat 2-4', 'Sat 02:00-04:00 Asia/Tokyo x'])('but not %j', (text) => {
    expect(() => parseWindow(text)).toThrow(/write "Sat,Sun 02:00-06:00 Asia\/Tokyo"/);
  });
});

it.each(['Sat,Sun 02:00-06:00 Asia/Tokyo', 'Fri 22:00-02:00 UTC'])('is written as it is read: %s', (text) => {
  const window = parseWindow(text) as MaintenanceWindow;
  expect(windowText(window)).toBe(text);
  // What is written means something.
  expect(openingOf(window, Date.parse('2026-01-01T00:00:00Z')).closesAt).toBeGreaterThan(0);
});

it('of every day is written so', () => {
  expect(windowText(parseWindow('02:00-04:00') as MaintenanceWindow)).toBe('daily 02:00-04:00 UTC');
});
