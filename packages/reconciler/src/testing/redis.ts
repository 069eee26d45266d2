import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';

/** A Redis of a test's own, and the ways to hurt it. */
export interface TestRedis {
  /** `redis://127.0.0.1:port`. */
  url: string;
  /** A connection for looking inside. */
  client: Redis;
  /** Everything is gone, connections stay. */
  flush(): Promise<void>;
  /** SIGKILL; comes back empty on the same port with `start`. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** SIGSTOP: connections stay open, nothing is answered. */
  freeze(): void;
  thaw(): void;
  /** Processor time of the server so far. */
  cpuSeconds(): Promise<number>;
  close(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (!address || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

/**
 * Starts a `redis-server` (or `valkey-server`) from PATH on a free port of 127.0.0.1, without persistence.
 * @throws when neither is on PATH, with what to install
 */
export async function startTestRedis(): Promise<TestRedis> {
  const dir = await mkdtemp(join(tmpdir(), 'shoto-redis-'));
  const port = await freePort();
  let server: ChildProcess | undefined;
  const client = new Redis({
    host: '127.0.0.1',
    port,
    lazyConnect: true,
    maxRetriesPerRequest: null,
    retryStrategy: () => 20,
  });
  client.on('error', () => {});

  const spawnOne = (command: string): Promise<ChildProcess> =>
    new Promise((resolve, reject) => {
      const args = [
        '--port',
        String(port),
        '--bind',
        '127.0.0.1',
        '--save',
        '',
        '--appendonly',
        'no',
        '--dir',
        dir,
        '--loglevel',
        'warning',
      ];
      const child = spawn(command, args, { stdio: 'ignore' });
      child.once('spawn', () => resolve(child));
      child.once('error', reject);
    });
  const start = async (): Promise<void> => {
    server = await spawnOne('redis-server')
      .catch(() => spawnOne('valkey-server'))
      .catch((cause: unknown) => {
        throw new Error(
          'neither redis-server nor valkey-server is on PATH: install one (Debian: apt-get install redis-server)',
          { cause },
        );
      });
    if (client.status === 'wait') await client.connect().catch(() => {});
    await client.ping();
  };
  const kill = async (): Promise<void> => {
    const child = server;
    server = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  };
  await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    client,
    flush: async () => void (await client.flushall()),
    kill,
    start,
    freeze: () => void server?.kill('SIGSTOP'),
    thaw: () => void server?.kill('SIGCONT'),
    cpuSeconds: async () => {
      const info = await client.info('cpu');
      return Number(/used_cpu_sys:(\S+)/.exec(info)?.[1]) + Number(/used_cpu_user:(\S+)/.exec(info)?.[1]);
    },
    close: async () => {
      client.disconnect();
      await kill();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
