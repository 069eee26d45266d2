import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { ConfigError } from './config.ts';
import { type ProcessLike, runService } from './run.ts';
import { until } from './testing/index.ts';

class FakeProcess extends EventEmitter implements ProcessLike {
  env = { SHOTO_LOG_LEVEL: 'silent' };
  exits: number[] = [];
  errors = '';
  stderr = {
    write: (text: string): void => {
      this.errors += text;
    },
  };
  exit(code: number): void {
    this.exits.push(code);
  }
}

describe('a service', () => {
  it('closes what it opened in reverse order on SIGTERM, and exits with 0', async () => {
    const proc = new FakeProcess();
    const closed: string[] = [];
    let signal: AbortSignal | undefined;
    await runService({
      name: 'test',
      process: proc,
      main: async (ctx) => {
        signal = ctx.signal;
        ctx.onShutdown(() => void closed.push('redis'));
        ctx.onShutdown(async () => {
          closed.push('engine');
          throw new Error('does not stop the others');
        });
      },
    });
    expect([proc.exits, signal?.aborted]).toEqual([[], false]);
    proc.emit('SIGTERM');
    await until(() => proc.exits.length > 0);
    expect([proc.exits, closed, signal?.aborted]).toEqual([[0], ['engine', 'redis'], true]);
    expect(proc.listenerCount('SIGTERM')).toBe(0);
  });

  it('exits at once on a second signal', async () => {
    const proc = new FakeProcess();
    await runService({ name: 'test', process: proc, main: async (ctx) => ctx.onShutdown(() => new Promise(() => {})) });
    proc.emit('SIGINT');
    proc.emit('SIGINT');
    expect(proc.exits).toEqual([1]);
  });

  it('gives up closing after its time', async () => {
    const proc = new FakeProcess();
    await runService({
      name: 'test',
      process: proc,
      graceMs: 20,
      main: async (ctx) => ctx.onShutdown(() => new Promise(() => {})),
    });
    proc.emit('SIGTERM');
    await until(() => proc.exits.length > 0);
    expect(proc.exits).toEqual([1]);
  });

  it('exits with 78 and all problems when its configuration is wrong', async () => {
    const proc = new FakeProcess();
    await runService({
      name: 'test',
      process: proc,
      main: async () => {
        throw new ConfigError('test', ['SHOTO_A: bad', 'SHOTO_B: worse']);
      },
    });
    expect(proc.exits).toEqual([78]);
    expect(proc.errors).toContain('- SHOTO_A: bad\n  - SHOTO_B: worse');
  });

  it.each(['start', 'later'])('closes everything and exits with 1 on an error at %s', async (when) => {
    const proc = new FakeProcess();
    let closed = false;
    await runService({
      name: 'test',
      process: proc,
      main: async (ctx) => {
        ctx.onShutdown(() => {
          closed = true;
        });
        if (when === 'start') throw new Error('no');
      },
    });
    if (when === 'later') proc.emit('unhandledRejection', new Error('no'));
    await until(() => proc.exits.length > 0);
    expect([proc.exits, closed]).toEqual([[1], true]);
  });
});
