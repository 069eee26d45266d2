import type { Cloud } from '../cloud.ts';
import { newBase } from './collection.ts';
import type { SecurityGroup, SecurityGroupRule } from './state.ts';

/** The project's default security group, made when first needed. */
export function defaultGroup(cloud: Cloud, projectId: string): SecurityGroup {
  for (const g of cloud.network.groups.by('project', projectId)) if (g.name === 'default') return g;
  const group: SecurityGroup = {
    ...newBase(cloud, projectId, { name: 'default', description: 'Default security group' }),
    stateful: true,
    shared: false,
  };
  cloud.network.groups.save(group);
  for (const ethertype of ['IPv4', 'IPv6'] as const) {
    addRule(cloud, group, { direction: 'egress', ethertype });
    addRule(cloud, group, { direction: 'ingress', ethertype, remote_group_id: group.id });
  }
  return group;
}

/** Adds a rule without any check. */
export function addRule(
  cloud: Cloud,
  group: SecurityGroup,
  given: Partial<SecurityGroupRule> & { direction: 'ingress' | 'egress'; ethertype: 'IPv4' | 'IPv6' },
): SecurityGroupRule {
  const rule: SecurityGroupRule = {
    ...newBase(cloud, group.project_id),
    protocol: null,
    port_range_min: null,
    port_range_max: null,
    remote_ip_prefix: null,
    remote_group_id: null,
    remote_address_group_id: null,
    normalized_cidr: given.remote_ip_prefix ?? null,
    belongs_to_default_sg: group.name === 'default',
    ...given,
    security_group_id: group.id,
  };
  cloud.network.rules.save(rule);
  group.revision_number++;
  cloud.network.groups.save(group);
  return rule;
}
