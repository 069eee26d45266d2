import { ANNOTATIONS, type Metadata } from './meta.ts';

/** Whether a Machine is kept for study now, was until a moment ago, or never was. */
export type Keep = { state: 'no' } | { state: 'kept' | 'over'; until: number; reason: string };

/**
 * What the keep-mark of a Machine says. A mark that cannot be read keeps the machine: better one too many than evidence lost.
 *
 * @param now - milliseconds since the epoch
 */
export function keepOf({ metadata }: { metadata: Pick<Metadata, 'annotations'> }, now: number): Keep {
  const mark = metadata.annotations?.[ANNOTATIONS.keepUntil];
  if (mark === undefined) return { state: 'no' };
  const at = Date.parse(mark);
  const until = Number.isNaN(at) ? Number.POSITIVE_INFINITY : at;
  return { state: until > now ? 'kept' : 'over', until, reason: metadata.annotations?.[ANNOTATIONS.keepReason] ?? '' };
}
