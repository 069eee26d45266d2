import type { AccessRule } from 'openstack-client-ts';

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';
const CHANGES: Method[] = ['POST', 'PUT', 'DELETE'];

/** A collection of things, and each of them with what lies below it. */
const all = (name: string): string[] => [`/**/${name}`, `/**/${name}/**`];

/**
 * The calls that addons make, by service: reading, and changes of what they make. Volumes and snapshots and their attachment to machines are the CSI
 * driver's; load balancers, floating IPs, security groups and the ports of machines the cloud-controller-manager's. A path begins with `/**`, since
 * services lie below other paths in each cloud.
 */
const CALLS: Record<string, { types: readonly string[]; changes: readonly (readonly [Method[], string[]])[] }> = {
  compute: {
    types: ['compute'],
    changes: [
      [['POST'], ['/**/os-volume_attachments']],
      [['DELETE'], ['/**/os-volume_attachments/*']],
    ],
  },
  network: {
    types: ['network'],
    changes: [
      [CHANGES, [...all('floatingips'), ...all('security-groups'), ...all('security-group-rules')]],
      [['PUT'], ['/**/ports/**']],
    ],
  },
  'block-storage': {
    types: ['block-storage', 'volumev3', 'block-store', 'volume'],
    changes: [[CHANGES, [...all('volumes'), ...all('snapshots')]]],
  },
  'load-balancer': { types: ['load-balancer'], changes: [[CHANGES, ['/**']]] },
};

/**
 * The access rules of an addons' credential, for the services of a catalog. Pure.
 *
 * @param catalog - types of its services: a rule names its service as the catalog does
 */
export function accessRules(catalog: readonly string[]): AccessRule[] {
  return Object.values(CALLS).flatMap(({ types, changes }) =>
    types
      .filter((type) => catalog.includes(type))
      .flatMap((service) =>
        [[['GET'], ['/**']] as const, ...changes].flatMap(([methods, paths]) =>
          methods.flatMap((method) => paths.map((path) => ({ service, method, path }))),
        ),
      ),
  );
}
