import { describe, expect, it } from 'vitest';
import { decideOrder, decideReboot, isInDoubt, type Order, openOrder } from './decide-order.ts';

const order = (action: Order['action'], number = 1): Order => ({
  number,
  action,
  at: '2026-01-01T00:10:00Z',
  reason: 'NodeSilent',
});
const facts = { order: order('Reboot'), isLeaving: false, isPaused: false, isStopped: false, isKept: false };

describe('an order of self-healing', () => {
  it('is open until its number is handled', () => {
    const machine = (number: number, handled?: number) => ({
      status: {
        server: { revision: 1, ...(handled === undefined ? {} : { handled }) },
        bootstrap: { revision: 0 },
        health: { revision: 1, order: order('Reboot', number) },
      },
    });
    expect([openOrder(machine(1))?.number, openOrder(machine(2, 1))?.number, openOrder(machine(2, 2))]).toEqual([
      1,
      2,
      undefined,
    ]);
  });

  it.each<[string, Partial<typeof facts>, unknown]>([
    ['is looked into', {}, 'look'],
    ['is the planner’s when the machine is to be replaced', { order: order('Replace') }, 'nothing'],
    ['is void for a machine that leaves', { isLeaving: true }, 'nothing'],
    ['waits while the cluster is paused', { isPaused: true }, { wait: 'Paused' }],
    ['waits while the machine is kept for study', { isKept: true }, { wait: 'Kept' }],
    ['waits while the emergency stop is on', { isStopped: true, isPaused: true }, { wait: 'EmergencyStop' }],
  ])('%s', (_, given, decision) => {
    expect(decideOrder({ ...facts, ...given })).toEqual(decision);
  });
});

describe('how a server is rebooted', () => {
  const at = (status: string | undefined, rebootedAt?: string) => ({ status, rebootedAt });
  it.each<[string, Order['action'], ReturnType<typeof at>, string]>([
    ['softly while it runs', 'Reboot', at('ACTIVE'), 'SOFT'],
    ['hard when it does not run: nobody is there to end', 'Reboot', at('SHUTOFF'), 'HARD'],
    ['hard in ERROR', 'Reboot', at('ERROR'), 'HARD'],
    ['hard when that was ordered', 'HardReboot', at('ACTIVE'), 'HARD'],
    ['not at all when it is gone', 'HardReboot', at(undefined), 'Gone'],
    ['not at all when it is deleted, though kept for a while', 'Reboot', at('SOFT_DELETED'), 'Gone'],
    ['not again when it was since the order', 'Reboot', at('ACTIVE', '2026-01-01T00:10:03.000000'), 'Done'],
    ['again when it was before the order', 'Reboot', at('ACTIVE', '2026-01-01T00:04:03.000000'), 'SOFT'],
    ['later while it is on its way to another state', 'Reboot', at('MIGRATING'), 'Busy'],
  ])('%s', (_, action, server, reboot) => {
    expect(decideReboot(order(action), server)).toBe(reboot);
  });
});

describe('a server in doubt', () => {
  const machine = (health: object, server: object = { id: 's1', state: 'Active' }) =>
    ({
      status: { server: { revision: 1, ...server }, bootstrap: { revision: 0 }, health: { revision: 1, ...health } },
    }) as never;
  const unhealthy = (reason: string) => ({
    ready: false,
    conditions: [{ type: 'Healthy', status: 'False', reason, message: '', lastTransitionTime: '2026-01-01T00:00:00Z' }],
  });
  it.each<[string, unknown, boolean]>([
    ['a node that is ready', machine({ ready: true }), false],
    ['a node that says itself that it is not ready', machine(unhealthy('NodeNotReady')), false],
    ['a node that is silent', machine(unhealthy('NodeSilent')), true],
    ['a node that its cluster does not have any more', machine(unhealthy('NodeMissing')), true],
    ['a node that nobody reaches', machine({ ready: false, unreachable: true }), true],
    ['a server that is known to be gone', machine(unhealthy('NodeSilent'), { id: 's1', state: 'Gone' }), false],
    ['a machine without a server', machine(unhealthy('NodeSilent'), {}), false],
  ])('%s: %s', (_, m, is) => {
    expect(isInDoubt(m as never)).toBe(is);
  });
});
