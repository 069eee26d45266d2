import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { BundleError } from '../errors.ts';
import type { BundleContent } from '../format/content.ts';
import { isObject, type JsonObject } from '../json.ts';
import type { ChartRenderer } from './render.ts';

export interface HelmOptions {
  /** The program. Default: HELM of the environment, else helm on the PATH. */
  binary?: string;
  /** How long one chart may take. Default 30 s. */
  timeoutMs?: number;
  /** What a chart may give, in bytes. Default 32 MiB. */
  maxOutput?: number;
}

/** An error of Helm as long as this is told. */
const TOLD = 2000;

/**
 * Renders charts with `helm template`: with their CRDs, without their tests; hooks come as the objects that they are. Helm gets a folder of its own that goes
 * afterwards, no cluster, no plugins, no repositories; what a chart depends on must be in its charts/ folder.
 */
export function helmTemplate(o: HelmOptions = {}): ChartRenderer {
  const { timeoutMs = 30_000, maxOutput = 32 * 1024 * 1024 } = o;
  return async (bundle, input) => {
    const binary = o.binary ?? (process.env.HELM || 'helm');
    const dir = await mkdtemp(join(tmpdir(), 'shoto-helm-'));
    try {
      const chart = join(dir, 'chart');
      await writeChart(bundle, input.chart, chart);
      const values = join(dir, 'values.json');
      await writeFile(values, JSON.stringify(input.values), { mode: 0o600 });
      const args = [
        'template',
        input.releaseName,
        chart,
        ...['--namespace', input.namespace, '--include-crds', '--skip-tests'],
        ...['--kube-version', input.kubernetesVersion, '--values', values],
        ...input.apiVersions.flatMap((v) => ['--api-versions', v]),
      ];
      const ended = await run(binary, args, { cwd: dir, env: environment(dir), timeoutMs, maxOutput });
      if ('stdout' in ended) return ended.stdout;
      const message = hide(ended.problem.replaceAll(dir, ''), input.values).slice(0, TOLD);
      throw new BundleError(ended.missing ? 'HelmMissing' : 'HelmFailed', { file: input.chart, message });
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  };
}

async function writeChart(bundle: BundleContent, folder: string, to: string): Promise<void> {
  const prefix = `${folder.replace(/\/+$/, '')}/`;
  const files = [...bundle.files].filter(([path]) => path.startsWith(prefix));
  if (!files.some(([path]) => path === `${prefix}Chart.yaml`))
    throw new BundleError('BrokenBundle', {
      file: `${prefix}Chart.yaml`,
      message: 'is not there: the content is no Helm chart',
    });
  for (const [path, bytes] of files) {
    const file = join(to, path.slice(prefix.length));
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, bytes);
  }
}

/** Nothing of the user's own Helm, and no cluster. */
const environment = (dir: string): NodeJS.ProcessEnv => ({
  PATH: process.env.PATH,
  HOME: dir,
  HELM_CACHE_HOME: join(dir, 'cache'),
  HELM_CONFIG_HOME: join(dir, 'config'),
  HELM_DATA_HOME: join(dir, 'data'),
  HELM_PLUGINS: join(dir, 'plugins'),
  HELM_REPOSITORY_CONFIG: join(dir, 'repositories.yaml'),
  HELM_REGISTRY_CONFIG: join(dir, 'registry.json'),
  KUBECONFIG: join(dir, 'no-kubeconfig'),
  // What would go out all the same finds nobody.
  HTTPS_PROXY: 'http://127.0.0.1:9',
  HTTP_PROXY: 'http://127.0.0.1:9',
});

type Ended = { stdout: string } | { problem: string; missing: boolean };

function run(
  binary: string,
  args: string[],
  o: { cwd: string; env: NodeJS.ProcessEnv; timeoutMs: number; maxOutput: number },
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(binary, args, { cwd: o.cwd, env: o.env, stdio: ['ignore', 'pipe', 'pipe'] });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let size = 0;
    let stopped: string | undefined;
    const stop = (why: string): void => {
      stopped ??= why;
      child.kill('SIGKILL');
    };
    const timer = setTimeout(() => stop(`helm took longer than ${o.timeoutMs / 1000} s`), o.timeoutMs);
    const take = (to: Buffer[]) => (chunk: Buffer) => {
      size += chunk.length;
      if (size > o.maxOutput) stop(`the chart gives more than ${Math.round(o.maxOutput / 1024)} KiB`);
      else to.push(chunk);
    };
    child.stdout.on('data', take(out));
    child.stderr.on('data', take(err));
    child.on('error', (e: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      const missing = e.code === 'ENOENT' || e.code === 'EACCES';
      resolve({
        problem: missing
          ? `the program ${binary} cannot be started (${e.code}): install Helm 3, or say where it is with HELM`
          : `helm: ${e.message}`,
        missing,
      });
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0 && stopped === undefined) return resolve({ stdout: Buffer.concat(out).toString('utf8') });
      const said = Buffer.concat(err).toString('utf8').trim();
      resolve({ problem: stopped ?? (said || `helm ended with ${code ?? signal}`), missing: false });
    });
  });
}

/** Takes texts of the values out of what Helm said: they may be secret. */
function hide(text: string, values: JsonObject): string {
  const texts = new Set<string>();
  const walk = (v: unknown): void => {
    if (typeof v === 'string' && v.length >= 6) texts.add(v);
    else if (Array.isArray(v)) for (const i of v) walk(i);
    else if (isObject(v)) for (const i of Object.values(v)) walk(i);
  };
  walk(values);
  return [...texts].sort((a, b) => b.length - a.length).reduce((s, t) => s.replaceAll(t, '***'), text);
}
