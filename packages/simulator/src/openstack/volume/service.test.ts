import { afterAll, beforeAll, expect, it } from 'vitest';
import { at, type Lab, newest, serverBody, startLab, until } from '../testing.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await startLab({ quotas: { projects: { shoto: { volume: { gigabytes: 10 } } } } });
});
afterAll(() => lab.simulator.close());

const reaches = (id: unknown, status: string) =>
  until(status, async () =>
    at(await lab.user('GET', `/volume/v3/volumes/${id}`), 'volume').status === status ? true : undefined,
  );

it('attaches a volume to a running server, protects it there, and frees it again', async () => {
  const volume = at(await lab.user('POST', '/volume/v3/volumes', { volume: { size: 2, name: 'data' } }), 'volume');
  expect(volume.status).toBe('creating');
  await reaches(volume.id, 'available');
  const server = await serverBody(lab.user, {});
  const id = at(await lab.user('POST', '/compute/v2.1/servers', { server }, newest), 'server').id;
  await until('ACTIVE', async () =>
    at(await lab.user('GET', `/compute/v2.1/servers/${id}`), 'server').status === 'ACTIVE' ? true : undefined,
  );
  const path = `/compute/v2.1/servers/${id}/os-volume_attachments`;
  const made = at(await lab.user('POST', path, { volumeAttachment: { volumeId: volume.id } }), 'volumeAttachment');
  expect(made).toMatchObject({ id: volume.id, volumeId: volume.id, device: '/dev/vdb' });
  await reaches(volume.id, 'in-use');
  expect((await lab.user('DELETE', `/volume/v3/volumes/${volume.id}`)).status).toBe(400);
  expect((await lab.user('DELETE', `${path}/${volume.id}`)).status).toBe(202);
  await reaches(volume.id, 'available');
});

it('refuses with 413 what goes beyond the gigabytes', async () => {
  const reply = await lab.user('POST', '/volume/v3/volumes', { volume: { size: 11 } });
  expect(reply.status).toBe(413);
  expect(at(reply, 'overLimit').message).toContain('exceeds allowed gigabytes quota');
});
