import type { Cluster } from '@shoto/api';
import type { Connection } from '@shoto/kube';
import { issue } from '@shoto/pki';
import type { Clock } from '@shoto/service';
import type { PkiStore } from '../secrets/cluster-pki.ts';
import { type Kube, uidOf } from '../world.ts';

/** Clients of workload clusters, by the Cluster's UID; `WorkloadPool` of @shoto/kube. */
export interface Pool {
  get(uid: string, load: () => Promise<Connection>): Promise<Kube>;
  evict(uid: string): Promise<void>;
}

/** The workload cluster cannot be entered yet, or not any more. */
export class NoAccessError extends Error {}

const CERTIFICATE_SECONDS = 24 * 3600;

/** This service's own way into workload clusters: a certificate for a day, made from the cluster's CA and kept in memory only. */
export class WorkloadAccess {
  readonly #pool: Pool;
  readonly #pki: PkiStore;
  readonly #clock: Clock;
  readonly #entered = new Map<string, { server: string; renewAt: number }>();

  constructor(pool: Pool, pki: PkiStore, clock: Clock) {
    this.#pool = pool;
    this.#pki = pki;
    this.#clock = clock;
  }

  /**
   * A client for the cluster, at its outside address.
   * @throws {NoAccessError} when the cluster has no endpoint or no PKI yet
   */
  async client(cluster: Cluster): Promise<Kube> {
    const uid = uidOf(cluster);
    const server = cluster.status?.infrastructure.endpoint?.external;
    if (!server) throw new NoAccessError(`cluster ${cluster.metadata.name} has no API endpoint yet`);
    const known = this.#entered.get(uid);
    if (known && (known.server !== server || known.renewAt <= this.#clock.now())) await this.forget(uid);
    return this.#pool.get(uid, async () => {
      const pki = await this.#pki.get(uid);
      if (!pki) throw new NoAccessError(`cluster ${cluster.metadata.name} has no PKI yet`);
      const now = this.#clock.now();
      const credential = await issue(pki.ca, {
        commonName: 'shoto:bootstrap-worker',
        organizations: ['kubeadm:cluster-admins'],
        usages: ['client'],
        seconds: CERTIFICATE_SECONDS,
        now,
      });
      this.#entered.set(uid, { server, renewAt: now + (CERTIFICATE_SECONDS / 2) * 1000 });
      return { server: `https://${server}`, ca: pki.ca.certificate, cert: credential.certificate, key: credential.key };
    });
  }

  /** Closes the sockets to a cluster. */
  async forget(clusterUid: string): Promise<void> {
    this.#entered.delete(clusterUid);
    await this.#pool.evict(clusterUid);
  }
}
