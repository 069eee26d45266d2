import { DAYS, type MaintenanceWindow } from '@shoto/api';
import { CliError, EXIT } from './errors.ts';

const FORM = /^(?:([A-Za-z]+(?:[,-][A-Za-z]+)*)\s+)?(\d{1,2}:\d{2})-(\d{1,2}:\d{2})(?:\s+(\S+))?$/;
const DAY_MINUTES = 24 * 60;

const titled = (day: string): string => day[0]!.toUpperCase() + day.slice(1).toLowerCase();
const padded = (time: string): string => time.padStart(5, '0');
const minutes = (time: string): number => {
  const [h, m] = time.split(':').map(Number) as [number, number];
  return h * 60 + m;
};

/** `Mon-Fri` as its days; a day that there is not is passed on, so that the server names it. */
function daysOf(part: string): string[] {
  const [from, to] = part.split('-').map(titled) as [string, string | undefined];
  const all: readonly string[] = DAYS;
  const [a, b] = [all.indexOf(from), to === undefined ? -1 : all.indexOf(to)];
  if (to === undefined) return [from];
  if (a < 0 || b < 0) return [from, to];
  return Array.from({ length: ((b - a + 7) % 7) + 1 }, (_, i) => all[(a + i) % 7]!);
}

/**
 * A maintenance window as it is typed: `Sat,Sun 02:00-06:00 Asia/Tokyo`. Without days every day, without a zone UTC; an end that is not after
 * the start is on the next day.
 *
 * @returns null for `none`
 * @throws {CliError} showing the form
 */
export function parseWindow(text: string): Record<string, unknown> | null {
  if (text.trim() === 'none') return null;
  const m = FORM.exec(text.trim());
  if (!m)
    throw new CliError(
      EXIT.usage,
      `--maintenance-window ${JSON.stringify(text)}: write "Sat,Sun 02:00-06:00 Asia/Tokyo" (days and time zone may be left out), or none`,
    );
  const [, days, start = '', end = '', timeZone = 'UTC'] = m;
  const lasts = (minutes(end) - minutes(start) + DAY_MINUTES) % DAY_MINUTES || DAY_MINUTES;
  return {
    // All of them, since what is not named would stay as it was.
    days: days === undefined ? [...DAYS] : [...new Set(days.split(',').flatMap(daysOf))],
    start: padded(start),
    durationMinutes: lasts,
    timeZone,
  };
}

/** A window as it is typed. */
export function windowText(w: MaintenanceWindow): string {
  const end = (minutes(w.start) + w.durationMinutes) % DAY_MINUTES;
  const days = DAYS.every((d) => w.days.includes(d)) ? 'daily' : DAYS.filter((d) => w.days.includes(d)).join(',');
  const clock = [Math.floor(end / 60), end % 60].map((n) => String(n).padStart(2, '0')).join(':');
  return `${days} ${w.start}-${clock} ${w.timeZone}`;
}
