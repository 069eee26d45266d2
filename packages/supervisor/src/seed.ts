import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson, readBundleDir, sha256 } from '@shoto/bundle';
import { connectionFromKubeconfig, type HasMeta, KubeClient, type KubeObject } from '@shoto/kube';
import { parseAllDocuments } from 'yaml';

/** How kinds that are seeded are reached. */
const PLURALS: Record<string, { plural: string; namespaced: boolean }> = {
  Namespace: { plural: 'namespaces', namespaced: false },
  Secret: { plural: 'secrets', namespaced: true },
  ConfigMap: { plural: 'configmaps', namespaced: true },
  CustomResourceDefinition: { plural: 'customresourcedefinitions', namespaced: false },
  ClusterRole: { plural: 'clusterroles', namespaced: false },
  ClusterRoleBinding: { plural: 'clusterrolebindings', namespaced: false },
  Role: { plural: 'roles', namespaced: true },
  RoleBinding: { plural: 'rolebindings', namespaced: true },
  ValidatingWebhookConfiguration: { plural: 'validatingwebhookconfigurations', namespaced: false },
  Region: { plural: 'regions', namespaced: false },
  KubernetesRelease: { plural: 'kubernetesreleases', namespaced: false },
  ClusterTemplate: { plural: 'clustertemplates', namespaced: false },
  Tenant: { plural: 'tenants', namespaced: false },
  AddonBundle: { plural: 'addonbundles', namespaced: false },
  AddonRegistry: { plural: 'addonregistries', namespaced: false },
};

/** An object to be applied. */
export type Seed = KubeObject & { apiVersion: string; kind: string };

/** The documents of a YAML file. */
export async function documents(file: string): Promise<Seed[]> {
  return parseAllDocuments(await readFile(file, 'utf8')).flatMap((d) =>
    'toJS' in d && d.toJS() ? [d.toJS() as Seed] : [],
  );
}

/** The documents of every YAML file of a folder, in order of name. */
export async function documentsIn(dir: string): Promise<Seed[]> {
  const files = (await readdir(dir)).filter((f) => f.endsWith('.yaml')).sort();
  return (await Promise.all(files.map((f) => documents(join(dir, f))))).flat();
}

/** What a ConfigMap holds at most, in bytes. */
const CONFIGMAP_BYTES = 1024 * 1024;

/**
 * Bundles of `deploy/addons` as they are kept inline: an AddonBundle, and a ConfigMap whose keys are their files, `__` for the slashes of a path. Charts,
 * and what is larger than a ConfigMap, are left to a registry.
 *
 * @param only - names of addons; all where absent
 * @throws {BundleError} where one is broken
 */
export async function bundles(dir: string, namespace: string, only?: readonly string[]): Promise<Seed[]> {
  const out: Seed[] = [];
  for (const addon of (await readdir(dir)).filter((a) => only?.includes(a) ?? true).sort())
    for (const version of (await readdir(join(dir, addon))).sort()) {
      const { manifest, files } = await readBundleDir(join(dir, addon, version));
      const name = `${addon}-${version}`;
      const data = Object.fromEntries(
        [...files]
          .filter(([path]) => path !== 'README.md')
          .map(([path, bytes]) => [path.replaceAll('/', '__'), Buffer.from(bytes).toString('utf8')]),
      );
      const bytes = Object.values(data).reduce((n, text) => n + Buffer.byteLength(text), 0);
      if (!('manifests' in manifest.content) || bytes > CONFIGMAP_BYTES) continue;
      const { channel, kubernetes, dependsOn, provides, credentials } = manifest;
      out.push({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data });
      out.push({
        apiVersion: 'shoto.dev/v1alpha1',
        kind: 'AddonBundle',
        metadata: { name },
        spec: {
          addon: manifest.name,
          version: manifest.version,
          channel,
          kubernetes,
          provides,
          ...(dependsOn.length > 0 ? { dependsOn } : {}),
          ...(credentials.length > 0 ? { credentials } : {}),
          manifests: { digest: sha256(canonicalJson(data)), configMapRef: { namespace, name } },
        },
      });
    }
  return out;
}

/** Applies objects server-side as the administrator; CRDs first, and waited for. */
export async function applySeeds(kubeconfig: string, seeds: Seed[]): Promise<void> {
  const client = new KubeClient({
    connection: await connectionFromKubeconfig({ text: kubeconfig }),
    userAgent: 'shoto-supervisor',
    requestTimeoutMs: 30_000,
  });
  try {
    const crds = seeds.filter((s) => s.kind === 'CustomResourceDefinition');
    for (const s of crds) await applyOne(client, s);
    for (const s of crds) await established(client, s.metadata.name);
    for (const s of seeds) if (s.kind !== 'CustomResourceDefinition') await applyOne(client, s);
  } finally {
    await client.close();
  }
}

function typeOf(s: Seed) {
  const known = PLURALS[s.kind];
  if (!known) throw new Error(`${s.kind} ${s.metadata.name}: the supervisor does not know how this kind is reached`);
  const slash = s.apiVersion.indexOf('/');
  return {
    group: slash < 0 ? '' : s.apiVersion.slice(0, slash),
    version: s.apiVersion.slice(slash + 1),
    kind: s.kind,
    ...known,
  };
}

const applyOne = (client: KubeClient, s: Seed): Promise<HasMeta> =>
  client.apply<HasMeta>(typeOf(s), s, { fieldManager: 'shoto-supervisor', force: true });

async function established(client: KubeClient, name: string): Promise<void> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const crd = await client.get<HasMeta & { status?: { conditions?: { type: string; status: string }[] } }>(
      typeOf({ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', metadata: { name } }),
      { name },
    );
    if (crd?.status?.conditions?.some((c) => c.type === 'Established' && c.status === 'True')) return;
    if (Date.now() > deadline) throw new Error(`the CRD ${name} was not established within 30 s`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
