import { expect, it } from 'vitest';
import { untilAborted } from './clock.ts';

it.each(['before it began', 'while it goes on'])(
  'takes what nobody waits for any more as answered, when the time was over %s',
  async (when) => {
    const uncaught: unknown[] = [];
    const note = (e: unknown): void => void uncaught.push(e);
    process.on('unhandledRejection', note);
    try {
      const { promise, reject } = Promise.withResolvers<never>();
      const time = new AbortController();
      if (when === 'before it began') time.abort(new Error('over'));
      const waits = untilAborted(promise, time.signal);
      time.abort(new Error('over'));
      await expect(waits).rejects.toThrow('over');
      reject(new Error('too late'));
      // Node tells of a rejection that nobody took once its microtasks are done.
      await new Promise((resolve) => setImmediate(resolve));
      expect(uncaught).toEqual([]);
    } finally {
      process.off('unhandledRejection', note);
    }
  },
);
