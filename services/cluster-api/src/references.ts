import {
  type AddonBundle,
  type AddonRegistry,
  type ClusterSpec,
  type ClusterStatus,
  compareReleases,
  type FieldProblem,
  isOffered,
  type KubernetesRelease,
  type Region,
  releasePath,
  tenantNamespace,
} from '@shoto/api';
import { addonProblems } from './addon-references.ts';

/** What a Cluster may refer to, as it is known now. */
export interface Catalogue {
  region(name: string): Region | undefined;
  regions(): Region[];
  release(name: string): KubernetesRelease | undefined;
  releases(): KubernetesRelease[];
  addonBundles(): AddonBundle[];
  addonRegistries(): AddonRegistry[];
}

/** A Cluster as it is stored, as far as a change of its references is judged by it. */
export interface Stored {
  spec: ClusterSpec;
  status?: ClusterStatus;
}

/** The release that an upgrade begins at: the older one of what the control plane runs and of what was asked for last. */
export function runningRelease({ spec, status }: Stored): string {
  const running = status?.infrastructure?.release;
  return running && compareReleases(running, spec.release) < 0 ? running : spec.release;
}

const choose = (names: string[]): string =>
  names.length > 0 ? `choose one of ${names.sort().join(', ')}` : 'none is on offer yet';

/**
 * What is wrong with the references of a spec: region, release, flavors and zones that nobody offers.
 * Flavors and zones that a Region does not list are the provisioner's to look up in the cloud.
 *
 * A new release must be on offer and have a way that leads to it.
 *
 * @param now - milliseconds since the epoch
 * @param stored - the Cluster as it is stored; what is not changed is not asked about again
 * @param running - releases that machines of the Cluster run: back to these it may always go
 */
export function checkReferences(
  spec: ClusterSpec,
  catalogue: Catalogue,
  now: number,
  stored?: Stored,
  running: ReadonlySet<string> = new Set(),
): FieldProblem[] {
  const before = stored?.spec;
  const region = catalogue.region(spec.region);
  if (!region && spec.region !== before?.region)
    return [
      {
        field: 'spec.region',
        reason: 'Invalid',
        message: `region ${JSON.stringify(spec.region)} does not exist: ${choose(catalogue.regions().map((r) => r.metadata.name))}`,
      },
    ];
  return [
    ...release('spec.release', spec.release, before?.release, stored && runningRelease(stored)),
    ...(region ? flavor('spec.controlPlane.flavor', spec.controlPlane.flavor, before?.controlPlane.flavor) : []),
    ...(region ? zones('spec.controlPlane.zones', spec.controlPlane.zones, before?.controlPlane.zones) : []),
    ...endpoint(),
    ...addonProblems(spec, catalogue, before),
    ...spec.nodePools.flatMap((p, i) => {
      const old = before?.nodePools.find((x) => x.name === p.name);
      const at = `spec.nodePools[${i}]`;
      return [
        ...(p.release ? release(`${at}.release`, p.release, old?.release) : []),
        ...flavor(`${at}.flavor`, p.flavor, old?.flavor),
        ...zones(`${at}.zones`, p.zones, old?.zones),
      ];
    }),
  ];

  /** @param from - the release that an upgrade to this one begins at; absent where it is none */
  function release(field: string, name: string, old: string | undefined, from?: string): FieldProblem[] {
    if (name === old || name === from || running.has(name)) return [];
    const found = catalogue.release(name);
    const offered = catalogue
      .releases()
      .filter((r) => isOffered(r, spec.region, now))
      .map((r) => r.metadata.name);
    if (!found)
      return [
        { field, reason: 'Invalid', message: `release ${JSON.stringify(name)} does not exist: ${choose(offered)}` },
      ];
    if (!found.spec.images.some((i) => i.region === spec.region))
      return [
        {
          field,
          reason: 'Invalid',
          message: `release ${name} is not offered in region ${spec.region}: ${choose(offered)}`,
        },
      ];
    if (!isOffered(found, spec.region, now))
      return [
        {
          field,
          reason: 'Invalid',
          message: `release ${name} is withdrawn or out of its support window: ${choose(offered)}`,
        },
      ];
    const way = from
      ? releasePath(from, name, { releases: catalogue.releases(), region: spec.region, now })
      : undefined;
    // Down is refused by the kind's own rule.
    return way && 'blocked' in way && way.blocked !== 'Down'
      ? [{ field, reason: 'Invalid', message: way.message }]
      : [];
  }
  function flavor(field: string, name: string, old: string | undefined): FieldProblem[] {
    const offered = region?.spec.flavors ?? [];
    if (name === old || offered.length === 0 || offered.includes(name)) return [];
    return [
      {
        field,
        reason: 'Invalid',
        message: `flavor ${JSON.stringify(name)} is not offered in region ${spec.region}: ${choose([...offered])}`,
      },
    ];
  }
  function zones(field: string, names: string[] | undefined, old: string[] | undefined): FieldProblem[] {
    const offered = region?.spec.zones ?? [];
    if (!names || offered.length === 0 || JSON.stringify(names) === JSON.stringify(old)) return [];
    return names
      .map((name, i) => ({ name, i }))
      .filter(({ name }) => !offered.includes(name))
      .map(({ name, i }) => ({
        field: `${field}[${i}]`,
        reason: 'Invalid' as const,
        message: `zone ${JSON.stringify(name)} does not exist in region ${spec.region}: ${choose([...offered])}`,
      }));
  }
  function endpoint(): FieldProblem[] {
    if (region?.spec.apiEndpoint.type === 'LoadBalancer' || !region || spec.controlPlane.count === 1) return [];
    return [
      {
        field: 'spec.controlPlane.count',
        reason: 'Invalid',
        message: `region ${spec.region} has no load balancer in front of API servers (${region.spec.apiEndpoint.type}): ask for 1`,
      },
    ];
  }
}

/** A Cluster must live in the namespace of a tenant. */
export const namespaceProblem = (namespace: string | undefined): FieldProblem[] =>
  namespace?.startsWith(tenantNamespace(''))
    ? []
    : [
        {
          field: 'metadata.namespace',
          reason: 'Invalid',
          message: `clusters live in the namespace of a tenant: ${tenantNamespace('<tenant>')}`,
        },
      ];
