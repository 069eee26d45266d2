import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Hypervisor, NodeFaultEvent } from '../core/hypervisor.ts';
import { at, type Lab, newest, send, serverBody, startLab, until } from '../openstack/testing.ts';

let lab: Lab;
let deeds: string[];
let faults: NodeFaultEvent[];

beforeEach(async () => {
  deeds = [];
  faults = [];
  const note = (what: string) => (id: string | { id: string }) => {
    deeds.push(`${what} ${nameOf(typeof id === 'string' ? id : id.id)}`);
  };
  const hypervisor: Hypervisor = {
    powerOn: note('on'),
    powerOff: note('off'),
    reboot: note('reboot'),
    destroy: note('destroy'),
    consoleLog: () => [],
  };
  lab = await startLab(
    {
      zones: [
        { name: 'az1', hosts: 2 },
        { name: 'az2', hosts: 1 },
      ],
    },
    hypervisor,
  );
  lab.simulator.events.onNodeFault((e) => faults.push(e));
});
afterEach(() => lab.simulator.close());

const nameOf = (id: string): string => lab.simulator.state.compute.servers.get(id)?.name ?? id;
const server = async (id: string) => at(await lab.user('GET', `/compute/v2.1/servers/${id}`), 'server');
const act = (id: string, body: object) => lab.user('POST', `/compute/v2.1/servers/${id}/action`, body);
const order = (body: object) => send(lab.url, 'POST', '/admin/node-faults', body);

async function boot(name: string, zone: string): Promise<string> {
  const body = { server: await serverBody(lab.user, { name, availability_zone: zone }) };
  const { id } = at(await lab.user('POST', '/compute/v2.1/servers', body, newest), 'server');
  await state(String(id), 'ACTIVE');
  return String(id);
}
const state = (id: string, status: string) =>
  until(`${status}`, async () => ((await server(id)).status === status ? true : undefined));

describe('a machine that is switched off behind the back of Nova', () => {
  it('is SHUTOFF once Nova has found out, and comes back by a start or a hard reboot, not by a soft one', async () => {
    const id = await boot('w-1', 'az1');
    expect((await order({ server: 'w-1', fault: 'powerOff' })).status).toBe(202);
    await state(id, 'SHUTOFF');
    expect(await server(id)).toMatchObject({ 'OS-EXT-STS:power_state': 4, 'OS-EXT-STS:vm_state': 'stopped' });
    expect((await act(id, { reboot: { type: 'SOFT' } })).status).toBe(409);
    expect((await act(id, { reboot: { type: 'HARD' } })).status).toBe(202);
    await state(id, 'ACTIVE');
    await order({ server: id, fault: 'powerOff' });
    await state(id, 'SHUTOFF');
    expect((await act(id, { 'os-start': null })).status).toBe(202);
    await state(id, 'ACTIVE');
    expect(deeds).toEqual(['on w-1', 'off w-1', 'reboot w-1', 'off w-1', 'on w-1']);
  });
});

describe('faults of many machines', () => {
  it('are of a zone, of a host by its name or by what projects see of it, or of a part', async () => {
    const ids = [await boot('a', 'az1'), await boot('b', 'az1'), await boot('c', 'az2')];
    const [a, , c] = ids.map((id) => lab.simulator.state.compute.servers.get(id)!);
    const hit = async (body: object) => {
      faults = [];
      expect((await order({ fault: 'silent', ...body })).status).toBe(202);
      return faults.map((f) => nameOf(f.serverId)).sort();
    };
    expect(await hit({ zone: 'az1' })).toEqual(['a', 'b']);
    expect(await hit({ zone: 'az1', share: 0.5 })).toHaveLength(1);
    expect(await hit({ host: c!.host })).toEqual(['c']);
    const hostId = String((await server(ids[0]!)).hostId);
    expect(hostId).toBe(
      createHash('sha224')
        .update(lab.projectId + a!.host)
        .digest('hex'),
    );
    expect(await hit({ host: hostId })).toEqual(['a']);
  });

  it('carry their time and their cure', async () => {
    const id = await boot('a', 'az1');
    await order({ server: 'a', fault: 'silent', forMs: 5000, curedBy: 'hardReboot' });
    await order({ server: 'a', fault: 'KernelDeadlock' });
    expect(faults).toMatchObject([
      { serverId: id, fault: 'silent', forMs: 5000, curedBy: 'hardReboot' },
      { serverId: id, fault: 'KernelDeadlock' },
    ]);
  });
});

describe('an order that makes no sense', () => {
  it.each([
    ['/admin/node-faults', { server: 'nobody', fault: 'die' }, 'there is no server with id or name nobody'],
    ['/admin/node-faults', { zone: 'az1', server: 'a', fault: 'die' }, 'exactly one of server, zone and host'],
    ['/admin/node-faults', { server: 'a', fault: 'tired' }, 'fault'],
    ['/admin/api-faults', { action: { type: 'status', status: 200 } }, 'action.status'],
    ['/admin/api-faults', { match: { user: '(' }, action: { type: 'hang' } }, 'is not a regular expression'],
    ['/admin/api-cuts', { cluster: 'web' }, 'no machines run here'],
    ['/admin/api-cuts', {}, 'exactly one of cluster and address'],
    ['/admin/deprecated-apis', { cluster: 'web', apis: [] }, 'apis'],
  ])('is refused with the field: %s %j', async (path, body, words) => {
    const answer = await send(lab.url, 'POST', path, body);
    expect(answer.status).toBe(400);
    expect(answer.text).toContain(words);
  });
});

it('keeps rules for Kubernetes APIs until they are taken away', async () => {
  const rule = { match: { cluster: 'management' }, action: { type: 'delay', ms: 5000 } };
  expect((await send(lab.url, 'POST', '/admin/api-faults', { id: 'slow', ...rule })).status).toBe(201);
  const { body } = await send(lab.url, 'GET', '/admin/api-faults');
  expect(body.faults).toMatchObject([{ id: 'slow', ...rule, seen: 0, hits: 0 }]);
  expect((await send(lab.url, 'DELETE', '/admin/api-faults/slow')).status).toBe(204);
  expect((await send(lab.url, 'DELETE', '/admin/api-faults/slow')).status).toBe(404);
  expect((await send(lab.url, 'GET', '/admin/api-faults')).body.faults).toEqual([]);
});
