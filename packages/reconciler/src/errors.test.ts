import { KubeError } from '@shoto/kube';
import { describe, expect, it } from 'vitest';
import { backoffMs } from './backoff.ts';
import { outcomeOf, RetryableError, TerminalError, toReconcileError, WaitingError } from './errors.ts';
import { OutageBreaker } from './outage-breaker.ts';
import { ownerOf, shardOf } from './shards.ts';

const kube = (status: number, reason: string, retryAfterMs?: number): KubeError =>
  new KubeError({ status, reason, method: 'GET', path: '/x', message: 'said', retryAfterMs });

describe('what was thrown', () => {
  it.each([
    ['our own error stays', new TerminalError('NoFlavor', 'x'), 'terminal', 'NoFlavor'],
    ['a conflict', kube(409, 'Conflict'), 'retryable', 'Conflict'],
    ['a failed test of a patch', kube(422, 'TestFailed'), 'retryable', 'Conflict'],
    ['an API server that does not answer', kube(0, 'Timeout'), 'retryable', 'KubernetesUnreachable'],
    ['an API server that refuses', kube(403, 'Forbidden'), 'retryable', 'KubernetesForbidden'],
    ['a pass over its time', new DOMException('late', 'TimeoutError'), 'retryable', 'TimedOut'],
    ['anything else', 'a string', 'retryable', 'UnexpectedError'],
  ])('%s', (_what, thrown, kind, reason) => {
    expect(toReconcileError(thrown)).toMatchObject({ kind, reason });
  });

  it('keeps what the server asked to wait', () => {
    expect(outcomeOf(toReconcileError(kube(429, 'TooManyRequests', 7_000))).requeue).toEqual({
      how: 'backoff',
      atLeastMs: 7_000,
    });
  });
});

describe('what follows from it', () => {
  it('terminal: stalled, one warning, no other pass', () => {
    expect(outcomeOf(new TerminalError('NoFlavor', 'no such flavor'))).toEqual({
      condition: { reason: 'NoFlavor', message: 'no such flavor', stalled: true },
      event: { type: 'Warning', reason: 'NoFlavor', message: 'no such flavor' },
      logLevel: 'warn',
      requeue: { how: 'never' },
    });
  });
  it('retryable: a warning and a backoff, except for a conflict, which is the regular course', () => {
    expect(outcomeOf(new RetryableError('CloudBusy', 'busy'))).toMatchObject({
      event: { reason: 'CloudBusy' },
      logLevel: 'warn',
    });
    expect(outcomeOf(toReconcileError(kube(409, 'Conflict')))).toMatchObject({
      logLevel: 'debug',
      condition: { stalled: false },
    });
    expect(outcomeOf(toReconcileError(kube(409, 'Conflict')))).not.toHaveProperty('event');
  });
  it('waiting: no alarm, again after its time', () => {
    const outcome = outcomeOf(new WaitingError('NoNetwork', 'network first', 3_000));
    expect(outcome).toMatchObject({ logLevel: 'debug', requeue: { how: 'after', ms: 3_000 } });
    expect(outcome).not.toHaveProperty('event');
  });
});

it('backoff doubles up to its limit, with jitter', () => {
  const most = [0, 1, 2, 3, 50].map((n) => backoffMs(n, 100, 1_000, () => 1));
  expect(most).toEqual([100, 200, 400, 800, 1_000]);
  expect(backoffMs(0, 100, 1_000, () => 0)).toBe(50);
});

it('an outage opens the queue for one probe at a time, until anything else comes of a pass', () => {
  let now = 0;
  const breaker = new OutageBreaker({ failures: 2, openMs: 100 }, () => now);
  breaker.note(true);
  expect(breaker.holdMs()).toBe(0);
  breaker.note(true);
  expect(breaker.holdMs()).toBe(100);
  now = 150;
  expect([breaker.holdMs(), breaker.holdMs()]).toEqual([0, 100]);
  breaker.note(false);
  expect(breaker.holdMs()).toBe(0);
});

it('a member that leaves moves only its own shards, and all have a fair part', () => {
  const three = ['a', 'b', 'c'];
  const keys = Array.from({ length: 1_000 }, (_, i) => `uid-${i}`);
  const before = keys.map((key) => ownerOf(shardOf(key), three));
  const two = ['a', 'b'];
  const after = keys.map((key) => ownerOf(shardOf(key), two));
  expect(after.every((owner, i) => before[i] === 'c' || before[i] === owner)).toBe(true);
  for (const member of three) expect(before.filter((owner) => owner === member).length).toBeGreaterThan(200);
  expect(ownerOf(1, [])).toBeUndefined();
});
