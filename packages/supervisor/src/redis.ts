import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { type Daemon, startDaemon } from './daemon.ts';

const BINARIES = ['redis-server', 'valkey-server'];

function binary(): string {
  for (const name of BINARIES) {
    try {
      execFileSync(name, ['--version'], { stdio: 'ignore' });
      return name;
    } catch {
      // the next one
    }
  }
  throw new Error(
    'neither redis-server nor valkey-server is on PATH: run make, which installs it where it may, or install one of them',
  );
}

/** Starts a Redis that keeps nothing: it only says what to look at next. */
export async function startRedis(o: { port: number; dir: string; env: Record<string, string> }): Promise<Daemon> {
  const { daemon } = await startDaemon(
    {
      name: 'redis',
      command: binary(),
      args: [
        '--port',
        String(o.port),
        '--bind',
        '127.0.0.1',
        '--save',
        '',
        '--appendonly',
        'no',
        '--maxmemory-policy',
        'noeviction',
        '--dir',
        o.dir,
      ],
      env: o.env,
      logFile: join(o.dir, 'logs', 'redis.log'),
    },
    (log) => (/[Rr]eady to accept connections/.test(log) ? true : undefined),
  );
  return daemon;
}
