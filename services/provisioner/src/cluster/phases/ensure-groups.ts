import type { SecurityGroup, ServerGroup } from 'openstack-client-ts';
import { isConflict } from '../../cloud/errors.ts';
import { onlyOne } from '../../cloud/region-cloud.ts';
import { cloudName, clusterTags, ownedBy } from '../../names.ts';
import { type ClusterPass, found, together } from '../pass.ts';
import type { Pool } from '../pools.ts';
import { type Groups, missingRules, ruleBody, wantedRules } from '../security-rules.ts';
import { adoptOrCreate } from './ensure-network.ts';

/** The two security groups of the Cluster with their rules. Rules that a person added stay. */
export async function ensureSecurityGroups(pass: ClusterPass): Promise<void> {
  const { infra, memory } = pass;
  const known = infra.securityGroups;
  if (known?.controlPlane && known.worker && memory.rulesComplete) return;
  const [controlPlane, worker] = await Promise.all([
    ensureSecurityGroup(pass, 'control-plane', known?.controlPlane),
    ensureSecurityGroup(pass, 'worker', known?.worker),
  ]);
  const groups: Groups = { controlPlane: controlPlane.id, worker: worker.id };
  const wanted = wantedRules(groups);
  // Neutron takes many rules in one call, but only of one group.
  await Promise.all([
    ensureRules(
      pass,
      missingRules(wanted.controlPlane, controlPlane.security_group_rules).map((r) => ruleBody(groups.controlPlane, r)),
    ),
    ensureRules(
      pass,
      missingRules(wanted.worker, worker.security_group_rules).map((r) => ruleBody(groups.worker, r)),
    ),
  ]);
  memory.rulesComplete = true;
  found(pass, { securityGroups: groups });
}

/** Makes the rules that one group lacks. */
async function ensureRules(
  { region, key, signal }: ClusterPass,
  missing: ReturnType<typeof ruleBody>[],
): Promise<void> {
  if (missing.length === 0) return;
  await region.cloud
    .call(
      `make the security group rules of ${key}`,
      (c, o) => c.network.securityGroupRules.createMany(missing, o),
      signal,
    )
    .catch(async (e: unknown) => {
      if (!isConflict(e)) throw e;
      // One of them is there already, and all or none are made: one by one, then.
      for (const rule of missing)
        await region.cloud
          .call(`make a security group rule of ${key}`, (c, o) => c.network.securityGroupRules.create(rule, o), signal)
          .catch((one: unknown) => {
            if (!isConflict(one)) throw one;
          });
    });
}

async function ensureSecurityGroup(
  pass: ClusterPass,
  part: 'control-plane' | 'worker',
  id: string | undefined,
): Promise<SecurityGroup> {
  const { region, key, signal, ref, owner } = pass;
  if (id) {
    const stored = await region.cloud.find(
      `look up a security group of ${key}`,
      (c, o) => c.network.securityGroups.get(id, o),
      signal,
    );
    if (stored) return stored;
  }
  const name = cloudName(ref, part);
  return await adoptOrCreate<SecurityGroup>(pass, {
    what: `security groups ${name}`,
    find: () =>
      region.cloud.call(
        `look up the security groups of ${key}`,
        (c, o) => c.network.securityGroups.list({ name }, o).all(),
        signal,
      ),
    create: () =>
      region.cloud.call(
        `make the security group ${name} of ${key}`,
        (c, o) => c.network.securityGroups.create({ name, description: ownedBy(owner) }, o),
        signal,
      ),
    tag: (sg) =>
      region.cloud.call(
        `tag the security group ${name} of ${key}`,
        (c, o) => c.network.securityGroups.tags.replaceAll(sg, clusterTags(owner), o),
        signal,
      ),
  });
}

/**
 * A server group for each pool, so that its machines are on different hosts: if possible, or always, as the pool asks. Server groups have neither
 * tags nor descriptions: their name, with the Cluster's UID in it, proves them ours.
 */
export async function ensureServerGroups(pass: ClusterPass, pools: readonly Pool[]): Promise<void> {
  const { infra, region, key, signal, ref } = pass;
  const wanted = pools.filter((p) => p.count > 0 && !infra.serverGroups?.[p.name]);
  if (wanted.length === 0) return;
  const all = await region.cloud.call(
    `look up the server groups of ${key}`,
    (c, o) => c.compute.serverGroups.list({}, o).all(),
    signal,
  );
  await together(
    ...wanted.map(async (pool) => {
      const name = cloudName(ref, pool.name);
      const group: ServerGroup =
        onlyOne(
          `server groups ${name}`,
          all.filter((g) => g.name === name),
        ) ??
        (await region.cloud.call(
          `make the server group ${name} of ${key}`,
          (c, o) => c.compute.serverGroups.create({ name, policy: pool.serverGroupPolicy }, o),
          signal,
        ));
      found(pass, { serverGroups: { ...infra.serverGroups, [pool.name]: group.id } });
    }),
  );
}
