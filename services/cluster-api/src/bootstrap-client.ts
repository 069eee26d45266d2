import { request } from 'undici';
import { z } from 'zod';
import { type InternalFiles, internalAgent, postJson } from './internal-agent.ts';
import { ProblemError } from './problem.ts';

/** A kubeconfig for a person. */
export interface PersonKubeconfig {
  kubeconfig: string;
  /** RFC 3339. */
  expiresAt: string;
}

/** A step on the way of a machine into its cluster. */
export interface MachineStep {
  name: string;
  state: 'running' | 'done' | 'failed';
  /** RFC 3339, by the machine's own clock. */
  startedAt: string;
  /** How long it took; absent while it runs. */
  seconds?: number | undefined;
}

/** The bootstrap-worker's internal API, as far as cluster-api may ask it. */
export interface BootstrapClient {
  /**
   * @param seconds - how long it is good for
   * @throws {ProblemError} 409 while the control plane is not up, 503 while bootstrap-worker does not answer
   */
  kubeconfig(
    namespace: string,
    name: string,
    who: { user: string; groups: string[]; seconds: number },
  ): Promise<PersonKubeconfig>;
  /**
   * What the machines of a cluster do right now, and did in the last minute.
   *
   * @throws where it is not told within two seconds
   */
  steps(namespace: string, name: string): Promise<{ machine: string; steps: MachineStep[] }[]>;
  /**
   * What in a cluster would stand in the way of an upgrade.
   *
   * @param to - Kubernetes version, `v1.36.3`
   * @throws where it is not told
   */
  upgradeChecks(namespace: string, name: string, to: string): Promise<UpgradeChecks>;
  close(): Promise<void>;
}

const UpgradeChecks = z.object({
  deprecatedApis: z.array(
    z.object({
      group: z.string(),
      version: z.string(),
      resource: z.string(),
      subresource: z.string().optional(),
      removedRelease: z.string(),
    }),
  ),
  budgets: z.array(z.object({ namespace: z.string(), name: z.string(), message: z.string() })),
  apiServers: z.object({ asked: z.number(), of: z.number() }).optional(),
  unreachable: z.string().optional(),
});
/** APIs in use that the target has no more, as so many API servers tell, and PodDisruptionBudgets that allow nothing; `unreachable` says why it is not known. */
export type UpgradeChecks = z.output<typeof UpgradeChecks>;

/** It asks the workload cluster, which may be slow. */
const CHECKS_TIMEOUT_MS = 10_000;
/** The live view is worth no more waiting than this, in milliseconds. */
const STEPS_TIMEOUT_MS = 2000;

/** Steps as they are told. A state that this version does not know leaves out that step. */
const Told = z.object({
  machines: z.array(z.object({ machine: z.string(), steps: z.array(z.unknown()) })),
});
const ToldStep = z.object({
  name: z.string(),
  state: z.enum(['running', 'done', 'failed']),
  startedAt: z.iso.datetime({ offset: true }),
  seconds: z.number().min(0).optional(),
});

/** Speaks mutual TLS with the bootstrap-worker. */
export function createBootstrapClient(o: { url: string } & InternalFiles): BootstrapClient {
  const agent = internalAgent(o);
  const pathOf = (namespace: string, name: string, what: string) =>
    `/internal/v1/clusters/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}/${what}`;
  return {
    async kubeconfig(namespace, name, who) {
      const answer = await request(new URL(pathOf(namespace, name, 'kubeconfig'), o.url), {
        method: 'POST',
        dispatcher: agent,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(who),
      }).catch(() => {
        throw new ProblemError(
          503,
          'Unavailable',
          'the service that makes kubeconfigs does not answer: try again',
          [],
          5,
        );
      });
      const body = (await answer.body.json().catch(() => ({}))) as Partial<PersonKubeconfig> & {
        message?: string;
        reason?: string;
        detail?: string;
      };
      if (answer.statusCode === 200 && body.kubeconfig && body.expiresAt)
        return { kubeconfig: body.kubeconfig, expiresAt: body.expiresAt };
      if (answer.statusCode === 409 || answer.statusCode === 404 || answer.statusCode === 422)
        throw new ProblemError(
          answer.statusCode,
          body.reason ?? 'NotReady',
          body.message ?? body.detail ?? 'the control plane of this cluster is not up yet: wait until it is',
          [],
          5,
        );
      throw new ProblemError(
        503,
        'Unavailable',
        'the service that makes kubeconfigs does not answer as it should: try again',
        [],
        5,
      );
    },
    async steps(namespace, name) {
      const answer = await request(new URL(pathOf(namespace, name, 'steps'), o.url), {
        dispatcher: agent,
        signal: AbortSignal.timeout(STEPS_TIMEOUT_MS),
      });
      const text = await answer.body.text();
      if (answer.statusCode !== 200)
        throw new Error(`bootstrap-worker answered ${answer.statusCode} when asked for steps of ${namespace}/${name}`);
      return Told.parse(JSON.parse(text)).machines.map((m) => ({
        machine: m.machine,
        steps: m.steps.flatMap((s) => ToldStep.safeParse(s).data ?? []),
      }));
    },
    upgradeChecks: (namespace, name, to) =>
      postJson(
        agent,
        new URL(pathOf(namespace, name, 'upgrade-checks'), o.url),
        { to },
        UpgradeChecks,
        CHECKS_TIMEOUT_MS,
      ),
    close: () => agent.close(),
  };
}
