import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { $ } from 'zx';

const buildScript = join(import.meta.dirname, 'kubernetes-build');

/** Where the lab keeps what it builds, by version: `${XDG_CACHE_HOME:-~/.cache}/shoto/kubernetes`. A fresh clone finds it. */
export function kubernetesCache(env: NodeJS.ProcessEnv = process.env): string {
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'shoto', 'kubernetes');
}

/** Absolute paths of the programs that make a management cluster. */
export interface ApiServerBinaries {
  kubeApiserver: string;
  kubectl: string;
  etcd: string;
}

/** Where the programs of a version lie in the cache, whether they are there or not. */
export function apiServerFiles(version: string): ApiServerBinaries {
  const cache = kubernetesCache();
  return {
    kubeApiserver: join(cache, version, 'bin', 'kube-apiserver'),
    kubectl: join(cache, version, 'bin', 'kubectl'),
    etcd: join(cache, 'etcd', 'bin', 'etcd'),
  };
}

/** The command that builds the programs of a version. */
export const buildCommand = (version: string): string =>
  `${buildScript} --minor ${version.replace(/^v(\d+\.\d+)\..*$/, '$1')} --only apiserver`;

/**
 * The programs of one Kubernetes version, out of the cache.
 *
 * @param version - full version, for example `v1.35.4`
 * @param build - builds what is missing (about 15 minutes with cold Go caches); otherwise it is an error
 * @throws Error that names the missing files and the command that builds them
 */
export async function apiServerBinaries(version: string, build = false): Promise<ApiServerBinaries> {
  const binaries = apiServerFiles(version);
  const missing = () => Object.values(binaries).filter((file) => !existsSync(file));
  if (missing().length === 0) return binaries;
  const minor = version.replace(/^v(\d+\.\d+)\..*$/, '$1');
  if (build)
    await $({ stdio: ['ignore', process.stderr, process.stderr] })`${buildScript} --minor ${minor} --only apiserver`;
  const still = missing();
  if (still.length > 0) throw new Error(`${still.join(', ')} missing; build them with: ${buildCommand(version)}`);
  return binaries;
}
