import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { $ } from 'zx';
import { kubernetesCache } from './cache.ts';
import { freePorts, startDaemon, whenReady } from './daemon.ts';

const addons = join(kubernetesCache(), 'addons');

/** Programs of monitoring, where the lab puts them, whether they are there or not. */
export const MONITORING = {
  prometheus: join(addons, 'prometheus', 'v3.16.0', 'bin', 'prometheus'),
  promtool: join(addons, 'prometheus', 'v3.16.0', 'bin', 'promtool'),
  nodeExporter: join(addons, 'node_exporter', 'v1.12.1', 'bin', 'node_exporter'),
};

/** The command that builds them. */
export const MONITORING_BUILD = `${join(import.meta.dirname, 'kubernetes-build')} --only addons`;

/** Which of {@link MONITORING} are not there: what needs them is left out. */
export const missingMonitoring = (): string[] => Object.values(MONITORING).filter((file) => !existsSync(file));

/** Runs promtool. @returns its exit code and all that it printed */
export async function promtool(...args: string[]): Promise<{ code: number; said: string }> {
  const { exitCode, stdout, stderr } = await $({ nothrow: true, quiet: true })`${MONITORING.promtool} ${args}`;
  return { code: exitCode ?? -1, said: `${stdout}${stderr}` };
}

/** A folder that stands for the root of a container: what it mounts and what it is told move there, and nothing else changes. */
export class ContainerRoot {
  readonly dir: string;
  readonly #mounts: readonly string[];

  private constructor(dir: string, mounts: readonly string[]) {
    this.dir = dir;
    this.#mounts = mounts;
  }

  /** @param mounts - absolute paths in the container, each of which becomes an empty folder */
  static async make(mounts: readonly string[]): Promise<ContainerRoot> {
    const dir = await mkdtemp(join(tmpdir(), 'shoto-root-'));
    for (const mount of mounts) await mkdir(join(dir, mount), { recursive: true });
    return new ContainerRoot(dir, mounts);
  }

  /** Where a path of the container is on this host. */
  path(inContainer: string): string {
    return join(this.dir, inContainer);
  }

  /** A text in which paths under the mounts are those of this host. */
  move(text: string): string {
    const mounts = this.#mounts.map((m) => m.replaceAll('.', '\\.')).join('|');
    return text.replace(new RegExp(`(?<![\\w./-])(${mounts})(?=$|[/\\s"'\\],])`, 'gm'), `${this.dir}$1`);
  }

  async write(inContainer: string, text: string): Promise<void> {
    await writeFile(this.path(inContainer), text);
  }

  async remove(): Promise<void> {
    await rm(this.dir, { recursive: true, force: true });
  }
}

/** A program that answers HTTP on loopback. */
export interface LabServer {
  /** `http://127.0.0.1:port` */
  url: string;
  logFile: string;
  /** The answer of a GET. @throws Error with status and text when it is no 200 */
  get(path: string): Promise<string>;
  /** Ends it; its files stay. Safe to repeat. */
  stop(): Promise<void>;
}

/**
 * Starts a program that listens where it is told.
 *
 * @param o.args - from the address that it shall listen on, `127.0.0.1:port`
 * @param o.ready - the path that answers once it is
 */
export async function startServer(o: {
  program: string;
  args: (address: string) => string[];
  ready: string;
  logFile: string;
}): Promise<LabServer> {
  const [port] = await freePorts(1);
  const address = `127.0.0.1:${port}`;
  const url = `http://${address}`;
  const daemon = startDaemon(o.program.split('/').at(-1)!, o.program, o.args(address), o.logFile);
  const get = async (path: string): Promise<string> => {
    const answer = await fetch(`${url}${path}`);
    const text = await answer.text();
    if (!answer.ok) throw new Error(`GET ${url}${path}: ${answer.status} ${text.slice(0, 500)}`);
    return text;
  };
  try {
    await whenReady(daemon, async () => (await get(o.ready)).length > 0, 60_000);
  } catch (error) {
    await daemon.stop();
    throw error;
  }
  return { url, logFile: o.logFile, get, stop: () => daemon.stop() };
}
