import { type Cluster, LABELS } from '@shoto/api';
import { createAuthority, createKeyPair, type KeyedCertificate, type KeyPair } from '@shoto/pki';
import { type Kube, uidOf } from '../world.ts';
import { createOnce, encode, readSecret, type Secret, text } from './secret.ts';

/** The secrets that a cluster's identity rests on. They live as long as the cluster and are handed to its control-plane machines only. */
export interface ClusterPki {
  /** Signs what the API server, kubelets and users show. */
  ca: KeyedCertificate;
  frontProxyCa: KeyedCertificate;
  etcdCa: KeyedCertificate;
  /** Signs service-account tokens. */
  serviceAccount: KeyPair;
}

/** Name of the Secret, in the system namespace. */
const pkiSecretName = (clusterUid: string): string => `${clusterUid}-pki`;

const CAS = [
  ['ca', 'ca', 'kubernetes'],
  ['frontProxyCa', 'front-proxy-ca', 'kubernetes-front-proxy-ca'],
  ['etcdCa', 'etcd-ca', 'etcd-ca'],
] as const;

/** Clusters whose secrets are kept in memory; the rest is read again when asked for. */
const REMEMBERED = 500;

/** Makes, keeps and reads the PKI of clusters. The only reader of these Secrets. */
export class PkiStore {
  readonly #kube: Kube;
  readonly #namespace: string;
  readonly #known = new Map<string, ClusterPki>();

  constructor(kube: Kube, systemNamespace: string) {
    this.#kube = kube;
    this.#namespace = systemNamespace;
  }

  /** The PKI of a cluster; undefined when it was not made yet. */
  async get(clusterUid: string): Promise<ClusterPki | undefined> {
    const known = this.#known.get(clusterUid);
    if (known) return known;
    const secret = await readSecret(this.#kube, this.#namespace, pkiSecretName(clusterUid));
    return secret ? this.#remember(clusterUid, secret) : undefined;
  }

  /** The PKI of a cluster, made if it is not there. What is there is adopted and never made anew. */
  async ensure(cluster: Cluster): Promise<ClusterPki> {
    const uid = uidOf(cluster);
    const known = this.#known.get(uid);
    if (known) return known;
    const name = pkiSecretName(uid);
    const secret = await createOnce(this.#kube, this.#namespace, name, async () => {
      const cas = await Promise.all(CAS.map(([, , commonName]) => createAuthority(commonName)));
      const data: Record<string, string> = {};
      CAS.forEach(([, file], i) => {
        data[`${file}.crt`] = cas[i]?.certificate ?? '';
        data[`${file}.key`] = cas[i]?.key ?? '';
      });
      const sa = await createKeyPair();
      return {
        metadata: {
          namespace: this.#namespace,
          name,
          labels: { [LABELS.clusterUid]: uid, [LABELS.cluster]: cluster.metadata.name },
        },
        type: 'Opaque',
        data: encode({ ...data, 'sa.key': sa.privateKey, 'sa.pub': sa.publicKey }),
      };
    });
    return this.#remember(uid, secret);
  }

  /** Forgets a cluster that is gone. */
  forget(clusterUid: string): void {
    this.#known.delete(clusterUid);
  }

  #remember(uid: string, secret: Secret): ClusterPki {
    const keyed = (file: string): KeyedCertificate => ({
      certificate: text(secret, `${file}.crt`),
      key: text(secret, `${file}.key`),
    });
    const pki: ClusterPki = {
      ca: keyed('ca'),
      frontProxyCa: keyed('front-proxy-ca'),
      etcdCa: keyed('etcd-ca'),
      serviceAccount: { privateKey: text(secret, 'sa.key'), publicKey: text(secret, 'sa.pub') },
    };
    this.#known.set(uid, pki);
    const oldest = this.#known.keys().next().value;
    if (this.#known.size > REMEMBERED && oldest !== undefined) this.#known.delete(oldest);
    return pki;
  }
}
