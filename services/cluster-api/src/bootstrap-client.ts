import { readFileSync } from 'node:fs';
import { Agent, request } from 'undici';
import { ProblemError } from './problem.ts';

/** A kubeconfig for a person. */
export interface PersonKubeconfig {
  kubeconfig: string;
  /** RFC 3339. */
  expiresAt: string;
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
  close(): Promise<void>;
}

/** Speaks mutual TLS with the bootstrap-worker. */
export function createBootstrapClient(o: {
  url: string;
  caFile: string;
  certFile: string;
  keyFile: string;
}): BootstrapClient {
  const agent = new Agent({
    connect: {
      ca: readFileSync(o.caFile, 'utf8'),
      cert: readFileSync(o.certFile, 'utf8'),
      key: readFileSync(o.keyFile, 'utf8'),
      timeout: 5000,
    },
    headersTimeout: 10_000,
    bodyTimeout: 10_000,
  });
  return {
    async kubeconfig(namespace, name, who) {
      const path = `/internal/v1/clusters/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}/kubeconfig`;
      const answer = await request(new URL(path, o.url), {
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
    close: () => agent.close(),
  };
}
