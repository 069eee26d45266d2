import { type Cluster, LABELS, workloadSecretRef } from '@shoto/api';
import { SECRETS } from '@shoto/kube';
import { issue, kubeconfig } from '@shoto/pki';
import type { Clock } from '@shoto/service';
import { type Kube, uidOf } from '../world.ts';
import type { ClusterPki } from './cluster-pki.ts';
import { createOnce, encode, type Secret } from './secret.ts';

/** Services that enter workload clusters, each with an identity of its own. */
const ENTERING_SERVICES = ['addon-manager', 'self-healing'] as const;
/** One of the services that enter workload clusters. */
export type EnteringService = (typeof ENTERING_SERVICES)[number];

const DAY = 24 * 3600;
const LIFETIME_SECONDS = 90 * DAY;
const RENEW_BEFORE_MS = 30 * DAY * 1000;
/** When the certificate inside ends, RFC 3339; so that renewal needs no parsing. */
const EXPIRES = 'shoto.dev/expires-at';
/** The API server that the kubeconfig names. */
const SERVER = 'shoto.dev/server';

/** The group of a service in every workload cluster; its role is bound to it. */
export const groupOf = (service: EnteringService): string => `shoto:${service}`;

/** Makes and renews the kubeconfig Secrets of services. */
export class ServiceKubeconfigs {
  readonly #kube: Kube;
  readonly #namespace: string;
  readonly #clock: Clock;
  /** When each Secret that is known to be right must be looked at again, by its name and server. */
  readonly #goodUntil = new Map<string, number>();

  constructor(kube: Kube, systemNamespace: string, clock: Clock) {
    this.#kube = kube;
    this.#namespace = systemNamespace;
    this.#clock = clock;
  }

  /**
   * Sees to it that each service has a kubeconfig with the outside address, good for 30 days at least.
   *
   * @param server - `host:port` as services reach the API server
   */
  async ensure(cluster: Cluster, pki: ClusterPki, server: string): Promise<void> {
    await Promise.all(ENTERING_SERVICES.map((service) => this.#ensureOne(cluster, pki, server, service)));
  }

  /** Forgets a cluster that is gone. */
  forget(clusterUid: string): void {
    for (const name of this.#goodUntil.keys()) if (name.startsWith(clusterUid)) this.#goodUntil.delete(name);
  }

  async #ensureOne(cluster: Cluster, pki: ClusterPki, server: string, service: EnteringService): Promise<void> {
    const uid = uidOf(cluster);
    const { namespace, name } = workloadSecretRef(this.#namespace, service, uid);
    const memory = `${name} ${server}`;
    if ((this.#goodUntil.get(memory) ?? 0) > this.#clock.now()) return;
    const make = async (): Promise<Secret> => this.#make(cluster, pki, server, service, { namespace, name });
    let secret = await createOnce(this.#kube, namespace, name, make);
    if (!this.#isGood(secret, server)) {
      const { metadata, data } = await make();
      secret = await this.#kube.mergePatch<Secret>(
        SECRETS,
        { namespace, name },
        { metadata: { annotations: metadata.annotations, uid: secret.metadata.uid }, data },
      );
    }
    this.#goodUntil.set(memory, Date.parse(secret.metadata.annotations?.[EXPIRES] ?? '') - RENEW_BEFORE_MS);
  }

  #isGood(secret: Secret, server: string): boolean {
    const { annotations } = secret.metadata;
    return (
      annotations?.[SERVER] === server && Date.parse(annotations[EXPIRES] ?? '') - RENEW_BEFORE_MS > this.#clock.now()
    );
  }

  async #make(
    cluster: Cluster,
    pki: ClusterPki,
    server: string,
    service: EnteringService,
    ref: { namespace: string; name: string },
  ): Promise<Secret> {
    const now = this.#clock.now();
    const credential = await issue(pki.ca, {
      commonName: groupOf(service),
      organizations: [groupOf(service)],
      usages: ['client'],
      seconds: LIFETIME_SECONDS,
      now,
    });
    const value = kubeconfig({
      cluster: cluster.metadata.name,
      server: `https://${server}`,
      ca: pki.ca.certificate,
      user: service,
      credential,
    });
    return {
      metadata: {
        ...ref,
        labels: {
          [LABELS.clusterUid]: uidOf(cluster),
          [LABELS.cluster]: cluster.metadata.name,
          [LABELS.service]: service,
        },
        annotations: { [EXPIRES]: new Date(now + LIFETIME_SECONDS * 1000).toISOString(), [SERVER]: server },
      },
      type: 'Opaque',
      data: encode({ value }),
    };
  }
}

/** All Secrets that belong to a cluster, deleted: its keys, and the services' ways in. @returns how many there were */
export async function deleteClusterSecrets(kube: Kube, systemNamespace: string, clusterUid: string): Promise<number> {
  const namespaces = [
    systemNamespace,
    ...ENTERING_SERVICES.map((s) => workloadSecretRef(systemNamespace, s, clusterUid).namespace),
  ];
  const secrets = (
    await Promise.all(
      namespaces.map((namespace) =>
        kube.listAll<Secret>(SECRETS, { namespace, labelSelector: `${LABELS.clusterUid}=${clusterUid}` }),
      ),
    )
  ).flat();
  await Promise.all(
    secrets.map((s) => kube.delete(SECRETS, s.metadata, s.metadata.uid ? { uid: s.metadata.uid } : {})),
  );
  return secrets.length;
}
