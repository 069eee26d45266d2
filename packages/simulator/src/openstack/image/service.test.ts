import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Lab, login, names, send, startLab } from '../testing.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await startLab();
});
afterAll(() => lab.simulator.close());

it('takes an image from queued to active with its data and checksums, and gives the data back', async () => {
  const made = await lab.user('POST', '/image/v2/images', {
    name: 'mine',
    disk_format: 'raw',
    container_format: 'bare',
    os_distro: 'debian',
  });
  expect(made.status).toBe(201);
  expect(made.body).toMatchObject({ status: 'queued', visibility: 'shared', os_distro: 'debian' });
  const token = await login(lab.url, 'shoto');
  const file = `${lab.url}/image/v2/images/${made.body.id}/file`;
  const headers = { 'X-Auth-Token': token, 'Content-Type': 'application/octet-stream' };
  expect((await fetch(file, { method: 'PUT', headers, body: 'hello' })).status).toBe(204);
  expect((await lab.user('GET', `/image/v2/images/${made.body.id}`)).body).toMatchObject({
    status: 'active',
    size: 5,
    checksum: '5d41402abc4b2a76b9719d911017c592',
  });
  expect(await (await fetch(file, { headers: { 'X-Auth-Token': token } })).text()).toBe('hello');
});

it('lists what is public, by name and by property, and lets users publish nothing', async () => {
  expect(names(await lab.user('GET', '/image/v2/images?kubernetes_version=v1.35.4'), 'images')).toEqual([
    'node-v1.35.4',
  ]);
  expect((await lab.user('POST', '/image/v2/images', { name: 'x', visibility: 'public' })).status).toBe(403);
});

it('answers errors in HTML to browsers and in JSON to whom asks for it', async () => {
  const path = '/image/v2/images/00000000-0000-4000-8000-000000000000';
  expect((await lab.user('GET', path)).body).toMatchObject({ code: '404 Not Found', title: 'Not Found' });
  const token = await login(lab.url, 'shoto');
  const html = await send(lab.url, 'GET', path, undefined, { 'X-Auth-Token': token, Accept: '*/*' });
  expect(html.text).toContain('<title>404 Not Found</title>');
});
