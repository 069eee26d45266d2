import type { World } from './world.ts';

const SYSTEM = 'kube-system';
const WEB = { namespace: 'tenant-blue', name: 'web' };

/** How tests look at what is in a world's cluster, and ask for other addons. @param w - the world of the test that runs */
export function looking(w: () => World) {
  const maps = () => w().workload.api.resource({ group: '', version: 'v1', plural: 'configmaps' });
  const sets = () => w().workload.api.resource({ group: 'apps', version: 'v1', plural: 'daemonsets' });
  const clusters = () => w().management.api.resource({ group: 'shoto.dev', version: 'v1alpha1', plural: 'clusters' });
  return {
    /** Where the addons of small bundles live. */
    SYSTEM,
    /** The Cluster. */
    WEB,
    maps,
    sets,
    clusters,
    /** A ConfigMap, where it is there. */
    map: (name: string) => maps().get({ namespace: SYSTEM, name }) as { data?: Record<string, string> } | undefined,
    /** Image of a DaemonSet. */
    image: (name: string) =>
      (
        sets().get({ namespace: SYSTEM, name }) as unknown as {
          spec: { template: { spec: { containers: { image: string }[] } } };
        }
      ).spec.template.spec.containers[0]!.image,
    /** What is said of an addon. */
    addonsOf: (name: string) =>
      w()
        .addons()
        .find((a) => a.spec.addon === name)?.status?.manager,
    /** Asks for these addons. */
    ask: (addons: object[]) => clusters().patch(WEB, { spec: { addons } }),
  };
}

/** The text of a CustomResourceDefinition, of objects that are in no namespace and may hold nothing. */
export const definition = (group: string, plural: string, kind: string, version: string): string =>
  `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: ${plural}.${group} }
spec:
  group: ${group}
  scope: Cluster
  names: { kind: ${kind}, plural: ${plural}, singular: ${kind.toLowerCase()}, listKind: ${kind}List }
  versions: [{ name: ${version}, served: true, storage: true, schema: { openAPIV3Schema: { type: object } } }]
`;
