import { createHash } from 'node:crypto';
import { type AddonBundle, AddonBundleKind, API_VERSION, resourceOf } from '@shoto/api';
import { CONFIGMAPS, type HasMeta, type KubeClient } from '@shoto/kube';

/** Of five addons one is needed by the other four: a wave of its own, as CNIs and operators are. */
const WAVE = 5;

/** Name of the nth addon of the benchmark. */
export const addonName = (n: number): string => `bench-addon-${String(n).padStart(2, '0')}`;

/**
 * The manifests of an addon of the size that small ones have: an identity with its rights, settings and a Deployment.
 *
 * @param version - stands in the settings and in the image, so that another one changes these and nothing else
 */
export const manifestsOf = (name: string, version: string): string => `apiVersion: v1
kind: Namespace
metadata: { name: ${name} }
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: ${name}, namespace: ${name} }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: ${name} }
rules: [{ apiGroups: [""], resources: [nodes, pods], verbs: [get, list, watch] }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: ${name} }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: ${name} }
subjects: [{ kind: ServiceAccount, name: ${name}, namespace: ${name} }]
---
apiVersion: v1
kind: ConfigMap
metadata: { name: ${name}, namespace: ${name} }
data: { version: "${version}", pods: "{{podCIDR}}" }
---
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: ${name} }
spec: { selector: { app: ${name} }, ports: [{ port: 8080 }] }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name}, namespace: ${name} }
spec:
  replicas: 1
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec:
      serviceAccountName: ${name}
      containers:
        - name: main
          image: "registry.test/${name}:${version}"
          resources: { requests: { cpu: 10m, memory: 16Mi }, limits: { memory: 64Mi } }
`;

/** Publishes a version of the nth addon in the management cluster. */
export async function publish(kube: KubeClient, namespace: string, n: number, version: string): Promise<void> {
  const addon = addonName(n);
  const name = `${addon}-${version}`;
  const text = manifestsOf(addon, version);
  await kube.create<HasMeta>(CONFIGMAPS, {
    metadata: { name, namespace },
    data: { 'manifests.yaml': text },
  } as unknown as HasMeta);
  await kube.create<AddonBundle>(resourceOf(AddonBundleKind), {
    apiVersion: API_VERSION,
    kind: 'AddonBundle',
    metadata: { name },
    spec: {
      addon,
      version,
      kubernetes: '>=1.30',
      provides: [],
      ...(n % WAVE === 0 ? {} : { dependsOn: [{ name: addonName(n - (n % WAVE)) }] }),
      manifests: {
        digest: `sha256:${createHash('sha256').update(text).digest('hex')}`,
        configMapRef: { namespace, name, key: 'manifests.yaml' },
      },
      health: [{ kind: 'Deployment', namespace: addon, name: addon }],
    },
  } as AddonBundle);
}
