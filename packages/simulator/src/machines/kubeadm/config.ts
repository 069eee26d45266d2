import { parseAllDocuments } from 'yaml';
import { z } from 'zod';

const KUBEADM = 'kubeadm.k8s.io/v1beta4';

/** kubeadm's configuration cannot be used; the message is what kubeadm would print. */
export class ConfigurationError extends Error {}

const nodeRegistration = z.looseObject({
  name: z.string().min(1),
  criSocket: z.string().default('unix:///run/containerd/containerd.sock'),
  kubeletExtraArgs: z.array(z.object({ name: z.string(), value: z.string() })).default([]),
  taints: z
    .array(z.object({ key: z.string(), value: z.string().optional(), effect: z.string() }))
    .nullish()
    .transform((t) => t ?? undefined),
});
const localEndpoint = z.looseObject({ advertiseAddress: z.string().default(''), bindPort: z.number().default(6443) });

const schemas = {
  [`${KUBEADM}/InitConfiguration`]: z.looseObject({
    nodeRegistration,
    localAPIEndpoint: localEndpoint.prefault({}),
    bootstrapTokens: z
      .array(
        z.looseObject({
          token: z.string().regex(/^[a-z0-9]{6}\.[a-z0-9]{16}$/),
          ttl: z.string().default('24h0m0s'),
          description: z.string().default(''),
          usages: z.array(z.string()).default(['signing', 'authentication']),
          groups: z.array(z.string()).default(['system:bootstrappers:kubeadm:default-node-token']),
        }),
      )
      .default([]),
  }),
  [`${KUBEADM}/ClusterConfiguration`]: z.looseObject({
    clusterName: z.string().default('kubernetes'),
    kubernetesVersion: z.string().regex(/^v\d+\.\d+\.\d+/),
    imageRepository: z.string().default('registry.k8s.io'),
    controlPlaneEndpoint: z.string().default(''),
    networking: z
      .looseObject({
        podSubnet: z.string().default(''),
        serviceSubnet: z.string().default('10.96.0.0/12'),
        dnsDomain: z.string().default('cluster.local'),
      })
      .prefault({}),
    apiServer: z.looseObject({ certSANs: z.array(z.string()).default([]) }).prefault({}),
  }),
  [`${KUBEADM}/JoinConfiguration`]: z.looseObject({
    nodeRegistration,
    discovery: z.looseObject({
      bootstrapToken: z
        .looseObject({
          apiServerEndpoint: z.string(),
          token: z.string(),
          caCertHashes: z.array(z.string()).default([]),
        })
        .optional(),
      file: z.looseObject({ kubeConfigPath: z.string() }).optional(),
      tlsBootstrapToken: z.string().optional(),
    }),
    controlPlane: z.looseObject({ localAPIEndpoint: localEndpoint.prefault({}) }).optional(),
  }),
  'kubelet.config.k8s.io/v1beta1/KubeletConfiguration': z.looseObject({}),
  'kubeproxy.config.k8s.io/v1alpha1/KubeProxyConfiguration': z.looseObject({}),
};

/** How a node introduces itself. */
export type NodeRegistration = z.output<typeof nodeRegistration>;
/** What of a cluster is the same for all its machines. */
export type ClusterConfiguration = z.output<(typeof schemas)['kubeadm.k8s.io/v1beta4/ClusterConfiguration']>;
/** How the first machine is made. */
export type InitConfiguration = z.output<(typeof schemas)['kubeadm.k8s.io/v1beta4/InitConfiguration']>;
/** How another machine joins. */
export type JoinConfiguration = z.output<(typeof schemas)['kubeadm.k8s.io/v1beta4/JoinConfiguration']>;

type Documents = Map<string, { kind: string; value: Record<string, unknown> }>;

/** Reads the documents of a kubeadm configuration file, each checked for its kind. @throws {ConfigurationError} */
function readDocuments(text: string, path: string): Documents {
  const found: Documents = new Map();
  for (const document of parseAllDocuments(text)) {
    if (document.errors.length > 0)
      throw new ConfigurationError(`error: error unmarshaling ${path}: ${document.errors[0]?.message.split('\n')[0]}`);
    const value: unknown = document.toJS();
    const head = z.looseObject({ apiVersion: z.string(), kind: z.string() }).safeParse(value);
    if (!head.success)
      throw new ConfigurationError(
        `error: invalid configuration in ${path}: kind and apiVersion is mandatory information that must be specified`,
      );
    const { apiVersion, kind } = head.data;
    const schema = (schemas as Record<string, z.ZodType<Record<string, unknown>>>)[`${apiVersion}/${kind}`];
    if (!schema)
      throw new ConfigurationError(
        apiVersion.startsWith('kubeadm.k8s.io/')
          ? `error: your configuration file uses an old or unknown API spec: "${apiVersion}" (kind: "${kind}")`
          : `W1121 configset.go:78] Warning: No kubeproxy.config.k8s.io/v1alpha1 config is loaded: unknown kind "${kind}" of "${apiVersion}"`,
      );
    const parsed = schema.safeParse(value);
    if (!parsed.success)
      throw new ConfigurationError(
        parsed.error.issues.map((i) => `error: ${kind}.${i.path.join('.')}: ${i.message}`).join('\n'),
      );
    found.set(kind, { kind, value: parsed.data });
  }
  return found;
}

function need<T>(documents: Documents, kind: string, path: string): T {
  const found = documents.get(kind);
  if (!found) throw new ConfigurationError(`error: no kind ${kind} found in ${path}`);
  return found.value as T;
}

/** All documents that `kubeadm init` reads. @throws {ConfigurationError} */
export function readInit(
  text: string,
  path: string,
): {
  init: InitConfiguration;
  cluster: ClusterConfiguration;
  kubelet: Record<string, unknown>;
  kubeProxy: Record<string, unknown>;
} {
  const d = readDocuments(text, path);
  return {
    init: need(d, 'InitConfiguration', path),
    cluster: need(d, 'ClusterConfiguration', path),
    kubelet: d.get('KubeletConfiguration')?.value ?? {
      apiVersion: 'kubelet.config.k8s.io/v1beta1',
      kind: 'KubeletConfiguration',
    },
    kubeProxy: d.get('KubeProxyConfiguration')?.value ?? {
      apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
      kind: 'KubeProxyConfiguration',
    },
  };
}

/** What `kubeadm join` reads. @throws {ConfigurationError} */
export const readJoin = (text: string, path: string): JoinConfiguration =>
  need(readDocuments(text, path), 'JoinConfiguration', path);

/** Milliseconds of a Go duration such as `2h0m0s`. */
export function goDuration(text: string): number {
  const unit: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };
  let sum = 0;
  for (const [, n, u] of text.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g)) sum += Number(n) * (unit[u as string] ?? 0);
  return sum;
}
