import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { claimedMachine, issueTicket, isTicketOf } from './ticket.ts';

const key = randomBytes(32);
const M = '0b6b5b0e-7e0a-4a7e-9a53-0e3a8a3f1c11';
const C = 'c1b1a1f0-0000-4000-8000-0123456789ab';

describe('a ticket', () => {
  it('is the same each time, and tells which machine it claims', () => {
    expect(issueTicket(key, M, C)).toBe(issueTicket(key, M, C));
    expect(claimedMachine(issueTicket(key, M, C))).toBe(M);
    expect(isTicketOf(key, issueTicket(key, M, C), M, C)).toBe(true);
  });

  it.each([
    ['made with another key', issueTicket(randomBytes(32), M, C)],
    ['of another machine', issueTicket(key, 'another', C)],
    ['of a cluster that had the same machine name before', issueTicket(key, M, 'another')],
    ['cut short', issueTicket(key, M, C).slice(0, -2)],
    ['with nothing after the dot', issueTicket(key, M, C).split('.')[0] ?? ''],
    ['empty', ''],
  ])('is refused when it is %s', (_, ticket) => {
    expect(isTicketOf(key, ticket, M, C)).toBe(false);
  });

  it.each(['', '.', '.abc', 'no-dot', `${'A'.repeat(300)}.x`, `${Buffer.from('a/../b').toString('base64url')}.x`])(
    'claims no machine when it is %j',
    (text) => {
      expect(claimedMachine(text)).toBeUndefined();
    },
  );
});
