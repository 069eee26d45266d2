import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { at, type Lab, names, startLab } from '../testing.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await startLab({ zones: [{ name: 'east', hosts: 2 }] });
});
afterAll(() => lab.simulator.close());

const base = '/compute/v2.1/os-aggregates';

describe('aggregates', () => {
  it('has one for each zone', async () => {
    const list = await lab.admin('GET', base);
    expect(list.body.aggregates).toMatchObject([
      { id: 1, name: 'east', availability_zone: 'east', hosts: ['east-host-1', 'east-host-2'] },
    ]);
    expect((await lab.user('GET', base)).status).toBe(403);
  });

  it('takes hosts and metadata, gives them back, and goes only when it is empty', async () => {
    const made = at(await lab.admin('POST', base, { aggregate: { name: 'ssd' } }), 'aggregate');
    const act = (body: object) => lab.admin('POST', `${base}/${String(made.id)}/action`, body);
    expect((await act({ add_host: { host: 'nowhere' } })).status).toBe(404);
    expect(at(await act({ add_host: { host: 'east-host-1' } }), 'aggregate').hosts).toEqual(['east-host-1']);
    expect((await act({ add_host: { host: 'east-host-1' } })).status).toBe(409);
    expect(at(await act({ set_metadata: { metadata: { ssd: 'true', a: 'b' } } }), 'aggregate').metadata).toEqual({
      ssd: 'true',
      a: 'b',
    });
    expect(at(await act({ set_metadata: { metadata: { a: null } } }), 'aggregate').metadata).toEqual({ ssd: 'true' });
    expect((await lab.admin('DELETE', `${base}/${String(made.id)}`)).status).toBe(400);
    await act({ remove_host: { host: 'east-host-1' } });
    expect((await lab.admin('DELETE', `${base}/${String(made.id)}`)).status).toBe(200);
    expect(names(await lab.admin('GET', base), 'aggregates')).toEqual(['east']);
  });
});

describe('hypervisors', () => {
  it('are summed up', async () => {
    const sum = at(await lab.admin('GET', '/compute/v2.1/os-hypervisors/statistics'), 'hypervisor_statistics');
    expect(sum).toMatchObject({ count: 2, vcpus: 2000, running_vms: 0 });
  });
});
