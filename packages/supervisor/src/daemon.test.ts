import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '@shoto/service/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Daemon, isAlive, readyLine, startDaemon, startedAt, stopDaemons, tail } from './daemon.ts';

let dir: string;
let started: Daemon[];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'shoto-daemon-'));
  started = [];
});
afterEach(async () => {
  await stopDaemons(started, 0);
  await rm(dir, { recursive: true });
});

/** Starts a shell script that is ready when it says so. */
async function start(script: string, o: { timeoutMs?: number; env?: Record<string, string> } = {}) {
  const { daemon, ready } = await startDaemon(
    {
      name: 'thing',
      command: '/bin/sh',
      args: ['-c', script],
      env: { PATH: process.env.PATH ?? '', ...o.env },
      logFile: join(dir, 'thing.log'),
    },
    (log) => /ready (\w+)/.exec(log)?.[1],
    o.timeoutMs,
  );
  started.push(daemon);
  return { daemon, ready };
}

describe('a process', () => {
  it('is started with the environment it is given and no other, and what it says is the result', async () => {
    const { daemon, ready } = await start('echo ready $WORD$HOME; exec sleep 60', { env: { WORD: 'yes' } });
    expect(ready).toBe('yes');
    expect(isAlive(daemon)).toBe(true);
  });

  it('that ends at once is told with its code and the end of its log', async () => {
    await expect(start('echo first; echo SHOTO_TOKENS_FILE is missing >&2; exit 78')).rejects.toThrow(
      /^thing ended with 78; its log .*thing\.log ends with:\nfirst\nSHOTO_TOKENS_FILE is missing$/,
    );
  });

  it('that a signal ends is told with the signal', async () => {
    await expect(start('kill -9 $$')).rejects.toThrow(/^thing ended with SIGKILL/);
  });

  it('that is never ready is killed, and told with the end of its log', async () => {
    await expect(start('echo "pid=$$"; echo still trying; exec sleep 60', { timeoutMs: 300 })).rejects.toThrow(
      /^thing was not ready within 0.3 s; .*\npid=\d+\nstill trying$/,
    );
    const pid = Number(/pid=(\d+)/.exec(tail(join(dir, 'thing.log')))![1]);
    await until(() => startedAt(pid) === undefined);
  });

  it('whose program is not there is told', async () => {
    const options = { name: 'thing', command: '/none/such', args: [], env: {}, logFile: join(dir, 'thing.log') };
    await expect(startDaemon(options, () => undefined)).rejects.toThrow(/^thing spawn \/none\/such ENOENT/);
  });
});

describe('stopping', () => {
  it('asks with SIGTERM, and the process may end in its own way', async () => {
    const { daemon } = await start(`trap 'echo bye; exit 0' TERM; echo ready x; while :; do sleep 0.02; done`);
    await stopDaemons([daemon]);
    expect(isAlive(daemon)).toBe(false);
    expect(tail(daemon.logFile)).toBe('ready x\nbye');
  });

  it('kills what does not listen', async () => {
    const { daemon } = await start(`trap '' TERM; echo ready x; while :; do sleep 0.02; done`);
    await stopDaemons([daemon], 100);
    await until(() => !isAlive(daemon));
  });

  it('leaves a later process with the same number alone, and may be repeated', async () => {
    const { daemon } = await start('echo ready x; exec sleep 60');
    await stopDaemons([{ ...daemon, started: 'another time' }], 0);
    expect(isAlive(daemon)).toBe(true);
    await stopDaemons([daemon]);
    await stopDaemons([daemon]);
    expect(isAlive(daemon)).toBe(false);
  });
});

describe('a log', () => {
  it('says ready in one of its lines, whatever stands around it', () => {
    const line = JSON.stringify({ level: 'info', msg: 'ready', url: 'http://127.0.0.1:1' });
    expect(readyLine(`starting\n{"msg":"not "ready"\n${line}\n{"msg":"more"}`)?.url).toBe('http://127.0.0.1:1');
    expect(readyLine(`{"msg":"already"}\n${line.slice(0, -3)}`)).toBeUndefined();
  });
  it('is shown by its last lines, and may be missing', async () => {
    await writeFile(join(dir, 'a.log'), 'one\ntwo\nthree\n');
    expect(tail(join(dir, 'a.log'), 2)).toBe('two\nthree');
    expect(tail(join(dir, 'none.log'))).toBe('(no log)');
  });
});
