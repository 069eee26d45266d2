import { describe, expect, it } from 'vitest';
import { type QueueOptions, WaitingError } from '../src/index.ts';
import { type LocalClock, LocalEngine, LocalQueues } from '../src/testing/index.ts';

/** A clock that stands still until it is told to go on. */
function handClock(): LocalClock & { advance: (ms: number) => Promise<void> } {
  let now = 0;
  let timers: { at: number; fn: () => void }[] = [];
  const rest = () => new Promise<void>((resolve) => setImmediate(resolve));
  return {
    now: () => now,
    after(ms, fn) {
      const timer = { at: now + ms, fn };
      timers.push(timer);
      return () => {
        timers = timers.filter((t) => t !== timer);
      };
    },
    async advance(ms) {
      const end = now + ms;
      await rest();
      for (;;) {
        const next = timers.filter((t) => t.at <= end).sort((a, b) => a.at - b.at)[0];
        if (!next) break;
        timers = timers.filter((t) => t !== next);
        now = next.at;
        next.fn();
        await rest();
      }
      now = end;
      await rest();
    },
  };
}

function start(reconcile: QueueOptions['reconcile'], queues = new LocalQueues()) {
  const clock = handClock();
  const engine = new LocalEngine({ clock, queues });
  return { clock, engine, queue: engine.queue('things', { concurrency: 2, reconcile }) };
}

describe('an engine without Redis', () => {
  it('runs a key that is added during its pass once more, and never twice at once', async () => {
    let running = 0;
    let most = 0;
    let runs = 0;
    const { queue, clock } = start(async () => {
      runs++;
      most = Math.max(most, ++running);
      if (runs === 1) {
        await queue.add('a');
        await queue.add('a');
      }
      running--;
    });
    await queue.add('a');
    await clock.advance(1);
    expect([runs, most]).toEqual([2, 1]);
  });

  it('looks again when the pass asks for it, and takes a timer away that nobody asked for again', async () => {
    const at: number[] = [];
    const { queue, clock } = start(async () => {
      at.push(clock.now());
      return at.length === 1 ? { requeueAfterMs: 1000 } : undefined;
    });
    await queue.add('a');
    await clock.advance(500);
    await queue.add('a');
    await clock.advance(5000);
    expect(at).toEqual([0, 500]);
  });

  it('waits as the error says, and longer after each failure', async () => {
    const at: number[] = [];
    const { queue, clock } = start(async () => {
      at.push(clock.now());
      if (at.length === 1) throw new WaitingError('NotYet', 'something comes first', 700);
      if (at.length < 5) throw new Error('broken');
    });
    await queue.add('a');
    await clock.advance(60_000);
    expect(at).toHaveLength(5);
    expect(at[1]).toBe(700);
    const pauses = at.slice(2).map((t, i) => t - at[i + 1]!);
    expect(pauses[0]).toBeLessThanOrEqual(100);
    expect(pauses[2]).toBeGreaterThanOrEqual(200);
  });

  it('keeps keys and timers for the next engine, as Redis does when a service dies', async () => {
    const queues = new LocalQueues();
    const first = start(() => new Promise<void>(() => {}), queues);
    await first.queue.add('running');
    await first.queue.addAfter('later', 5000);
    const seen: [string, number][] = [];
    const engine = new LocalEngine({ clock: first.clock, queues });
    engine.queue('things', {
      concurrency: 2,
      reconcile: async (key) => void seen.push([key, first.clock.now()]),
    });
    await first.clock.advance(20_000);
    expect(seen.filter(([key]) => key === 'running')).toEqual([['running', 10_000]]);
    expect(seen.filter(([key]) => key === 'later').map(([, at]) => at)).toContain(5000);
  });

  it('loses all when it is flushed, starts nothing for a while, and has all listed again', async () => {
    const at: number[] = [];
    const { queue, engine, clock } = start(async () => void at.push(clock.now()));
    engine.onStateLost(() => queue.add('listed'));
    await queue.addAfter('a', 1000);
    engine.flush();
    await clock.advance(60_000);
    expect(at).toEqual([20_000]);
  });

  it('keeps what is added while it is away, and cancels what runs', async () => {
    const seen: string[] = [];
    let cancelled = false;
    const { queue, engine, clock } = start(async (key, { signal }) => {
      seen.push(key);
      signal.addEventListener('abort', () => {
        cancelled = true;
      });
      if (key === 'long') await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    });
    await queue.add('long');
    engine.disconnect();
    await queue.add('a');
    await clock.advance(600_000);
    expect([seen, cancelled]).toEqual([['long'], true]);
    engine.reconnect();
    await clock.advance(30_000);
    expect(seen).toContain('a');
  });
});
