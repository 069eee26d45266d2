import type { Clock } from '@shoto/service';
import { idOf } from '../apply/inventory.ts';
import { noteChange } from '../health/known.ts';
import { type Memory, suspect } from '../memory.ts';
import { DriftWatches, type Sighting } from './watches.ts';

/** What {@link observe} needs. */
export interface ObserveOptions {
  memory: Memory;
  clock: Pick<Clock, 'now' | 'after'>;
  /** A pass over a cluster, by UID, is needed. */
  onNews: (uid: string) => void;
  /** An object came, changed or went. */
  onSight?: () => void;
  onError: (uid: string, e: unknown) => void;
}

/** Watches that remember what they tell: what may have drifted asks for a pass at once, a change of what tells of an addon's health for one some seconds later. */
export function observe(o: ObserveOptions): DriftWatches {
  const later = new Map<string, () => void>();
  const take = (uid: string, s: Sighting): void => {
    const memory = o.memory.of(uid);
    if (suspect(memory, s)) o.onNews(uid);
    const afterMs = noteChange(memory, s, o.clock.now());
    if (afterMs === undefined || later.has(uid)) return;
    later.set(
      uid,
      o.clock.after(afterMs, () => {
        later.delete(uid);
        o.onNews(uid);
      }),
    );
  };
  const watches: DriftWatches = new DriftWatches({
    onSight: (uid, s) => {
      take(uid, s);
      o.onSight?.();
    },
    // What of a kind is not there any more, though nobody saw it go.
    onKnown: (uid, kind) => {
      for (const [addon, { items }] of o.memory.of(uid).inventories ?? [])
        for (const i of items) {
          const key = i.namespace ? `${i.namespace}/${i.name}` : i.name;
          if (!idOf(i).startsWith(`${kind}/`) || watches.owned(uid, kind, key) !== undefined) continue;
          take(uid, { addon, id: idOf(i), owned: undefined });
        }
    },
    onError: o.onError,
    onForget: (uid) => {
      later.get(uid)?.();
      later.delete(uid);
    },
  });
  return watches;
}
