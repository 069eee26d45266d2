import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A program that the lab runs until it is told to stop. */
export interface Daemon {
  readonly name: string;
  readonly pid: number;
  /** What it printed, both streams. */
  readonly logFile: string;
  /** The reason why it ended by itself, or undefined while it runs. */
  ended(): string | undefined;
  /** SIGTERM, then SIGKILL after `graceMs` (default 10 000). Safe to repeat. */
  stop(graceMs?: number): Promise<void>;
}

/** Starts a program; it goes down with this process too. Its output goes to `logFile` (appended). */
export function startDaemon(name: string, program: string, args: string[], logFile: string): Daemon {
  const log = openSync(logFile, 'a');
  let child: ChildProcess;
  try {
    child = spawn(program, args, { stdio: ['ignore', log, log] });
  } finally {
    closeSync(log);
  }
  let reason: string | undefined;
  const exited = new Promise<void>((resolve) => {
    child.once('exit', (code, signal) => {
      reason = signal ? `${name} was ended by ${signal}` : `${name} exited with ${code}`;
      resolve();
    });
    child.once('error', (error) => {
      reason = `${name} could not be started: ${error.message}`;
      resolve();
    });
  });
  const killWithUs = () => child.kill('SIGKILL');
  process.once('exit', killWithUs);
  void exited.then(() => process.off('exit', killWithUs));
  return {
    name,
    logFile,
    pid: child.pid ?? -1,
    ended: () => (reason === undefined ? undefined : `${reason}; ${logFile} ends with:\n${tail(logFile)}`),
    async stop(graceMs = 10_000) {
      if (reason !== undefined) return;
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      await exited;
      clearTimeout(timer);
    },
  };
}

/**
 * Waits until a probe says yes.
 *
 * @throws Error when the daemon ended, with its last lines, or after `timeoutMs` with the probe's last error
 */
export async function whenReady(daemon: Daemon, probe: () => Promise<boolean>, timeoutMs: number): Promise<void> {
  const end = Date.now() + timeoutMs;
  let last: unknown = 'the probe said no';
  for (;;) {
    const ended = daemon.ended();
    if (ended) throw new Error(ended);
    try {
      if (await probe()) return;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end)
      throw new Error(
        `${daemon.name} was not ready in ${timeoutMs} ms (${last}); ${daemon.logFile} ends with:\n${tail(daemon.logFile)}`,
      );
    await sleep(100);
  }
}

/** Ports of 127.0.0.1 that nobody listens on at this moment, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === 'object' && address ? address.port : 0;
  });
  await Promise.all(servers.map(async (server) => once(server.close(), 'close')));
  return ports;
}

function tail(file: string): string {
  return readFileSync(file, 'utf8').split('\n').slice(-12).join('\n');
}
