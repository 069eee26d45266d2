import type { Change } from '../store/store.ts';

/** A controller that is told of every change and does its work later, in `drain`. */
export interface Controller {
  /** Notes what there is to do; must not write. */
  note(table: string, change: Change): void;
  /** Does what was noted; may write, which is noted in turn. Gives whether anything was done. */
  drain(): boolean;
}
