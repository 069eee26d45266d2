import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { at, type Lab, names, startLab, until } from '../testing.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await startLab();
});
afterAll(() => lab.simulator.close());

const base = '/volume/v3';
const settled = (id: string) =>
  until('the volume to settle', async () => {
    const v = at(await lab.user('GET', `${base}/volumes/${id}`), 'volume');
    return v.status === 'available' ? v : undefined;
  });
const aVolume = async (more: object = {}): Promise<string> => {
  const { id } = at(await lab.user('POST', `${base}/volumes`, { volume: { size: 1, ...more } }), 'volume');
  await settled(String(id));
  return String(id);
};
const aType = async (body: object): Promise<string> =>
  String(at(await lab.admin('POST', `${base}/types`, { volume_type: body }), 'volume_type').id);

describe('volume types', () => {
  it('hides a private type from all but the projects on its list', async () => {
    const id = await aType({ name: 'fast', 'os-volume-type-access:is_public': false });
    expect((await lab.user('GET', `${base}/types/${id}`)).status).toBe(404);
    const add = { addProjectAccess: { project: lab.projectId } };
    expect((await lab.admin('POST', `${base}/types/${id}/action`, add)).status).toBe(202);
    expect(names(await lab.user('GET', `${base}/types`), 'volume_types')).toContain('fast');
    expect((await lab.admin('POST', `${base}/types/${id}/action`, add)).status).toBe(409);
  });

  it('changes a type, its extra specs one by one, and refuses to delete one in use', async () => {
    const id = await aType({ name: 'slow', extra_specs: { a: '1' } });
    await lab.admin('PUT', `${base}/types/${id}`, { volume_type: { name: 'slower' } });
    await lab.admin('PUT', `${base}/types/${id}/extra_specs/b`, { b: '2' });
    await lab.admin('DELETE', `${base}/types/${id}/extra_specs/a`);
    expect((await lab.admin('GET', `${base}/types/${id}/extra_specs`)).body).toEqual({ extra_specs: { b: '2' } });
    await aVolume({ volume_type: 'slower' });
    expect((await lab.admin('DELETE', `${base}/types/${id}`)).status).toBe(400);
  });
});

describe('volume actions', () => {
  it('moves a volume to another type, and makes an image of it', async () => {
    await aType({ name: 'other' });
    const id = await aVolume();
    const action = (body: object) => lab.user('POST', `${base}/volumes/${id}/action`, body);
    expect((await action({ 'os-retype': { new_type: 'other', migration_policy: 'never' } })).status).toBe(202);
    expect((await settled(id)).volume_type).toBe('other');
    const upload = at(await action({ 'os-volume_upload_image': { image_name: 'copy' } }), 'os-volume_upload_image');
    await settled(id);
    const image = await lab.user('GET', `/image/v2/images/${String(upload.image_id)}`);
    expect(image.body).toMatchObject({ name: 'copy', status: 'active' });
  });

  it('reserves a volume once, and gives it back', async () => {
    const id = await aVolume();
    const action = (name: string) => lab.user('POST', `${base}/volumes/${id}/action`, { [name]: null });
    expect((await action('os-reserve')).status).toBe(202);
    expect((await action('os-reserve')).status).toBe(400);
    expect((await action('os-unreserve')).status).toBe(202);
    expect((await settled(id)).status).toBe('available');
  });
});
