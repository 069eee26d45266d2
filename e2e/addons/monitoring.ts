import { type BundleContent, compareVersions, type Manifest, render, sampleFacts } from '@shoto/bundle';
import { shipped, versionsOf, WALK } from '../../packages/bundle/test/shipped.ts';
import { fitting, renderShipped } from './shipped.ts';

/** A file as a sidecar writes it. */
export interface CollectedFile {
  /** Without a folder; no two ConfigMaps have the same. */
  name: string;
  text: string;
}

/** A bundle that ships, with its default values, for a Kubernetes that it fits. */
export interface RenderedBundle {
  addon: string;
  version: string;
  objects: readonly Manifest[];
}

interface Container {
  name: string;
  args?: string[];
  env?: { name: string; value?: string }[];
  volumeMounts?: { name: string; mountPath: string }[];
}

/** Every bundle that ships with a folder of that name, rendered. */
export async function bundlesWith(folder: 'alerts' | 'dashboards'): Promise<RenderedBundle[]> {
  const all = [...(await shipped()).values()].flat();
  const having = all.filter((b) => [...b.files.keys()].some((file) => file.startsWith(`${folder}/`)));
  return Promise.all(having.map((b) => rendered(b, versionsOf(b)[0]!)));
}

/** The newest of each addon that fits the newest Kubernetes: what one cluster gets. */
export async function newestBundles(): Promise<RenderedBundle[]> {
  const version = WALK.at(-1)!;
  const newest = new Map<string, BundleContent>();
  for (const bundle of await fitting(version)) {
    const { name } = bundle.manifest;
    const known = newest.get(name);
    if (!known || compareVersions(known.manifest.version, bundle.manifest.version) < 0) newest.set(name, bundle);
  }
  return Promise.all([...newest.values()].map((b) => rendered(b, version)));
}

async function rendered(bundle: BundleContent, version: string): Promise<RenderedBundle> {
  const { objects } = await renderShipped(bundle, version);
  return { addon: bundle.manifest.name, version: bundle.manifest.version, objects };
}

/** Every version of a bundle that ships, with these values. */
export async function versionsWith(addon: string, values: Record<string, unknown>): Promise<RenderedBundle[]> {
  const bundles = (await shipped()).get(addon) ?? [];
  return Promise.all(
    bundles.map(async (bundle) => {
      const { objects } = await render(bundle, {
        facts: sampleFacts(),
        values: values as never,
        kubernetesVersion: versionsOf(bundle)[0]!,
      });
      return { addon, version: bundle.manifest.version, objects };
    }),
  );
}

/** A container of a bundle's Deployment, StatefulSet or DaemonSet. */
export function containerOf(objects: readonly Manifest[], name: string): Container {
  const containers = objects.flatMap(
    (o) =>
      (o as { spec?: { template?: { spec?: { containers?: Container[] } } } }).spec?.template?.spec?.containers ?? [],
  );
  const found = containers.find((c) => c.name === name);
  if (!found) throw new Error(`no container ${name}; there are ${containers.map((c) => c.name).join(', ')}`);
  return found;
}

/** Data of a bundle's ConfigMap. */
export function configOf(objects: readonly Manifest[], name: string): Record<string, string> {
  const found = objects.find((o) => o.kind === 'ConfigMap' && o.metadata.name === name);
  if (!found) throw new Error(`no ConfigMap ${name}`);
  return (found as unknown as { data: Record<string, string> }).data;
}

/** The files that a k8s-sidecar writes which is told what to look for as this container is: one for each key of a ConfigMap with its label. */
export function collect({ env = [] }: Container, objects: readonly Manifest[]): CollectedFile[] {
  const told = new Map(env.map(({ name, value }) => [name, value]));
  return objects
    .filter((o) => o.kind === 'ConfigMap' && o.metadata.labels?.[told.get('LABEL')!] === told.get('LABEL_VALUE'))
    .flatMap((o) =>
      Object.entries((o as unknown as { data: Record<string, string> }).data).map(([key, text]) => ({
        name:
          told.get('UNIQUE_FILENAMES') === 'true'
            ? `namespace_${o.metadata.namespace}.configmap_${o.metadata.name}.${key}`
            : key,
        text,
      })),
    );
}
