import type { CloudConfig, Interface } from '../config/types.ts';
import { EndpointNotFoundError } from '../errors.ts';
import type { ServiceName } from '../types.ts';

/** An entry of Keystone's catalog. */
export interface CatalogEntry {
  type: string;
  name?: string;
  id?: string;
  endpoints: { id?: string; interface: string; region_id?: string | null; region?: string | null; url: string }[];
}

/** Names under which a service is found in catalogs, the best first. */
const CATALOG_TYPES: Record<ServiceName, readonly string[]> = {
  identity: ['identity'],
  compute: ['compute'],
  network: ['network'],
  image: ['image'],
  'block-storage': ['block-storage', 'volumev3', 'block-store', 'volume'],
  'load-balancer': ['load-balancer'],
  placement: ['placement'],
};

/** The endpoint of a service for the configured region and interface; says what the catalog has when there is none. */
export function chooseEndpoint(
  catalog: readonly CatalogEntry[],
  service: ServiceName,
  config: Pick<CloudConfig, 'region' | 'interfaces' | 'serviceInterfaces'>,
): string {
  const interfaces: Interface[] = config.serviceInterfaces?.[service] ?? config.interfaces ?? ['public'];
  for (const type of CATALOG_TYPES[service]) {
    for (const wanted of interfaces) {
      for (const entry of catalog.filter((e) => e.type === type)) {
        const endpoint = entry.endpoints.find(
          // Keystone v2 names ("publicURL") live on in some catalogs.
          (e) => e.interface.replace(/URL$/, '') === wanted && inRegion(e, config.region),
        );
        if (endpoint) return endpoint.url;
      }
    }
  }
  const known = catalog.filter((e) => CATALOG_TYPES[service].includes(e.type)).flatMap((e) => e.endpoints);
  const has =
    known.length > 0
      ? `it has ${known.map((e) => `${e.interface} in ${e.region_id ?? e.region ?? 'no region'}`).join(', ')}`
      : `its services are ${[...new Set(catalog.map((e) => e.type))].sort().join(', ') || 'none'}`;
  throw new EndpointNotFoundError(
    `${service}: the catalog has no ${interfaces.join(' or ')} endpoint${
      config.region === undefined ? '' : ` in region '${config.region}'`
    }; ${has}`,
    { service },
  );
}

function inRegion(endpoint: CatalogEntry['endpoints'][number], region: string | undefined): boolean {
  return region === undefined || endpoint.region_id === region || endpoint.region === region;
}
