import type { Cluster } from '@shoto/api';
import { issue, kubeconfig } from '@shoto/pki';
import type { Clock, Logger } from '@shoto/service';
import { HttpProblem } from '@shoto/service';
import { z } from 'zod';
import type { Metrics } from '../metrics.ts';
import type { PkiStore } from '../secrets/cluster-pki.ts';
import { ADMINS_GROUP } from '../workload/roles.ts';
import { uidOf } from '../world.ts';

/** A kubeconfig is asked for, for a person whom cluster-api has authenticated. */
export const KubeconfigRequest = z.object({
  user: z.string().min(1).max(255),
  groups: z.array(z.string().min(1).max(255)).max(64).default([]),
  seconds: z.int().min(60).max(86_400).default(3600),
});
export type KubeconfigRequest = z.output<typeof KubeconfigRequest>;

/** Names that Kubernetes, kubeadm and Shoto give a meaning to: nobody is called so. */
const RESERVED = /^(system:|kubeadm:|shoto:)/i;

/** Makes kubeconfigs for people: an hour, with their own name, so that the cluster's audit log says who did what. */
export class Kubeconfigs {
  readonly #d: { pki: PkiStore; clock: Clock; log: Logger; metrics: Metrics };

  constructor(d: { pki: PkiStore; clock: Clock; log: Logger; metrics: Metrics }) {
    this.#d = d;
  }

  /**
   * A kubeconfig with a client certificate for that person.
   *
   * @throws {HttpProblem} 409 when the control plane is not up, 422 when the name is reserved
   */
  async make(cluster: Cluster, r: KubeconfigRequest): Promise<{ kubeconfig: string; expiresAt: string }> {
    if (RESERVED.test(r.user)) {
      throw new HttpProblem(
        422,
        'ReservedUser',
        `user ${r.user}: names that begin with system:, kubeadm: or shoto: are reserved`,
      );
    }
    const server = cluster.status?.infrastructure.endpoint?.external;
    const pki = await this.#d.pki.get(uidOf(cluster));
    if (!server || !pki || !cluster.status?.controlPlane.initialized || cluster.metadata.deletionTimestamp) {
      throw new HttpProblem(409, 'ControlPlaneNotReady', 'the control plane is not up', { retryAfterSeconds: 5 });
    }
    const now = this.#d.clock.now();
    const groups = r.groups.filter((g) => !RESERVED.test(g));
    const credential = await issue(pki.ca, {
      commonName: r.user,
      organizations: [...new Set([...groups, ADMINS_GROUP])],
      usages: ['client'],
      seconds: r.seconds,
      now,
    });
    const expiresAt = new Date(now + r.seconds * 1000).toISOString();
    const key = `${cluster.metadata.namespace}/${cluster.metadata.name}`;
    this.#d.metrics.kubeconfigs.inc({ cluster: key });
    this.#d.log.info({ audit: true, cluster: key, user: r.user, groups, expiresAt }, 'kubeconfig made');
    return {
      kubeconfig: kubeconfig({
        cluster: cluster.metadata.name,
        server: `https://${server}`,
        ca: pki.ca.certificate,
        user: r.user,
        credential,
      }),
      expiresAt,
    };
  }
}
