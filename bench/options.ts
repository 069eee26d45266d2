/** What is measured, from the environment. */
export interface BenchOptions {
  /** What is done; default `clusters`: clusters are made, idle, and go. */
  scenario: 'clusters' | 'replace' | 'storm' | 'addons';
  /** How many clusters are made; default 50. */
  clusters: number;
  /** Addons of each in the scenario `addons`, besides the CNI; default 20. */
  addons: number;
  /** Workers of each, besides one control plane; default 3. */
  workers: number;
  /** Whether the management API is the simulator's, or etcd and kube-apiserver; default `simulated`. */
  kube: 'simulated' | 'real';
  /** Whether the simulated cloud and its machines take the time of real ones; default `none`. */
  latency: 'none' | 'realistic';
  /** Length of the idle window; default 60. */
  idleSeconds: number;
  /** Length of the window in which the API server has nothing to do for us; default 20. Only with `kube: real`. */
  emptySeconds: number;
  /** How long all clusters together may take to be Ready, and to go; default 300 and 12 for each cluster. */
  timeoutSeconds: number;
  /** A folder for CPU profiles of every service; none where empty. */
  profileDir: string | undefined;
  /** Says every change of Clusters and Machines while they are made (`TRACE=1`); it costs the API server one more watch. */
  trace: boolean;
}

/**
 * Reads the options from environment variables.
 *
 * @throws {Error} with every variable that is wrong, its value and what it may be
 */
export function readOptions(env: NodeJS.ProcessEnv): BenchOptions {
  const problems: string[] = [];
  const whole = (name: string, otherwise: number, least: number): number => {
    const text = env[name] || String(otherwise);
    const value = Number(text);
    if (!Number.isInteger(value) || value < least) problems.push(`${name}=${text}: a whole number from ${least} on`);
    return value;
  };
  const oneOf = <T extends string>(name: string, values: readonly [T, ...T[]]): T => {
    const text = env[name] || values[0];
    const value = values.find((v) => v === text);
    if (!value) problems.push(`${name}=${text}: one of ${values.join(', ')}`);
    return value ?? values[0];
  };
  const clusters = whole('CLUSTERS', 50, 1);
  const options: BenchOptions = {
    scenario: oneOf('SCENARIO', ['clusters', 'replace', 'storm', 'addons']),
    clusters,
    addons: whole('ADDONS', 20, 2),
    workers: whole('WORKERS', 3, 0),
    kube: oneOf('KUBE', ['simulated', 'real']),
    latency: oneOf('LATENCY', ['none', 'realistic']),
    idleSeconds: whole('IDLE_SECONDS', 60, 0),
    emptySeconds: whole('EMPTY_SECONDS', 20, 1),
    timeoutSeconds: whole('TIMEOUT_SECONDS', 300 + 12 * clusters, 1),
    profileDir: env.PROFILE_DIR || undefined,
    trace: env.TRACE === '1',
  };
  if (problems.length > 0)
    throw new Error(`the benchmark cannot run with:\n${problems.map((p) => `  ${p}`).join('\n')}`);
  return options;
}
