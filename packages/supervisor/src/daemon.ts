import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** A process of ours, with its log in a file. */
export interface Daemon {
  name: string;
  pid: number;
  logFile: string;
  /** When the kernel started it, in clock ticks since boot: tells it from a later process with the same number. */
  started: string;
}

/** How a process is started. */
export interface DaemonOptions {
  name: string;
  command: string;
  args: string[];
  env: Record<string, string>;
  logFile: string;
  cwd?: string;
}

const POLL_MS = 25;

/** When the kernel started a process; undefined where it does not run (a zombie does not). Linux; elsewhere 'unknown' while it runs. */
export function startedAt(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    if (process.platform === 'linux') return undefined;
    try {
      process.kill(pid, 0);
      return 'unknown';
    } catch {
      return undefined;
    }
  }
}

/** Whether that very process still runs. */
export const isAlive = (d: Pick<Daemon, 'pid' | 'started'>): boolean => startedAt(d.pid) === d.started;

/** The last lines of a log. */
export function tail(file: string, lines = 15): string {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '(no log)';
  }
}

/**
 * Starts a process that outlives us, in a group of its own (a Ctrl-C at the terminal is ours to handle, not its), and waits until
 * it says that it is ready.
 *
 * @param isReady - asked again and again with the log so far; what it returns is the result
 * @throws {Error} with the last lines of its log, where it ends or is not ready in time
 */
export async function startDaemon<T>(
  o: DaemonOptions,
  isReady: (log: string) => T | undefined,
  timeoutMs = 60_000,
): Promise<{ daemon: Daemon; ready: T }> {
  const log = openSync(o.logFile, 'w', 0o600);
  const child: ChildProcess = spawn(o.command, o.args, {
    detached: true,
    stdio: ['ignore', log, log],
    env: o.env,
    ...(o.cwd ? { cwd: o.cwd } : {}),
  });
  closeSync(log);
  let ended: string | undefined;
  child.once('error', (e) => {
    ended = e.message;
  });
  child.once('exit', (code, signal) => {
    ended = `ended with ${signal ?? code}`;
  });
  child.unref();
  const deadline = Date.now() + timeoutMs;
  while (ended === undefined && Date.now() < deadline) {
    const ready = isReady(readFileSync(o.logFile, 'utf8'));
    if (ready !== undefined && child.pid !== undefined)
      return {
        daemon: { name: o.name, pid: child.pid, logFile: o.logFile, started: startedAt(child.pid) ?? 'gone' },
        ready,
      };
    await sleep(POLL_MS);
  }
  if (ended === undefined && child.pid) process.kill(child.pid, 'SIGKILL');
  throw new Error(
    `${o.name} ${ended ?? `was not ready within ${timeoutMs / 1000} s`}; its log ${o.logFile} ends with:\n${tail(o.logFile)}`,
  );
}

/** The line of a JSON log that says `ready`, as an object. */
export function readyLine(log: string): Record<string, string> | undefined {
  for (const line of log.split('\n')) {
    if (!line.includes('"ready"')) continue;
    try {
      const o = JSON.parse(line) as Record<string, string>;
      if (o.msg === 'ready') return o;
    } catch {
      // a line that is still being written
    }
  }
  return undefined;
}

/** Asks processes to end, waits, and kills what does not. Safe to repeat. */
export async function stopDaemons(
  daemons: Pick<Daemon, 'pid' | 'started' | 'name'>[],
  graceMs = 15_000,
): Promise<void> {
  for (const d of daemons) if (isAlive(d)) process.kill(d.pid, 'SIGTERM');
  const deadline = Date.now() + graceMs;
  while (daemons.some(isAlive) && Date.now() < deadline) await sleep(POLL_MS);
  for (const d of daemons) if (isAlive(d)) process.kill(d.pid, 'SIGKILL');
}

/** Ends processes as a crash would: SIGKILL, so that none of them closes anything, and waits until they are gone. */
export async function killDaemons(daemons: Pick<Daemon, 'pid' | 'started' | 'name'>[]): Promise<void> {
  for (const d of daemons) if (isAlive(d)) process.kill(d.pid, 'SIGKILL');
  while (daemons.some(isAlive)) await sleep(POLL_MS);
}
