import type { Machine } from '@shoto/api';
import type { Settings } from './settings.ts';
import type { Ailment, Symptom } from './symptoms.ts';

/** An order as it is stored: the grant, written before the deed. */
export type Order = NonNullable<NonNullable<NonNullable<Machine['status']>['health']>['order']>;
/** A rung. */
export type Action = Order['action'];

/** Where a machine stands on the ladder. Times in milliseconds since the epoch. */
export type Step =
  /** The next rung, and when it may be taken: now, or later. */
  | { kind: 'next'; action: Action; reason: string; at: number; after?: Order }
  /** An order that the provisioner has not carried out yet. */
  | { kind: 'ordered'; order: Order; stuckAt: number };

const STRENGTH: Record<Action, number> = { Reboot: 1, HardReboot: 2, Replace: 3 };

const EVERY: readonly Action[] = ['Reboot', 'HardReboot', 'Replace'];
const HARD: readonly Action[] = ['HardReboot', 'Replace'];
const LAST: readonly Action[] = ['Replace'];
/** The rungs that may help, by what ails the machine. */
const RUNGS: Record<Ailment, readonly Action[]> = {
  ServerGone: LAST,
  // A server that ran and is in ERROR: Nova's way out of it is a hard reboot.
  ServerFailed: HARD,
  // A hard reboot starts a server that is off.
  ServerStopped: HARD,
  TicketMisused: LAST,
  TicketExpired: LAST,
  NeverJoined: LAST,
  NodeMissing: EVERY,
  NodeSilent: EVERY,
  NodeNotReady: EVERY,
  ReadonlyFilesystem: HARD,
  // A kernel that hangs does not shut itself down.
  KernelDeadlock: HARD,
  ContainerRuntimeUnhealthy: EVERY,
  KubeletUnhealthy: EVERY,
  FrequentKubeletRestart: ['Reboot', 'Replace'],
  FrequentContainerdRestart: ['Reboot', 'Replace'],
  // What fills a disk is there after a reboot.
  DiskPressure: LAST,
  MemoryPressure: ['Reboot', 'Replace'],
  PIDPressure: ['Reboot', 'Replace'],
};

/** Nothing is left that an earlier order could still mend. */
const BEYOND: ReadonlySet<Ailment> = new Set(['ServerGone', 'TicketMisused', 'TicketExpired', 'NeverJoined']);

/** The reason of a second start of a server within the hour; the third time the machine is replaced. */
export const STOPPED_AGAIN = 'ServerStoppedAgain';

/** What the ladder is told of a machine. */
export interface LadderInput {
  /** What to act on. */
  symptom: Symptom;
  /** Since when the machine is sick without a break, whatever of. */
  from: number;
  /** The last order. */
  order: Order | undefined;
  /** Number of the last order that was carried out. */
  handled: number;
  /** When it was seen that the last order is carried out. */
  carriedOutAt: number | undefined;
  /** The server ran once. */
  ran: boolean;
  settings: Settings;
}

/** Whether an order is given and not carried out yet. A replacement is carried out when the machine is no more. */
export const isOpen = (order: Order | undefined, handled: number): boolean =>
  order !== undefined && (handled < order.number || order.action === 'Replace');

/** The number of the next order. Orders that were withdrawn leave no gap that would look like a deed. */
export const nextNumber = (order: Order | undefined, handled: number): number =>
  Math.max(order?.number ?? 0, handled) + 1;

const helps = (action: Action, s: Settings): number => (action === 'Replace' ? 0 : s.helps[action]);

/**
 * Whether an order belongs to an earlier sickness: what came after it was an hour of good health. Only the order's time is stored, so the time
 * that it was given to help is counted in.
 */
const isPast = (order: Order, from: number, s: Settings): boolean =>
  from - Date.parse(order.at) >= s.decayMs + helps(order.action, s);

/** The next rung for a machine, or the order that is under way. Derived from what is stored alone, so that it may be asked at any time. */
export function ladderOf(i: LadderInput): Step {
  const { symptom, order, settings: s } = i;
  if (order && isOpen(order, i.handled)) return { kind: 'ordered', order, stuckAt: Date.parse(order.at) + s.stuckMs };
  const last = order && !isPast(order, i.from, s) ? order : undefined;
  const next = rungAfter(last, symptom, i.ran);
  const helped = last ? (i.carriedOutAt ?? Date.parse(last.at)) + helps(last.action, s) : 0;
  const at = BEYOND.has(symptom.reason) ? symptom.dueAt : Math.max(symptom.dueAt, helped);
  return { kind: 'next', ...next, at, ...(last ? { after: last } : {}) };
}

function rungAfter(last: Order | undefined, { reason }: Symptom, ran: boolean): { action: Action; reason: string } {
  // A server that never ran has nothing to come back to.
  const rungs = reason === 'ServerFailed' && !ran ? LAST : RUNGS[reason];
  if (!last) return { action: rungs[0]!, reason };
  if (reason === 'ServerStopped' && last.reason !== STOPPED_AGAIN && last.action !== 'Replace')
    return { action: 'HardReboot', reason: last.action === 'HardReboot' ? STOPPED_AGAIN : reason };
  return { action: rungs.find((a) => STRENGTH[a] > STRENGTH[last.action]) ?? 'Replace', reason };
}
