import { createHash } from 'node:crypto';
import { formatIp, parseCidr } from '../core/ip.ts';
import type { Cloud } from './cloud.ts';
import { newImage } from './image/state.ts';
import { newBase } from './network/collection.ts';

/** An id that depends on a name only, so that it stays the same from run to run. */
function stableId(name: string): string {
  const h = createHash('sha256').update(`shoto-simulator/${name}`).digest('hex');
  return `${h.slice(0, 8)}-${h.slice(8, 12)}-4${h.slice(13, 16)}-a${h.slice(17, 20)}-${h.slice(20, 32)}`;
}

const short = (name: string) => stableId(name).replaceAll('-', '');

/** Fills a new cloud with what its configuration says: users, catalog, hosts, flavors, images, external network. */
export function seed(cloud: Cloud): void {
  seedIdentity(cloud);
  seedCatalog(cloud);
  seedCompute(cloud);
  seedImages(cloud);
  seedExternalNetwork(cloud);
  for (const name of ['lvmdriver-1', '__DEFAULT__']) {
    cloud.volume.types.save({
      id: stableId(`volume-type ${name}`),
      name,
      description: name === '__DEFAULT__' ? 'Default Volume Type' : '',
      isPublic: true,
      extraSpecs: {},
      access: [],
    });
  }
  const { quotas } = cloud.config;
  cloud.quotas.setDefaults(quotas.default);
  for (const [name, own] of Object.entries(quotas.projects)) {
    for (const project of cloud.identity.projects.by('name', name)) {
      for (const area of ['compute', 'network', 'volume', 'loadBalancer'] as const)
        cloud.quotas.set(area, project.id, own[area]);
    }
  }
}

function seedIdentity(cloud: Cloud): void {
  const { identity, config } = cloud;
  const plain = { description: '', enabled: true, extra: {} };
  identity.domains.save({
    ...plain,
    id: 'default',
    name: 'Default',
    description: 'The default domain',
    domain_id: null,
  });
  for (const name of ['admin', 'manager', 'member', 'reader', 'service'])
    identity.roles.save({ ...plain, id: short(`role ${name}`), name, domain_id: null });
  const chain = ['admin', 'manager', 'member', 'reader'].map((name) => short(`role ${name}`));
  for (const [i, priorId] of chain.slice(0, -1).entries())
    identity.implications.save({ id: `${priorId}/${chain[i + 1]}`, priorId, impliedId: chain[i + 1]! });
  const plainGrant = { groupId: null, projectId: null, domainId: null, system: false, inherited: false };
  const project = (name: string): string => {
    const id = short(`project ${name}`);
    if (!identity.projects.get(id))
      identity.projects.save({
        ...plain,
        id,
        name,
        domain_id: 'default',
        is_domain: false,
        parent_id: 'default',
        tags: [],
      });
    return id;
  };
  project('service');
  for (const user of config.users) {
    const userId = short(`user ${user.name}`);
    if (!identity.users.get(userId))
      identity.users.save({
        ...plain,
        id: userId,
        name: user.name,
        password: user.password,
        domain_id: 'default',
        default_project_id: null,
      });
    const projectId = project(user.project);
    for (const role of user.roles) {
      identity.assignments.save({
        id: short(`assignment ${user.name} ${user.project} ${role}`),
        userId,
        roleId: short(`role ${role}`),
        ...plainGrant,
        projectId,
      });
      if (role !== 'admin') continue;
      // As a fresh installation has it: its administrator is one of the domain and of the system too.
      for (const [where, target] of [
        ['default', { domainId: 'default' }],
        ['system', { system: true }],
      ] as const) {
        identity.assignments.save({
          id: short(`assignment ${user.name} ${where} ${role}`),
          userId,
          roleId: short(`role ${role}`),
          ...plainGrant,
          ...target,
        });
      }
    }
  }
}

function seedCatalog(cloud: Cloud): void {
  const { identity, config } = cloud;
  identity.regions.save({ id: config.region, description: '', parent_region_id: null });
  const services: [string, string, string][] = [
    ['keystone', 'identity', '/identity'],
    ['nova', 'compute', '/compute/v2.1'],
    ['neutron', 'network', '/network'],
    ['glance', 'image', '/image'],
    ['cinderv3', 'volumev3', '/volume/v3/$(project_id)s'],
    ['octavia', 'load-balancer', '/load-balancer'],
    ['placement', 'placement', '/placement'],
  ];
  for (const [name, type, path] of services) {
    const id = short(`service ${type}`);
    identity.services.save({ id, name, type, description: '', enabled: true });
    for (const face of ['public', 'internal', 'admin']) {
      identity.endpoints.save({
        id: short(`endpoint ${type} ${face}`),
        service_id: id,
        interface: face,
        region_id: config.region,
        url: `${cloud.base}${path}`,
        enabled: true,
      });
    }
  }
}

function seedCompute(cloud: Cloud): void {
  const { compute, config } = cloud;
  // Zone by zone in turn: the scheduler breaks ties in this order, so servers spread over zones.
  for (let i = 1; i <= Math.max(...config.zones.map((z) => z.hosts)); i++) {
    for (const zone of config.zones) {
      if (i > zone.hosts) continue;
      const name = `${zone.name}-host-${i}`;
      compute.hosts.save({ id: stableId(`host ${name}`), name, zone: zone.name, disabled: false });
    }
  }
  // A zone is an aggregate of its hosts.
  for (const { name } of config.zones)
    compute.newAggregate(cloud, name, name).hosts = [...compute.hosts.by('zone', name)].map((h) => h.name);
  for (const f of config.flavors) {
    compute.flavors.save({
      id: f.id ?? stableId(`flavor ${f.name}`),
      name: f.name,
      vcpus: f.vcpus,
      ram: f.ramMiB,
      disk: f.diskGiB,
      ephemeral: 0,
      swap: 0,
      rxtxFactor: 1,
      isPublic: true,
      description: null,
      extraSpecs: f.extraSpecs,
      access: [],
    });
  }
}

function seedImages(cloud: Cloud): void {
  const owner = short('project admin');
  for (const given of cloud.config.images) {
    const image = newImage(cloud.ids, cloud.clock.now(), owner, given.name);
    Object.assign(image, {
      id: given.id ?? stableId(`image ${given.name}`),
      status: 'active',
      visibility: 'public',
      diskFormat: 'qcow2',
      containerFormat: 'bare',
      size: given.sizeBytes,
      minDisk: given.minDiskGiB,
      minRam: given.minRamMiB,
      properties: given.properties,
      checksum: createHash('md5').update(given.name).digest('hex'),
      sha512: createHash('sha512').update(given.name).digest('hex'),
    });
    cloud.image.images.save(image);
  }
}

function seedExternalNetwork(cloud: Cloud): void {
  const { network, config } = cloud;
  const cidr = parseCidr(config.externalNetwork.cidr)!;
  const projectId = short('project admin');
  const id = stableId(`network ${config.externalNetwork.name}`);
  network.networks.save({
    ...newBase(cloud, projectId, { name: config.externalNetwork.name }),
    id,
    admin_state_up: true,
    status: 'ACTIVE',
    shared: false,
    'router:external': true,
    is_default: true,
    mtu: 1500,
    port_security_enabled: true,
    availability_zone_hints: [],
    availability_zones: ['nova'],
    dns_domain: '',
    'provider:network_type': 'flat',
    'provider:physical_network': 'public',
    'provider:segmentation_id': null,
  });
  network.subnets.save({
    ...newBase(cloud, projectId, { name: `${config.externalNetwork.name}-subnet` }),
    id: stableId(`subnet ${config.externalNetwork.name}`),
    network_id: id,
    ip_version: 4,
    cidr: cidr.text,
    gateway_ip: formatIp(4, cidr.first + 1n),
    allocation_pools: [{ start: formatIp(4, cidr.first + 2n), end: formatIp(4, cidr.last - 1n) }],
    enable_dhcp: false,
    dns_nameservers: [],
    dns_publish_fixed_ip: false,
    host_routes: [],
    ipv6_address_mode: null,
    ipv6_ra_mode: null,
    service_types: [],
    subnetpool_id: null,
  });
}
