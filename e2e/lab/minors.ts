import { existsSync } from 'node:fs';
import { apiServerFiles } from './cache.ts';

/** The full version that the lab builds of each Kubernetes minor, as in kubernetes/versions.sh. */
export const VERSIONS: Readonly<Record<string, string>> = { '1.35': 'v1.35.4', '1.36': 'v1.36.3' };

/**
 * Versions of kube-apiserver that tests on real parts use: the first, the others where they are in the cache, and those that
 * SHOTO_MINORS names (`1.35,1.36`, or `all`), which `make test-real` builds. A build of one more takes some 15 minutes.
 *
 * @returns full versions, oldest first
 * @throws {Error} for a minor that the lab does not know
 */
export function realVersions(env: NodeJS.ProcessEnv = process.env, isThere = inCache): string[] {
  const named = env.SHOTO_MINORS === 'all' ? Object.keys(VERSIONS) : (env.SHOTO_MINORS?.split(',') ?? []);
  for (const minor of named)
    if (!VERSIONS[minor])
      throw new Error(`SHOTO_MINORS: the lab does not build ${minor}; it builds ${Object.keys(VERSIONS).join(', ')}`);
  return Object.entries(VERSIONS)
    .filter(([minor, version], i) => i === 0 || named.includes(minor) || isThere(version))
    .map(([, version]) => version);
}

const inCache = (version: string): boolean => Object.values(apiServerFiles(version)).every((file) => existsSync(file));
