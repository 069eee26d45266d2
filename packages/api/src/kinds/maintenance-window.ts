/** Days of a maintenance window, as they are written. */
export const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const;
/** A time of day: HH:MM. */
export const TIME_OF_DAY = /^([01][0-9]|2[0-3]):[0-5][0-9]$/;
/** What is said of a time zone that does not exist. */
export const NO_TIME_ZONE =
  'there is no such time zone: name one of the IANA database, such as UTC, Asia/Tokyo or Europe/Berlin';

/** A window as the spec has it. */
export interface Window {
  timeZone: string;
  days: readonly (typeof DAYS)[number][];
  start: string;
  durationMinutes: number;
}

/** Whether there is such a time zone (IANA time zone database). */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** The wall clock of a time zone. */
interface Wall {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function wallOf(at: number, timeZone: string): Wall {
  let format = formats.get(timeZone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
    });
    formats.set(timeZone, format);
  }
  const parts = Object.fromEntries(format.formatToParts(at).map((p) => [p.type, Number(p.value)]));
  return parts as unknown as Wall;
}

const asUtc = (w: Wall): number => Date.UTC(w.year, w.month - 1, w.day, w.hour, w.minute);

/** The moment at which a time zone's wall clock shows this; where it is skipped, the moment just after. */
function momentOf(wall: Wall, timeZone: string): number {
  const wanted = asUtc(wall);
  let at = wanted;
  // Two steps suffice: the offset of a zone changes by at most a few hours, and seldom.
  for (let i = 0; i < 3; i++) at += wanted - asUtc(wallOf(at, timeZone));
  return at;
}

/** When a window opens and closes, milliseconds since the epoch. */
export interface Opening {
  opensAt: number;
  closesAt: number;
}

/**
 * The opening of a window that is going on, or else the next one.
 *
 * @param now - milliseconds since the epoch
 */
export function openingOf(w: Window, now: number): Opening {
  const [hour, minute] = w.start.split(':').map(Number) as [number, number];
  const today = wallOf(now, w.timeZone);
  // From yesterday on, since a window may reach past midnight; a week and a day later each day has come once.
  for (let d = -1; d <= 8; d++) {
    const date = new Date(Date.UTC(today.year, today.month - 1, today.day) + d * DAY_MS);
    const day = DAYS[(date.getUTCDay() + 6) % 7] as (typeof DAYS)[number];
    if (!w.days.includes(day)) continue;
    const opensAt = momentOf(
      { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate(), hour, minute },
      w.timeZone,
    );
    const closesAt = opensAt + w.durationMinutes * MINUTE_MS;
    if (closesAt > now) return { opensAt, closesAt };
  }
  throw new RangeError(`a maintenance window on ${w.days.join(', ') || 'no day'} never opens`);
}

/** Whether a window is open. No window: always. */
export const isOpen = (w: Window | undefined, now: number): boolean => !w || openingOf(w, now).opensAt <= now;
