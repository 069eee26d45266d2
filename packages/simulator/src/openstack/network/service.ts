import { Service } from '../../core/service.ts';
import type { Auth, Cloud, OpenStackService } from '../cloud.ts';
import { authenticate } from '../identity/tokens.ts';
import { type Kind, serveCollection } from './collection.ts';
import { serveNetworkExtras } from './extras.ts';
import { floatingIpKind } from './floating-ips.ts';
import { networkKind } from './networks.ts';
import { portKind } from './ports.ts';
import { routerKind, serveRouterActions } from './routers.ts';
import { securityGroupKind, securityGroupRuleKind } from './security-groups.ts';
import type { NetRow } from './state.ts';
import { subnetKind } from './subnets.ts';
import { serveTags } from './tags.ts';

/** Neutron v2.0 under /network. */
export function networkService(cloud: Cloud): OpenStackService {
  const { network } = cloud;
  const service: OpenStackService = new Service<Auth>({
    name: 'neutron',
    prefix: 'network',
    authenticate: authenticate(cloud, 'network'),
    renderError: (_call, e) =>
      e.status === 401
        ? { status: 401, json: { error: { code: 401, title: 'Unauthorized', message: e.message } } }
        : {
            status: e.status,
            json: { NeutronError: { type: e.type || 'HTTPInternalServerError', message: e.message, detail: '' } },
          },
    decorate: (call, headers) => {
      headers['X-Openstack-Request-Id'] = call.requestId;
    },
    prepare: (call) => {
      // Both spellings exist in the wild, with and without .json.
      if (call.path.endsWith('.json') && !call.path.endsWith('details.json')) call.path = call.path.slice(0, -5);
    },
    resource: (call) => {
      const id = call.params.id ?? '';
      const row: NetRow | undefined =
        network.ports.get(id) ??
        network.networks.get(id) ??
        network.subnets.get(id) ??
        network.routers.get(id) ??
        network.floatingIps.get(id) ??
        network.groups.get(id);
      return row && { name: row.name, tags: row.tags };
    },
  });
  const self = () => [{ rel: 'self', href: `${cloud.base}/network/v2.0/` }];
  service.open('GET', '/', 'neutron.version.list', () => ({
    status: 200,
    json: { versions: [{ id: 'v2.0', status: 'CURRENT', links: self() }] },
  }));
  service.open('GET', '/v2.0', 'neutron.version.show', () => ({
    status: 200,
    json: {
      resources: ['network', 'subnet', 'port', 'router', 'floatingip', 'security-group'].map((name) => ({
        name,
        collection: `${name}s`,
        links: [{ rel: 'self', href: `${cloud.base}/network/v2.0/${name}s` }],
      })),
    },
  }));
  const serve = <T extends NetRow>(kind: Kind<T>) => {
    serveCollection(service, cloud, kind);
    serveTags(service, cloud, kind);
  };
  serve(networkKind(cloud));
  serve(subnetKind(cloud));
  serve(portKind(cloud));
  serve(routerKind(cloud));
  serve(floatingIpKind(cloud));
  serve(securityGroupKind(cloud));
  serve(securityGroupRuleKind(cloud));
  serveRouterActions(service, cloud);
  serveNetworkExtras(service, cloud);
  return service;
}
