import { Service } from '../../core/service.ts';
import { type Auth, type Cloud, header, type OpenStackService } from '../cloud.ts';
import { authenticate, unauthorized } from '../identity/tokens.ts';
import { serveServerDetails } from './details.ts';
import { faultAnswer, maxMinor, microversion } from './dialect.ts';
import { serveComputeExtras } from './extras.ts';
import { serveFlavors } from './flavors.ts';
import { serveKeyPairs } from './keypairs.ts';
import { serveServerGroups } from './server-groups.ts';
import { serveServers } from './servers.ts';
import { serveVolumeAttachments } from './volumes.ts';

/** Nova v2.1 under /compute, microversions 2.1 to 2.93. */
export function computeService(cloud: Cloud): OpenStackService {
  const service: OpenStackService = new Service<Auth>({
    name: 'nova',
    prefix: 'compute',
    authenticate: authenticate(cloud, 'compute'),
    renderError: (_call, e) =>
      e.status === 401
        ? { status: 401, json: { error: { code: 401, title: 'Unauthorized', message: unauthorized(cloud).message } } }
        : e.type === 'HTTPNotFound'
          ? {
              status: 404,
              json: { message: `${e.message}<br /><br />\n\n\n`, code: '404 Not Found', title: 'Not Found' },
            }
          : faultAnswer(e),
    prepare: (call) => {
      // Old clients put the project into the path, and v2 is v2.1 without microversions.
      call.path = call.path.replace(/^\/v2(\.1)?\/[0-9a-f]{32}(?=\/|$)/, '/v2.1').replace(/^\/v2(?=\/|$)/, '/v2.1');
      if (call.path !== '/' && call.path !== '/v2.1' && call.path !== '/v2.1/') microversion(call);
    },
    decorate: (call, headers) => {
      headers['x-openstack-request-id'] = call.requestId;
      headers['x-compute-request-id'] = call.requestId;
      let text = '2.1';
      try {
        text = `2.${microversion(call)}`;
      } catch {
        // A refused version is answered as the lowest.
      }
      headers['OpenStack-API-Version'] = `compute ${text}`;
      headers['X-OpenStack-Nova-API-Version'] = text;
      headers.Vary = 'OpenStack-API-Version, X-OpenStack-Nova-API-Version';
    },
    resource: (call) => {
      const s = cloud.compute.servers.get(call.params.id ?? '');
      return s && { name: s.name, metadata: s.metadata, tags: s.tags };
    },
  });
  const version = (id: string, path: string, newest: string) => ({
    id,
    status: id === 'v2.1' ? 'CURRENT' : 'SUPPORTED',
    version: newest,
    min_version: newest === '' ? '' : '2.1',
    updated: id === 'v2.1' ? '2013-07-23T11:33:21Z' : '2011-01-21T11:33:21Z',
    links: [{ rel: 'self', href: `${cloud.base}/compute/${path}/` }],
  });
  const current = () => version('v2.1', 'v2.1', `2.${maxMinor}`);
  service.open('GET', '/', 'nova.version.list', () => ({
    status: 200,
    json: { versions: [version('v2.0', 'v2', ''), current()] },
  }));
  service.open('GET', '/v2.1', 'nova.version.show', (call) => ({
    status: 200,
    json: {
      version: {
        ...current(),
        links: [...current().links, { rel: 'describedby', type: 'text/html', href: 'http://docs.openstack.org/' }],
        'media-types': [
          {
            base: 'application/json',
            type: `application/vnd.openstack.compute+json;version=${header(call, 'x-none') ?? '2.1'}`,
          },
        ],
      },
    },
  }));
  serveServers(service, cloud);
  serveServerDetails(service, cloud);
  serveVolumeAttachments(service, cloud);
  serveFlavors(service, cloud);
  serveKeyPairs(service, cloud);
  serveServerGroups(service, cloud);
  serveComputeExtras(service, cloud);
  return service;
}
