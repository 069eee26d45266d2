import { describe, expect, it } from 'vitest';
import type { Leaving } from './drain.ts';
import { heldBy } from './held.ts';

const BEGAN = Date.UTC(2026, 0, 1);
const MINUTE = 60_000;
const pod = (name: string, o: Partial<Leaving> = {}): Leaving => ({ namespace: 'default', name, finalizers: [], ...o });
const at = (ms: number): string => new Date(ms).toISOString();
const look = (
  pods: Leaving[],
  o: { minutes?: number; seconds?: number; silentSince?: string; timeoutSeconds?: number } = {},
) =>
  heldBy(pods, {
    node: 'web-w-1',
    serverId: 'server-1',
    silentSince: o.silentSince,
    beganAt: BEGAN,
    timeoutSeconds: o.timeoutSeconds ?? 0,
    now: BEGAN + (o.minutes ?? 0) * MINUTE + (o.seconds ?? 0) * 1000,
  });
const refused = { refused: 'PodDisruptionBudget web' };

describe('a drain is held', () => {
  it.each<[string, ReturnType<typeof look>, string | undefined]>([
    ['by nothing where no pod is left', look([], { minutes: 60 }), undefined],
    ['by nothing while its pods have just been told', look([pod('a', { endsAt: at(BEGAN + 30_000) })]), undefined],
    ['by nothing in the first ten seconds of a refusal', look([pod('a', refused)], { seconds: 9 }), undefined],
    ['by a budget after them', look([pod('a', refused)], { seconds: 10 }), 'DrainBlocked'],
    [
      'by nothing while a pod is less than five minutes late',
      look([pod('a', { endsAt: at(BEGAN) })], { minutes: 4 }),
      undefined,
    ],
    ['by a pod that is later', look([pod('a', { endsAt: at(BEGAN) })], { minutes: 5 }), 'DrainBlocked'],
    [
      'by nothing while its node is silent for less than five minutes',
      look([pod('a')], { silentSince: at(BEGAN), minutes: 4 }),
      undefined,
    ],
    [
      'by its node where it is silent for longer',
      look([pod('a')], { silentSince: at(BEGAN), minutes: 5 }),
      'NodeSilent',
    ],
    ['by its node before all else', look([pod('a', refused)], { silentSince: at(BEGAN), minutes: 5 }), 'NodeSilent'],
  ])('%s', (_, held, reason) => {
    expect(held?.reason).toBe(reason);
  });

  it('in the same words as long as the same is the matter', () => {
    expect(look([pod('a', refused)], { minutes: 1 })).toEqual(look([pod('a', refused)], { minutes: 500 }));
  });

  it.each([
    ['a budget', look([pod('a', refused)], { minutes: 1, timeoutSeconds: 3600 })],
    ['a late pod', look([pod('a', { endsAt: at(BEGAN) })], { minutes: 6, timeoutSeconds: 3600 })],
    ['a silent node', look([pod('a')], { silentSince: at(BEGAN), minutes: 6, timeoutSeconds: 3600 })],
  ])('by %s, and it says when it is given up, where it is', (_, held) => {
    expect(held?.message).toContain('the drain is given up at 2026-01-01T01:00:00Z');
  });

  it('and names three pods, the rest as a number', () => {
    const held = look(
      ['a', 'b', 'c', 'd', 'e'].map((n) => pod(n, refused)),
      { minutes: 1 },
    );
    expect(held?.message).toMatch(/default\/a .*default\/b .*default\/c \(PodDisruptionBudget web\) and 2 more;/);
    expect(held?.message).not.toContain('default/d');
  });
});
