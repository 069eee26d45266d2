import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PoweredServer } from '../../core/hypervisor.ts';
import { aNetwork, at, type Lab, names, newest, serverBody, startLab, until } from '../testing.ts';

let lab: Lab;
const powered: PoweredServer[] = [];
beforeAll(async () => {
  lab = await startLab(
    { quotas: { default: { compute: { instances: 100, cores: 100, ram: 1_000_000 } } } },
    {
      powerOn: (s) => powered.push(s),
      powerOff() {},
      reboot() {},
      destroy() {},
      consoleLog: () => ['one', 'two', 'three'],
    },
  );
});
afterAll(() => lab.simulator.close());

const make = async (
  more: Record<string, unknown>,
  body: Record<string, unknown> = {},
  headers: Record<string, string> = newest,
) => lab.user('POST', '/compute/v2.1/servers', { server: await serverBody(lab.user, more), ...body }, headers);
const show = async (id: unknown) =>
  at(await lab.user('GET', `/compute/v2.1/servers/${id}`, undefined, newest), 'server');
const reaches = (id: unknown, status: string) =>
  until(`server ${status}`, async () => {
    const s = await show(id);
    return s.status === status && s['OS-EXT-STS:task_state'] === null ? s : undefined;
  });
const started = async (more: Record<string, unknown>) => reaches(at(await make(more), 'server').id, 'ACTIVE');

describe('the life of a server', () => {
  it('goes from BUILD to ACTIVE with the given port bound, and powers the machine on', async () => {
    const { network } = await aNetwork(lab.user);
    const port = at(await lab.user('POST', '/network/v2.0/ports', { port: { network_id: network } }), 'port');
    const reply = await make({
      name: 'one',
      networks: [{ port: port.id }],
      user_data: Buffer.from('#cloud-config').toString('base64'),
      metadata: { k: 'v' },
      tags: ['t'],
    });
    expect(reply.status).toBe(202);
    const s = await reaches(at(reply, 'server').id, 'ACTIVE');
    expect(s.tags).toEqual(['t']);
    const bound = at(await lab.admin('GET', `/network/v2.0/ports/${port.id}`), 'port');
    expect(bound).toMatchObject({
      device_id: s.id,
      device_owner: `compute:${s['OS-EXT-AZ:availability_zone']}`,
      status: 'ACTIVE',
    });
    expect(bound['binding:host_id']).not.toBe('');
    expect(powered.find((p) => p.id === s.id)).toMatchObject({
      name: 'one',
      userData: '#cloud-config',
      metadata: { k: 'v' },
      ports: [{ id: port.id, address: '10.0.0.3', subnetCidr: '10.0.0.0/24' }],
    });
    const second = await make({ name: 'two', networks: [{ port: port.id }] });
    expect(second.status).toBe(409);
    expect(at(second, 'conflictingRequest').message).toBe(`Port ${port.id} is still in use.`);
  });
  it('gives a port back when the server goes, deletes its own, and shows the deleted one to changes-since only', async () => {
    const { network } = await aNetwork(lab.user);
    const port = at(await lab.user('POST', '/network/v2.0/ports', { port: { network_id: network } }), 'port');
    const before = new Date(Date.now() - 60_000).toISOString();
    const s = await started({ name: 'gone', networks: [{ port: port.id }, { uuid: network }], tags: ['bye'] });
    expect((await lab.user('DELETE', `/compute/v2.1/servers/${s.id}`)).status).toBe(204);
    await until('404', async () =>
      (await lab.user('GET', `/compute/v2.1/servers/${s.id}`)).status === 404 ? true : undefined,
    );
    expect(at(await lab.user('GET', `/network/v2.0/ports/${port.id}`), 'port')).toMatchObject({
      device_id: '',
      device_owner: '',
      status: 'DOWN',
    });
    expect((await lab.user('GET', `/network/v2.0/ports?device_id=${s.id}`)).body.ports).toEqual([]);
    const list = async (q: string) =>
      names(await lab.user('GET', `/compute/v2.1/servers/detail?name=gone${q}`, undefined, newest), 'servers');
    expect(await list('')).toEqual([]);
    expect(await list(`&changes-since=${before}`)).toEqual(['gone']);
    // Nova takes the tags off what it deletes, so this finds nothing.
    expect(await list(`&changes-since=${before}&tags=bye`)).toEqual([]);
  });
  it('stops, starts, reboots, refuses what the state does not allow, and locks', async () => {
    const s = await started({ name: 'busy' });
    const act = (body: object) => lab.user('POST', `/compute/v2.1/servers/${s.id}/action`, body, newest);
    expect((await act({ 'os-stop': null })).status).toBe(202);
    await reaches(s.id, 'SHUTOFF');
    const again = await act({ 'os-stop': null });
    expect(at(again, 'conflictingRequest').message).toBe(
      `Cannot 'stop' instance ${s.id} while it is in vm_state stopped`,
    );
    await act({ 'os-start': null });
    await reaches(s.id, 'ACTIVE');
    expect((await act({ 'os-getConsoleOutput': { length: 2 } })).body).toEqual({ output: 'two\nthree' });
    await act({ lock: null });
    expect((await lab.user('DELETE', `/compute/v2.1/servers/${s.id}`)).status).toBe(409);
  });
  it('ends in ERROR when a hard anti-affinity group has no host left', async () => {
    const small = await startLab({ zones: [{ name: 'az1', hosts: 1 }] });
    const group = at(
      await small.user(
        'POST',
        '/compute/v2.1/os-server-groups',
        { server_group: { name: 'g', policy: 'anti-affinity' } },
        newest,
      ),
      'server_group',
    );
    const states: unknown[] = [];
    for (let i = 0; i < 2; i++) {
      const server = await serverBody(small.user, { name: `s${i}` });
      const id = at(
        await small.user(
          'POST',
          '/compute/v2.1/servers',
          { server, 'os:scheduler_hints': { group: group.id } },
          newest,
        ),
        'server',
      ).id;
      const s = await until('an end', async () => {
        const now = at(await small.user('GET', `/compute/v2.1/servers/${id}`), 'server');
        return now.status === 'BUILD' ? undefined : now;
      });
      states.push([s.status, (s.fault as { message: string } | undefined)?.message]);
    }
    expect(states).toEqual([
      ['ACTIVE', undefined],
      ['ERROR', 'No valid host was found. There are not enough hosts available.'],
    ]);
    await small.simulator.close();
  });
  it('boots from a volume that it makes and deletes with it', async () => {
    const image = (await lab.user('GET', '/image/v2/images?name=debian-12')).body.images as { id: string }[];
    const s = await started({
      name: 'bfv',
      imageRef: '',
      block_device_mapping_v2: [
        {
          boot_index: 0,
          source_type: 'image',
          destination_type: 'volume',
          uuid: image[0]!.id,
          volume_size: 20,
          delete_on_termination: true,
        },
      ],
    });
    expect(s.image).toBe('');
    expect(powered.find((p) => p.id === s.id)?.imageId).toBe(image[0]!.id);
    const [volume] = s['os-extended-volumes:volumes_attached'] as { id: string }[];
    expect(at(await lab.user('GET', `/volume/v3/${lab.projectId}/volumes/${volume!.id}`), 'volume')).toMatchObject({
      status: 'in-use',
      size: 20,
      bootable: 'true',
    });
    await lab.user('DELETE', `/compute/v2.1/servers/${s.id}`);
    await until('volume gone', async () =>
      (await lab.user('GET', `/volume/v3/volumes/${volume!.id}`)).status === 404 ? true : undefined,
    );
  });
});

describe('refusals', () => {
  it.each([
    ['a flavor', { flavorRef: 'nope' }, 400, 'Flavor nope could not be found.'],
    ['an image', { imageRef: '00000000-0000-4000-8000-000000000000' }, 400, 'Can not find requested image'],
    ['a zone', { availability_zone: 'mars' }, 400, 'The requested availability zone is not available'],
    ['a key', { key_name: 'nope' }, 400, 'Invalid key_name provided.'],
    [
      'a port',
      { networks: [{ port: '00000000-0000-4000-8000-000000000000' }] },
      400,
      'Port id 00000000-0000-4000-8000-000000000000 could not be found.',
    ],
    [
      'user data',
      { user_data: '%%' },
      400,
      "Invalid input for field/attribute user_data. Value: %%. '%%' is not a 'base64'",
    ],
    ['a name', { name: '' }, 400, "Invalid input for field/attribute name. Value: . '' is too short"],
  ])('names %s that does not do', async (_what, more, status, message) => {
    const reply = await make(more);
    expect(reply.status).toBe(status);
    expect(at(reply, 'badRequest')).toEqual({ code: status, message });
  });
  it('says which quota is exceeded, in numbers', async () => {
    const tight = await startLab({ quotas: { projects: { shoto: { compute: { instances: 1 } } } } });
    const server = await serverBody(tight.user, {});
    await tight.user('POST', '/compute/v2.1/servers', { server }, newest);
    const over = await tight.user('POST', '/compute/v2.1/servers', { server }, newest);
    expect(over.status).toBe(403);
    expect(at(over, 'forbidden').message).toBe(
      'Quota exceeded for instances: Requested 1, but already used 1 of 1 instances',
    );
    await tight.simulator.close();
  });
});

describe('microversions', () => {
  it('echoes the version, defaults to 2.1, and answers 406 beyond the newest', async () => {
    const plain = await lab.user('GET', '/compute/v2.1/flavors');
    expect(plain.headers.get('openstack-api-version')).toBe('compute 2.1');
    expect(plain.headers.get('vary')).toContain('OpenStack-API-Version');
    expect(
      (await lab.user('GET', '/compute/v2.1/flavors', undefined, newest)).headers.get('x-openstack-nova-api-version'),
    ).toBe('2.93');
    const beyond = await lab.user('GET', '/compute/v2.1/flavors', undefined, {
      'OpenStack-API-Version': 'compute 2.94',
    });
    expect(beyond.status).toBe(406);
    expect(at(beyond, 'computeFault').message).toBe(
      'Version 2.94 is not supported by the API. Minimum is 2.1 and maximum is 2.93.',
    );
  });
  it('embeds the flavor from 2.47 and links it before', async () => {
    const s = await started({ name: 'flavored' });
    expect(s.flavor).toMatchObject({ original_name: 'm1.small', vcpus: 1 });
    expect((at(await lab.user('GET', `/compute/v2.1/servers/${s.id}`), 'server').flavor as { id: string }).id).toBe(
      '2',
    );
  });
});
