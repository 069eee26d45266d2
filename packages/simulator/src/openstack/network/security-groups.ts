import { parseCidr } from '../../core/ip.ts';
import type { Json } from '../../core/message.ts';
import type { Cloud } from '../cloud.ts';
import { commonAttributes } from './attributes.ts';
import { type Kind, readable } from './collection.ts';
import { badRequest, conflict } from './errors.ts';
import { addRule, defaultGroup } from './groups.ts';
import type { SecurityGroup, SecurityGroupRule } from './state.ts';

/** Security groups. */
export function securityGroupKind(cloud: Cloud): Kind<SecurityGroup> {
  const { network } = cloud;
  return {
    singular: 'security_group',
    plural: 'security_groups',
    quota: 'security_group',
    table: network.groups,
    indexes: {},
    beforeList: (auth) => {
      if (auth.projectId !== '') defaultGroup(cloud, auth.projectId);
    },
    shared: (g) => g.shared,
    attributes: { ...commonAttributes, stateful: { type: 'bool' }, shared: { type: 'bool', post: false, put: false } },
    view: (g): Json => ({ ...g, security_group_rules: [...network.rules.by('group', g.id)].map(ruleView) }),
    create: (a, auth, base) => {
      if (base.name === 'default')
        throw conflict('SecurityGroupDefaultAlreadyExists', 'Default security group already exists.');
      defaultGroup(cloud, base.project_id || auth.projectId);
      const group = network.groups.save({ ...base, stateful: a.stateful !== false, shared: false });
      for (const ethertype of ['IPv4', 'IPv6'] as const) addRule(cloud, group, { direction: 'egress', ethertype });
      group.revision_number = 1;
      return network.groups.save(group);
    },
    update: (g, a) => {
      if (g.name === 'default' && typeof a.name === 'string' && a.name !== 'default')
        throw conflict('SecurityGroupCannotUpdateDefault', 'Updating default security group not allowed.');
      if (typeof a.stateful === 'boolean') {
        if (network.ports.count('group', g.id) > 0 && a.stateful !== g.stateful)
          throw conflict('SecurityGroupInUse', `Security Group ${g.id} in use.`);
        g.stateful = a.stateful;
      }
    },
    remove: (g, auth) => {
      if (g.name === 'default' && !auth.isAdmin)
        throw conflict('SecurityGroupCannotRemoveDefault', 'Insufficient rights for removing default security group.');
      if (network.ports.count('group', g.id) > 0)
        throw conflict('SecurityGroupInUse', `Security Group ${g.id} in use.`);
      for (const rule of [...network.rules.by('group', g.id), ...network.rules.by('remote', g.id)])
        network.rules.delete(rule.id);
      network.groups.delete(g.id);
    },
  };
}

const protocols = [
  'ah',
  'dccp',
  'egp',
  'esp',
  'gre',
  'hopopt',
  'icmp',
  'icmpv6',
  'igmp',
  'ip',
  'ipip',
  'ipv6-encap',
  'ipv6-frag',
  'ipv6-icmp',
  'ipv6-nonxt',
  'ipv6-opts',
  'ipv6-route',
  'ospf',
  'pgm',
  'rsvp',
  'sctp',
  'tcp',
  'udp',
  'udplite',
  'vrrp',
  'any',
];

/** Security group rules. */
export function securityGroupRuleKind(cloud: Cloud): Kind<SecurityGroupRule> {
  const { network } = cloud;
  const groups = securityGroupKind(cloud);
  return {
    singular: 'security_group_rule',
    plural: 'security_group_rules',
    quota: 'security_group_rule',
    table: network.rules,
    indexes: { security_group_id: 'group', remote_group_id: 'remote' },
    attributes: {
      ...commonAttributes,
      security_group_id: { type: 'uuid', required: true, put: false },
      direction: { type: 'string', required: true, put: false },
      ethertype: { type: 'string', put: false },
      protocol: { type: 'any', nullable: true, put: false },
      port_range_min: { type: 'int', nullable: true, put: false },
      port_range_max: { type: 'int', nullable: true, put: false },
      remote_ip_prefix: { type: 'string', nullable: true, put: false },
      remote_group_id: { type: 'uuid', nullable: true, put: false },
      remote_address_group_id: { type: 'uuid', nullable: true, put: false },
    },
    view: ruleView,
    checkMany: (given) => {
      if (new Set(given.map((rule) => rule.security_group_id)).size > 1)
        throw badRequest('Only allowed to update rules for one security profile at a time');
    },
    create: (a, auth, base) => {
      const group = readable(groups, a.security_group_id as string, auth);
      const wanted = checkRule(a);
      if (wanted.remote_group_id !== null) readable(groups, wanted.remote_group_id, auth);
      for (const rule of network.rules.by('group', group.id)) {
        if (same(rule, wanted))
          throw conflict('SecurityGroupRuleExists', `Security group rule already exists. Rule id is ${rule.id}.`);
      }
      return addRule(cloud, group, { ...base, ...wanted });
    },
    update: () => {
      throw badRequest('Cannot update read-only attribute of a security group rule');
    },
    remove: (rule) => {
      network.rules.delete(rule.id);
      const group = network.groups.get(rule.security_group_id);
      if (group) {
        group.revision_number++;
        network.groups.save(group);
      }
    },
  };
}

type Wanted = Pick<
  SecurityGroupRule,
  'direction' | 'ethertype' | 'protocol' | 'port_range_min' | 'port_range_max' | 'remote_ip_prefix' | 'remote_group_id'
>;

function checkRule(a: Json): Wanted {
  if (a.direction !== 'ingress' && a.direction !== 'egress')
    throw badRequest(`Invalid input for direction. Reason: '${String(a.direction)}' is not in ['ingress', 'egress'].`);
  const ethertype = /^ipv6$/i.test(String(a.ethertype ?? '')) ? 'IPv6' : 'IPv4';
  if (a.ethertype !== undefined && !/^ipv[46]$/i.test(String(a.ethertype)))
    throw badRequest(
      `Security group rule for ethertype '${String(a.ethertype)}' not supported. Allowed values are ['IPv4', 'IPv6'].`,
      'SecurityGroupRuleInvalidEtherType',
    );
  let protocol = a.protocol === null || a.protocol === undefined ? null : String(a.protocol).toLowerCase();
  if (protocol === 'any' || protocol === '') protocol = null;
  if (protocol !== null && !protocols.includes(protocol) && !(/^\d+$/.test(protocol) && Number(protocol) <= 255)) {
    throw badRequest(
      `Security group rule protocol ${protocol} not supported. Only protocol values [${protocols.map((p) => `'${p}'`).join(', ')}] and integer representations [0 to 255] are supported.`,
      'SecurityGroupRuleInvalidProtocol',
    );
  }
  const min = (a.port_range_min as number | null | undefined) ?? null;
  const max = (a.port_range_max as number | null | undefined) ?? null;
  if (protocol === null && (min !== null || max !== null))
    throw badRequest('Must also specify protocol if port range is given.', 'SecurityGroupProtocolRequiredWithPorts');
  if (['tcp', 'udp', 'sctp', 'dccp', 'udplite', '6', '17'].includes(protocol ?? '')) {
    if ((min === null) !== (max === null) || (min !== null && max !== null && min > max))
      throw badRequest(
        'For TCP/UDP protocols, port_range_min must be <= port_range_max',
        'SecurityGroupInvalidPortRange',
      );
    for (const port of [min, max])
      if (port !== null && (port < 0 || port > 65535))
        throw badRequest(`Invalid value for port ${port}`, 'SecurityGroupInvalidPortValue');
  }
  const prefix = typeof a.remote_ip_prefix === 'string' && a.remote_ip_prefix !== '' ? a.remote_ip_prefix : null;
  const remoteGroup = (a.remote_group_id as string | null | undefined) ?? null;
  if (prefix !== null && remoteGroup !== null)
    throw badRequest(
      'Only remote_ip_prefix or remote_group_id may be provided.',
      'SecurityGroupRemoteGroupAndRemoteIpPrefix',
    );
  let normal: string | null = null;
  if (prefix !== null) {
    const cidr = parseCidr(prefix);
    if (!cidr) throw badRequest(`Invalid input for remote_ip_prefix. Reason: '${prefix}' is not a valid CIDR.`);
    if ((cidr.version === 4) !== (ethertype === 'IPv4'))
      throw badRequest(
        `Conflicting value ethertype ${ethertype} for CIDR ${prefix}`,
        'SecurityGroupRuleParameterConflict',
      );
    normal = prefix.includes('/') ? prefix : `${prefix}/${cidr.prefix}`;
  }
  return {
    direction: a.direction,
    ethertype,
    protocol,
    port_range_min: min,
    port_range_max: max,
    remote_ip_prefix: normal,
    remote_group_id: remoteGroup,
  };
}

function same(rule: SecurityGroupRule, wanted: Wanted): boolean {
  const any = (prefix: string | null) => (prefix === '0.0.0.0/0' || prefix === '::/0' ? null : prefix);
  return (
    rule.direction === wanted.direction &&
    rule.ethertype === wanted.ethertype &&
    rule.protocol === wanted.protocol &&
    rule.port_range_min === wanted.port_range_min &&
    rule.port_range_max === wanted.port_range_max &&
    rule.remote_group_id === wanted.remote_group_id &&
    any(rule.remote_ip_prefix) === any(wanted.remote_ip_prefix)
  );
}

function ruleView(rule: SecurityGroupRule): Json {
  const { name: _name, ...rest } = rule;
  return rest;
}
