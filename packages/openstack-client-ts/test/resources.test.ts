import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { collect, encodeUserData, ignoreNotFound, metadataQuery, type OpenStack } from '../src/index.ts';
import { FakeCloud } from './fake-cloud.ts';

/** A call of the client, and the request it must make: method, path with query, body. */
type Row = [string, (cloud: OpenStack) => PromiseLike<unknown>, string, unknown?];

const NOVA = '/compute/v2.1';
const NEUTRON = '/network/v2.0';
const OCTAVIA = '/load-balancer/v2.0/lbaas';
const CINDER = '/volume/v3/project-1';

const rows: Row[] = [
  [
    'a server with a scheduler hint, which goes beside it',
    (c) =>
      c.compute.servers.create({
        name: 's',
        flavorRef: 'f',
        networks: [{ port: 'p' }],
        user_data: encodeUserData('ü'),
        'os:scheduler_hints': { group: 'g' },
      }),
    `POST ${NOVA}/servers`,
    {
      server: { name: 's', flavorRef: 'f', networks: [{ port: 'p' }], user_data: 'w7w=' },
      'os:scheduler_hints': { group: 'g' },
    },
  ],
  ['force delete', (c) => c.compute.servers.forceDelete('s'), `POST ${NOVA}/servers/s/action`, { forceDelete: null }],
  [
    'soft reboot',
    (c) => c.compute.servers.reboot('s', 'SOFT'),
    `POST ${NOVA}/servers/s/action`,
    { reboot: { type: 'SOFT' } },
  ],
  ['stop', (c) => c.compute.servers.stop('s'), `POST ${NOVA}/servers/s/action`, { 'os-stop': null }],
  ['start', (c) => c.compute.servers.start('s'), `POST ${NOVA}/servers/s/action`, { 'os-start': null }],
  [
    'resize',
    (c) => c.compute.servers.resize('s', 'f'),
    `POST ${NOVA}/servers/s/action`,
    { resize: { flavorRef: 'f' } },
  ],
  [
    'lock',
    (c) => c.compute.servers.lock('s', 'why'),
    `POST ${NOVA}/servers/s/action`,
    { lock: { locked_reason: 'why' } },
  ],
  [
    'tags of a server',
    (c) => c.compute.servers.tags.replaceAll('s', ['a']),
    `PUT ${NOVA}/servers/s/tags`,
    { tags: ['a'] },
  ],
  ['a tag with odd characters', (c) => c.compute.servers.tags.add('s', 'a b?'), `PUT ${NOVA}/servers/s/tags/a%20b%3F`],
  [
    'metadata',
    (c) => c.compute.servers.metadata.merge('s', { a: '1' }),
    `POST ${NOVA}/servers/s/metadata`,
    { metadata: { a: '1' } },
  ],
  [
    'a volume to a server',
    (c) => c.compute.servers.volumes.attach('s', { volumeId: 'v' }),
    `POST ${NOVA}/servers/s/os-volume_attachments`,
    { volumeAttachment: { volumeId: 'v' } },
  ],
  [
    'a volume off a server',
    (c) => c.compute.servers.volumes.detach('s', 'v'),
    `DELETE ${NOVA}/servers/s/os-volume_attachments/v`,
  ],
  [
    'a port off a server',
    (c) => c.compute.servers.interfaces.detach('s', 'p'),
    `DELETE ${NOVA}/servers/s/os-interface/p`,
  ],
  [
    'a quota of Nova',
    (c) => c.compute.quotas.set('p', { cores: 1 }),
    `PUT ${NOVA}/os-quota-sets/p`,
    { quota_set: { cores: 1 } },
  ],
  ['hypervisors', (c) => c.compute.hypervisors().all(), `GET ${NOVA}/os-hypervisors/detail`],
  ['an update', (c) => c.network.ports.update('p', { name: 'n' }), `PUT ${NEUTRON}/ports/p`, { port: { name: 'n' } }],
  [
    'many at once',
    (c) => c.network.networks.createMany([{ name: 'n' }]),
    `POST ${NEUTRON}/networks`,
    { networks: [{ name: 'n' }] },
  ],
  [
    'a subnet off a router',
    (c) => c.network.routers.removeInterface('r', { subnet_id: 's' }),
    `PUT ${NEUTRON}/routers/r/remove_router_interface`,
    { subnet_id: 's' },
  ],
  ['used quota of Neutron', (c) => c.network.quotas.details('p'), `GET ${NEUTRON}/quotas/p/details.json`],
  ['tags of a port', (c) => c.network.ports.tags.removeAll('p'), `DELETE ${NEUTRON}/ports/p/tags`],
  ['a bare image', (c) => c.image.images.create({ name: 'i' }), 'POST /image/v2/images', { name: 'i' }],
  ['a volume', (c) => c.blockStorage.volumes.create({ size: 1 }), `POST ${CINDER}/volumes`, { volume: { size: 1 } }],
  [
    'volumes by metadata, which Cinder reads as Python',
    (c) => c.blockStorage.volumes.list({ metadata: metadataQuery({ 'a.b/c': "it's" }) }).all(),
    `GET ${CINDER}/volumes/detail?metadata=${encodeURIComponent("{'a.b/c': 'it\\'s'}").replaceAll('%20', '+').replaceAll("'", '%27')}`,
  ],
  ['used quota of Cinder', (c) => c.blockStorage.quotas.usage('p'), `GET ${CINDER}/os-quota-sets/p?usage=true`],
  [
    'a larger volume',
    (c) => c.blockStorage.volumes.extend('v', 2),
    `POST ${CINDER}/volumes/v/action`,
    { 'os-extend': { new_size: 2 } },
  ],
  [
    'a tree of load balancing',
    (c) => c.loadBalancer.loadBalancers.deleteCascade('l'),
    `DELETE ${OCTAVIA}/loadbalancers/l?cascade=true`,
  ],
  ['its status', (c) => c.loadBalancer.loadBalancers.statusTree('l'), `GET ${OCTAVIA}/loadbalancers/l/status`],
  [
    'all members of a pool',
    (c) => c.loadBalancer.members.replaceAll('p', [{ address: '10.0.0.1', protocol_port: 1 }], { additiveOnly: true }),
    `PUT ${OCTAVIA}/pools/p/members?additive_only=true`,
    { members: [{ address: '10.0.0.1', protocol_port: 1 }] },
  ],
  [
    'an application credential of the own user',
    (c) => c.identity.applicationCredentials.create({ name: 'a', roles: [{ name: 'member' }] }),
    'POST /identity/v3/users/user-1/application_credentials',
    { application_credential: { name: 'a', roles: [{ name: 'member' }] } },
  ],
  [
    'a role',
    (c) => c.identity.grantRole({ projectId: 'p', userId: 'u', roleId: 'r' }),
    'PUT /identity/v3/projects/p/users/u/roles/r',
  ],
  [
    'a change of a project',
    (c) => c.identity.projects.update('p', { enabled: false }),
    'PATCH /identity/v3/projects/p',
    { project: { enabled: false } },
  ],
  [
    'candidates of placement',
    (c) => c.placement.allocationCandidates({ resources: { VCPU: 1, MEMORY_MB: 512 }, limit: 3 }),
    'GET /placement/allocation_candidates?resources=VCPU%3A1%2CMEMORY_MB%3A512&limit=3',
  ],
];

/** One answer that has every field that a call of the table reads. */
const EVERYTHING = {
  server: {},
  tags: [],
  metadata: {},
  volumeAttachment: {},
  quota_set: {},
  hypervisors: [],
  port: {},
  networks: [],
  quota: {},
  volume: {},
  statuses: { loadbalancer: {} },
  application_credential: {},
  project: {},
};

describe('the request for', () => {
  it.each(rows)('%s', async (_, call, expected, body) => {
    const path = expected.replace(/\?.*/, '');
    await using cloud = await FakeCloud.start({ [path]: [{ body: EVERYTHING }] });
    await call(cloud.client());
    const [seen] = cloud.calls;
    const query = seen?.query.toString();
    expect(`${seen?.method} ${seen?.path}${query ? `?${query}` : ''}`).toBe(expected);
    if (body !== undefined) expect(seen?.body).toEqual(body);
  });
});

describe('resources', () => {
  it('send the revision that an update expects', async () => {
    await using cloud = await FakeCloud.start({ [`PUT ${NEUTRON}/ports/p`]: [{ body: { port: {} } }] });
    await cloud.client().network.ports.update('p', { name: 'n' }, { ifRevision: 7 });
    expect(cloud.calls[0]?.headers['if-match']).toBe('revision_number=7');
  });

  it('stream the content of images, and never send it twice', async () => {
    await using cloud = await FakeCloud.start({ 'PUT /image/v2/images/i/file': [{ status: 503 }] });
    const upload = cloud.client().image.images.upload('i', Readable.from([Buffer.from('ab'), Buffer.from('cd')]));
    await expect(upload).rejects.toMatchObject({ status: 503, mayHaveHappened: true });
    expect(cloud.calls.map((call) => call.body)).toEqual(['abcd']);
    expect(cloud.calls[0]?.headers['content-type']).toBe('application/octet-stream');
  });

  it('stream the content of images back', async () => {
    await using cloud = await FakeCloud.start({ 'GET /image/v2/images/i/file': [{ body: 'content' }] });
    const chunks = await collect((await cloud.client().image.images.download('i')) as AsyncIterable<Buffer>);
    expect(Buffer.concat(chunks).toString()).toBe('content');
  });

  it('change image properties with the steps that the image needs', async () => {
    await using cloud = await FakeCloud.start({
      'GET /image/v2/images/i': [{ body: { id: 'i', name: 'old', old: '1' } }],
      'PATCH /image/v2/images/i': [{ body: { id: 'i' } }],
    });
    await cloud.client().image.images.setProperties('i', { name: 'new', 'a/b': '2', old: undefined, never: undefined });
    expect(cloud.calls[1]?.body).toEqual([
      { op: 'replace', path: '/name', value: 'new' },
      { op: 'add', path: '/a~1b', value: '2' },
      { op: 'remove', path: '/old' },
    ]);
    expect(cloud.calls[1]?.headers['content-type']).toBe('application/openstack-images-v2.1-json-patch');
  });

  it('that are not there can be asked for without an error', async () => {
    await using cloud = await FakeCloud.start();
    expect(await ignoreNotFound(cloud.client().network.ports.get('p'))).toBeUndefined();
    const other = cloud
      .client({}, { endpointOverrides: { network: 'http://127.0.0.1:1' } })
      .network.ports.get('p', { retries: 0 });
    await expect(ignoreNotFound(other)).rejects.toMatchObject({ name: 'ConnectionError' });
  });
});

describe('errors', () => {
  const url = `GET ${NEUTRON}/networks`;
  const list = (cloud: FakeCloud) => cloud.client().network.networks.list().all();

  it.each([
    [400, 'BadRequestError'],
    [403, 'ForbiddenError'],
    [404, 'NotFoundError'],
    [406, 'MicroversionError'],
    [409, 'ConflictError'],
    [412, 'ConflictError'],
    [418, 'BadRequestError'],
    [500, 'ServerError'],
  ])('%i is a %s with service, method, address, request id and the message of the service', async (status, name) => {
    const body = { NeutronError: { type: 'Because', message: 'No.', detail: '' } };
    await using cloud = await FakeCloud.start({ [url]: [{ status, body }] });
    await expect(list(cloud)).rejects.toMatchObject({
      name,
      status,
      service: 'network',
      method: 'GET',
      url: `${cloud.url}/network/v2.0/networks`,
      requestId: 'req-2',
      code: 'Because',
      message: `network: GET /network/v2.0/networks: ${status}: No.`,
    });
  });

  it('tell a used-up quota from other refusals', async () => {
    const body = {
      NeutronError: { type: 'OverQuota', message: "Quota exceeded for resources: ['port'].", detail: '' },
    };
    await using cloud = await FakeCloud.start({ [url]: [{ status: 409, body }] });
    await expect(list(cloud)).rejects.toMatchObject({
      name: 'OverQuotaError',
      quota: { resources: ['port'] },
      retryable: false,
    });
  });

  it('tell the used-up quota of Cinder, which comes with Retry-After: 0, from too many calls', async () => {
    const message = "VolumeLimitExceeded: Maximum number of volumes allowed (10) exceeded for quota 'volumes'.";
    const volumes = { status: 413, headers: { 'retry-after': '0' }, body: { overLimit: { code: 413, message } } };
    const calls = {
      status: 413,
      headers: { 'retry-after': '0' },
      body: { overLimit: { code: 413, message: 'This request was rate-limited.' } },
    };
    await using cloud = await FakeCloud.start({
      [`POST ${CINDER}/volumes`]: [volumes, calls, { body: { volume: { id: 'v' } } }],
    });
    const api = cloud.client().blockStorage.volumes;
    await expect(api.create({ size: 1 })).rejects.toMatchObject({ name: 'OverQuotaError', quota: { limit: 10 } });
    expect(await api.create({ size: 1 })).toEqual({ id: 'v' });
  });

  it('tell an answer that is not OpenStack’s', async () => {
    await using cloud = await FakeCloud.start({ [`GET ${NEUTRON}/ports/p`]: [{ body: '<html>welcome</html>' }] });
    await expect(cloud.client().network.ports.get('p')).rejects.toThrow(
      "network: GET /ports/p: the answer has no 'port'",
    );
  });
});
