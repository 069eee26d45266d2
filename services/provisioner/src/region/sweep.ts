import type { Condition } from '@shoto/api';
import { LIFE_MS } from '../cluster/addon-credentials/needs.ts';
import { bad, CONDITIONS } from '../conditions.ts';
import { installationTag, METADATA, ownedBy } from '../names.ts';
import type { RegionRuntime } from './runtime.ts';

/** A thing of ours in a cloud that belongs to no Cluster and no Machine. */
export interface Orphan {
  kind:
    | 'server'
    | 'port'
    | 'network'
    | 'router'
    | 'floating IP'
    | 'security group'
    | 'load balancer'
    | 'application credential';
  id: string;
  name: string;
}

/** What there is on our side. */
export interface Claims {
  hasCluster: (uid: string) => boolean;
  hasMachine: (uid: string) => boolean;
}

/** Younger things may belong to an object that our caches do not show yet. */
const GRACE_MS = 600_000;
const NAMED_AT_MOST = 5;

interface Found {
  id: string;
  name?: string | null;
  tags?: readonly string[] | null;
  created_at?: string | null;
}

/** Whether nobody claims a thing, by its tags. Pure. */
export function isOrphan(tags: readonly string[], createdAt: string | undefined, claims: Claims, now: number): boolean {
  if (createdAt !== undefined && now - Date.parse(createdAt) < GRACE_MS) return false;
  const value = (name: string) => tags.find((t) => t.startsWith(`${name}=`))?.slice(name.length + 1);
  const machine = value(METADATA.machineUid);
  if (machine !== undefined) return !claims.hasMachine(machine);
  const cluster = value(METADATA.clusterUid);
  return cluster !== undefined && !claims.hasCluster(cluster);
}

/** Looks for what carries this installation's tag and belongs to nobody. Only looks: nothing is ever deleted here. */
export async function findOrphans(
  region: RegionRuntime,
  installation: string,
  claims: Claims,
  now: number,
): Promise<Orphan[]> {
  const tag = installationTag(installation);
  const tags = [tag];
  const lists: [Orphan['kind'], Promise<Found[]>][] = [
    // Servers that were deleted have no tags any more, and none of them is looked for here.
    [
      'server',
      region.cloud.call('list our servers', async (c, o) =>
        (await c.compute.servers.list({ tags }, o).all()).map((s) => ({ ...s, created_at: s.created })),
      ),
    ],
    ['port', region.cloud.call('list our ports', (c, o) => c.network.ports.list({ tags }, o).all())],
    ['network', region.cloud.call('list our networks', (c, o) => c.network.networks.list({ tags }, o).all())],
    ['router', region.cloud.call('list our routers', (c, o) => c.network.routers.list({ tags }, o).all())],
    [
      'floating IP',
      region.cloud.call('list our floating IPs', async (c, o) =>
        (await c.network.floatingIps.list({ tags }, o).all()).map((f) => ({
          id: f.id,
          name: f.floating_ip_address,
          tags: f.tags,
          created_at: typeof f.created_at === 'string' ? f.created_at : undefined,
        })),
      ) as Promise<Found[]>,
    ],
    [
      'security group',
      region.cloud.call('list our security groups', (c, o) => c.network.securityGroups.list({ tags }, o).all()),
    ],
  ];
  lists.push(['application credential', ourCredentials(region, installation)]);
  if (region.region.spec.apiEndpoint.type === 'LoadBalancer')
    lists.push([
      'load balancer',
      region.cloud.call('list our load balancers', (c, o) => c.loadBalancer.loadBalancers.list({ tags }, o).all()),
    ]);
  const orphans: Orphan[] = [];
  const settled = await Promise.allSettled(lists.map(([, list]) => list));
  settled.forEach((result, i) => {
    if (result.status === 'rejected') throw result.reason;
    const kind = (lists[i] as [Orphan['kind'], unknown])[0];
    for (const f of result.value)
      if ((f.tags ?? []).includes(tag) && isOrphan(f.tags ?? [], f.created_at ?? undefined, claims, now))
        orphans.push({ kind, id: f.id, name: f.name ?? '' });
  });
  return orphans.sort((a, b) => (`${a.kind} ${a.id}` < `${b.kind} ${b.id}` ? -1 : 1));
}

/** Keystone has no tags, and does not tell when a credential was made: the description says whose it is, and its end when it began. */
async function ourCredentials(region: RegionRuntime, installation: string): Promise<Found[]> {
  const all = await region.cloud.call('list our application credentials', (c, o) =>
    c.identity.applicationCredentials.list({}, o),
  );
  const prefix = ownedBy({ installation, clusterUid: '' });
  return all
    .filter((c) => c.description?.startsWith(prefix))
    .map((c) => ({
      id: c.id,
      name: c.name,
      tags: [installationTag(installation), `${METADATA.clusterUid}=${c.description?.slice(prefix.length)}`],
      created_at: c.expires_at && new Date(Date.parse(`${c.expires_at.replace(/Z$/, '')}Z`) - LIFE_MS).toISOString(),
    }));
}

/** The condition that tells of orphans; undefined where there is nothing to tell, nor to take back. */
export function orphansCondition(orphans: readonly Orphan[], stated: readonly Condition[] | undefined) {
  const known = stated?.find((c) => c.type === CONDITIONS.orphans);
  if (orphans.length === 0)
    return known?.status === 'True'
      ? bad(CONDITIONS.orphans, 'None', 'everything of ours in this cloud belongs to somebody')
      : undefined;
  const named = orphans.slice(0, NAMED_AT_MOST).map((o) => `${o.kind} ${o.name || o.id} (${o.id})`);
  const more = orphans.length - named.length;
  return {
    type: CONDITIONS.orphans,
    status: 'True' as const,
    reason: 'Unclaimed',
    message: `${orphans.length} of our things in this cloud belong to no Cluster and no Machine: ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}; look at them and delete what is not needed`,
  };
}
