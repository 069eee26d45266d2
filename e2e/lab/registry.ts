import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { $ } from 'zx';
import { freePorts, startDaemon, whenReady } from './daemon.ts';

const VERSION = 'v3.1.2';
const buildScript = join(import.meta.dirname, 'registry-build');

/**
 * The registry's program, out of the cache.
 *
 * @param build - builds it where it is missing (about 80 s of one processor); otherwise that is an error
 */
export async function registryBinary(build = false): Promise<string> {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'shoto', 'registry');
  const file = join(cache, VERSION, 'registry');
  if (existsSync(file)) return file;
  if (build) await $({ stdio: ['ignore', process.stderr, process.stderr] })`${buildScript}`;
  if (!existsSync(file)) throw new Error(`${file} is missing; build it with: ${buildScript}`);
  return file;
}

/** A real registry on loopback, for tests. */
export interface LabRegistry {
  /** `http://127.0.0.1:port` */
  url: string;
  /** `127.0.0.1:port` */
  host: string;
  logFile: string;
  /** Ends it and removes what it kept. Safe to repeat. */
  stop(): Promise<void>;
}

/** Who may come in, where anybody is asked: `alice` with the password `wonderland`. */
const HTPASSWD = 'alice:$2y$05$abcdefghijklmnopqrstuuA0vov2GDneHB3.8.cv9UF9g.RdvScIW\n';

/**
 * Starts distribution/distribution, empty, with deletion enabled, on a free port of loopback.
 *
 * @param o.users - asks for a user; {@link HTPASSWD} says whom
 * @param o.build - builds the program where it is missing
 */
export async function startLabRegistry(o: { users?: boolean; build?: boolean } = {}): Promise<LabRegistry> {
  const program = await registryBinary(o.build);
  const dir = await mkdtemp(join(tmpdir(), 'shoto-registry-'));
  const [port] = await freePorts(1);
  const host = `127.0.0.1:${port}`;
  const passwords = join(dir, 'htpasswd');
  await writeFile(passwords, HTPASSWD, { mode: 0o600 });
  const config = join(dir, 'config.yml');
  await writeFile(
    config,
    stringify({
      version: '0.1',
      log: { level: 'warn', accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: join(dir, 'data') }, delete: { enabled: true } },
      http: { addr: host },
      ...(o.users ? { auth: { htpasswd: { realm: 'registry', path: passwords } } } : {}),
    }),
  );
  const logFile = join(dir, 'registry.log');
  const daemon = startDaemon('registry', program, ['serve', config], logFile);
  const stop = async (): Promise<void> => {
    await daemon.stop();
    await rm(dir, { recursive: true, force: true });
  };
  const url = `http://${host}`;
  try {
    await whenReady(daemon, async () => [200, 401].includes((await fetch(`${url}/v2/`)).status), 30_000);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, host, logFile, stop };
}
