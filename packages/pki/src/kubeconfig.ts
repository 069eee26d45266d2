import { stringify } from 'yaml';
import type { KeyedCertificate } from './keys.ts';

/** What a kubeconfig is made from. */
export interface KubeconfigInput {
  /** Name of the cluster in the file. */
  cluster: string;
  /** `https://host:port`. */
  server: string;
  /** PEM of the CA of the API server. */
  ca: string;
  /** Name of the user in the file. */
  user: string;
  /** How the user proves who it is: a client certificate or a token; neither makes a file that only names the cluster. */
  credential?: KeyedCertificate | { token: string };
  /** Namespace of the context. */
  namespace?: string;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** A kubeconfig file, as YAML, with all data inside it and one context, `<user>@<cluster>`. */
export function kubeconfig(o: KubeconfigInput): string {
  const context = `${o.user}@${o.cluster}`;
  const user =
    o.credential === undefined
      ? {}
      : 'token' in o.credential
        ? { token: o.credential.token }
        : {
            'client-certificate-data': base64(o.credential.certificate),
            'client-key-data': base64(o.credential.key),
          };
  return stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: o.cluster, cluster: { server: o.server, 'certificate-authority-data': base64(o.ca) } }],
      users: [{ name: o.user, user }],
      contexts: [
        {
          name: context,
          context: { cluster: o.cluster, user: o.user, ...(o.namespace ? { namespace: o.namespace } : {}) },
        },
      ],
      'current-context': context,
    },
    { lineWidth: 0 },
  );
}
