import { afterAll, beforeAll, expect, it } from 'vitest';
import { at, type Lab, newest, serverBody, startLab, until } from '../testing.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await startLab();
});
afterAll(() => lab.simulator.close());

it('lists the actions of a server by time and page by page', async () => {
  const body = { server: await serverBody(lab.user, {}) };
  const id = String(at(await lab.user('POST', '/compute/v2.1/servers', body, newest), 'server').id);
  const status = async () => at(await lab.user('GET', `/compute/v2.1/servers/${id}`), 'server').status;
  await until('the server to run', async () => ((await status()) === 'ACTIVE' ? true : undefined));
  await lab.user('POST', `/compute/v2.1/servers/${id}/action`, { 'os-stop': null });
  await until('the server to stop', async () => ((await status()) === 'SHUTOFF' ? true : undefined));
  const list = async (query: string) => {
    const reply = await lab.user('GET', `/compute/v2.1/servers/${id}/os-instance-actions?${query}`, undefined, newest);
    return reply.body.instanceActions as { action: string; request_id: string }[];
  };
  const all = await list('');
  expect(all.map((a) => a.action).sort()).toEqual(['create', 'stop']);
  expect(await list(`limit=1&marker=${all[0]?.request_id}`)).toEqual(all.slice(1));
  expect(await list('changes-before=2014-01-01T00:00:00Z')).toEqual([]);
  expect(await list('changes-since=2014-01-01T00:00:00Z')).toEqual(all);
});
