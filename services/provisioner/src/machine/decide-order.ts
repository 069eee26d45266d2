import { findCondition, type Machine } from '@shoto/api';

/** An order of self-healing. */
export type Order = NonNullable<NonNullable<NonNullable<Machine['status']>['health']>['order']>;

/** The order that is not carried out yet. */
export function openOrder({ status }: Pick<Machine, 'status'>): Order | undefined {
  const order = status?.health?.order;
  return order && order.number > (status?.server?.handled ?? 0) ? order : undefined;
}

/** What is known when an order is to be carried out. */
export interface OrderFacts {
  /** The one not carried out yet. */
  order: Order | undefined;
  /** The Machine, or its whole Cluster, is on its way out. */
  isLeaving: boolean;
  /** `Cluster.spec.paused`. */
  isPaused: boolean;
  /** The emergency stop of the fleet is on, or it is not known. */
  isStopped: boolean;
  /** The Machine is kept for study. */
  isKept: boolean;
}

/** Whether to carry out an order now. */
export type OrderDecision = 'nothing' | 'look' | { wait: 'Paused' | 'EmergencyStop' | 'Kept' };

/**
 * Whether to look at the server in order to reboot it. `Replace` is the planner's: a new machine is born and this one deleted. Pure.
 */
export function decideOrder(f: OrderFacts): OrderDecision {
  if (!f.order || f.order.action === 'Replace' || f.isLeaving) return 'nothing';
  if (f.isStopped) return { wait: 'EmergencyStop' };
  if (f.isPaused) return { wait: 'Paused' };
  if (f.isKept) return { wait: 'Kept' };
  return 'look';
}

/** What the cloud says of the server of an order. */
export interface ServerFacts {
  /** Nova's status; undefined: it is gone. */
  status: string | undefined;
  /** When Nova was last asked to reboot it, as Nova writes it; undefined: never, as far as it tells. */
  rebootedAt: string | undefined;
}

/** How a server is rebooted: an ending of its own, or none; or why not. */
export type Reboot = 'SOFT' | 'HARD' | 'Gone' | 'Done' | 'Busy';

/** Clocks of Nova and ours differ by so much at most. */
const SKEW_MS = 2_000;
/** In these a server is on its way to another: that is waited for. */
const BUSY = new Set(['REBOOT', 'HARD_REBOOT', 'BUILD', 'REBUILD', 'RESIZE', 'REVERT_RESIZE', 'MIGRATING', 'PASSWORD']);

/**
 * How to reboot. A server that does not run cannot be asked to end by itself. One that was rebooted since the order was given, by a pass that did
 * not live to say so or whose answer was lost, is not rebooted again. Pure.
 */
export function decideReboot(order: Order, f: ServerFacts): Reboot {
  if (f.status === undefined || f.status === 'SOFT_DELETED') return 'Gone';
  if (f.rebootedAt !== undefined && novaTime(f.rebootedAt) >= Date.parse(order.at) - SKEW_MS) return 'Done';
  if (BUSY.has(f.status)) return 'Busy';
  return order.action === 'Reboot' && f.status === 'ACTIVE' ? 'SOFT' : 'HARD';
}

/** Nova means UTC and does not say so in all of its times. */
const novaTime = (time: string): number => Date.parse(/(Z|[+-]\d\d:?\d\d)$/.test(time) ? time : `${time}Z`);

const SILENT = new Set(['NodeSilent', 'NodeMissing']);

/** Whether a node says nothing although its server should run: the cloud may know why, and only the provisioner may ask it. */
export function isInDoubt(m: Pick<Machine, 'status'>): boolean {
  const { server, health } = m.status ?? {};
  if (!server?.id || server.state === 'Gone' || health?.ready !== false) return false;
  const healthy = findCondition(health.conditions, 'Healthy');
  return health.unreachable === true || (healthy?.status === 'False' && SILENT.has(healthy.reason));
}
