import type { AddonStatus } from '@shoto/api';
import type { Conflict } from '../apply/apply.ts';
import type { Drifted } from '../drift/compare.ts';

/** An update that was given up. */
export type Failed = NonNullable<AddonStatus['manager']['failed']>;

/** How one addon stands after a pass. */
export interface Standing {
  name: string;
  /** What is applied, or being applied. */
  version?: string;
  /** It is applied and was rolled out whole: what others wait for. */
  healthy: boolean;
  /** What of it, since then, is not well and has not been for some time; absent where all is. Nothing waits for it, and nothing goes back for it. */
  ails?: string;
  /** Why it is not healthy. */
  problem?: Problem;
  /** Why it is not what it should be; absent where it is. */
  behind?: { reason: string; message: string };
  /** What is applied and healthy, where this pass saw to it. */
  settled?: { bundle: string; version: string; digest: string; appliedAt: number };
  /** What was given up; `undefined` where nothing is (any more). */
  failed?: Failed | undefined;
  /** What was compared, and what came of it; absent where nothing was. */
  drift?: Compared;
  /** When the addon needs another look, in milliseconds. */
  againMs?: number;
}

/** What somebody else did to objects of an addon. */
export interface Compared {
  /** Objects that were looked at, in words; undefined: all. */
  of: ReadonlySet<string> | undefined;
  drifted: Drifted[];
  conflicts: readonly Conflict[];
}

/** Why an addon is not healthy. */
export interface Problem {
  reason: string;
  message: string;
  /** Only a change helps. */
  terminal: boolean;
}
