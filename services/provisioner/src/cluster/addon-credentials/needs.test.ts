import { describe, expect, it } from 'vitest';
import { dueSoon, nextDue, ROTATE_MS } from './needs.ts';

const NOW = Date.parse('2026-06-01T00:00:00Z');
const at = (ms: number) => new Date(ms).toISOString();
const WHOSE = { userId: 'u', projectId: 'p' };
/** A credential that is to be renewed in so many milliseconds, and one that is to be revoked. */
const have = (renewInMs: number, revokeInMs?: number) => ({
  serial: 2,
  current: {
    id: 'b',
    ...WHOSE,
    createdAt: at(NOW + renewInMs - ROTATE_MS),
    expiresAt: at(NOW + renewInMs + ROTATE_MS),
    accessRules: true,
  },
  ...(revokeInMs === undefined
    ? {}
    : { retiring: [{ id: 'a', userId: WHOSE.userId, revokeAt: at(NOW + revokeInMs) }] }),
});

describe('a pass because of the time alone', () => {
  it.each<[string, Parameters<typeof nextDue>[0], number | undefined, number | undefined]>([
    ['without credentials', undefined, undefined, undefined],
    ['renewed in ten days', have(864_000_000), 864_000_000, undefined],
    ['renewed in five minutes', have(300_000), 300_000, 300_000],
    ['the old one revoked in a minute', have(864_000_000, 60_000), 60_000, 60_000],
    // It was tried in this pass: an order for at once would be carried out again and again while it cannot be done.
    ['the renewal due', have(0), 0, undefined],
    ['the renewal overdue', have(-1), 0, undefined],
    ['the revocation overdue', have(864_000_000, -5_000), 0, undefined],
  ])('%s', (_what, credentials, due, ordered) => {
    expect([nextDue(credentials, NOW), dueSoon(credentials, NOW)]).toEqual([due, ordered]);
  });
});
