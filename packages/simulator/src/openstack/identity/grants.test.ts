import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { at, type Lab, login, names, send, startLab } from '../testing.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await startLab();
});
afterAll(() => lab.simulator.close());

const make = async (kind: string, plural: string, body: object): Promise<string> =>
  String(at(await lab.admin('POST', `/identity/v3/${plural}`, { [kind]: body }), kind).id);
const roleId = async (name: string): Promise<string> =>
  ((await lab.admin('GET', `/identity/v3/roles?name=${name}`)).body.roles as { id: string }[])[0]?.id ?? '';

describe('grants', () => {
  it('gives the members of a group its roles, and takes them and their tokens away with the membership', async () => {
    const user = await make('user', 'users', { name: 'ann', password: 'ann' });
    const group = await make('group', 'groups', { name: 'team', email: 'team@example.org' });
    const grant = `/identity/v3/projects/${lab.projectId}/groups/${group}/roles/${await roleId('member')}`;
    expect((await lab.admin('PUT', grant)).status).toBe(204);
    await expect(login(lab.url, 'ann', 'shoto')).rejects.toThrow('401');

    expect((await lab.admin('PUT', `/identity/v3/groups/${group}/users/${user}`)).status).toBe(204);

    const token = await login(lab.url, 'ann', 'shoto');
    expect(names(await lab.admin('GET', `/identity/v3/users/${user}/groups`), 'groups')).toEqual(['team']);
    expect(names(await lab.admin('GET', `/identity/v3/users/${user}/projects`), 'projects')).toEqual(['shoto']);
    await lab.admin('DELETE', `/identity/v3/groups/${group}/users/${user}`);
    const after = await send(lab.url, 'GET', '/network/v2.0/networks', undefined, { 'X-Auth-Token': token });
    expect(after.status).toBe(401);
  });

  it('hands down what a project inherits to the projects below it, not to itself', async () => {
    const parent = await make('project', 'projects', { name: 'parent' });
    await make('project', 'projects', { name: 'child', parent_id: parent });
    const user = await make('user', 'users', { name: 'bob', password: 'bob' });
    const role = await roleId('reader');
    const path = `/identity/v3/OS-INHERIT/projects/${parent}/users/${user}/roles/${role}/inherited_to_projects`;
    await lab.admin('PUT', path);
    expect(await login(lab.url, 'bob', 'child')).toBeTruthy();
    await expect(login(lab.url, 'bob', 'parent')).rejects.toThrow('401');
    expect((await lab.admin('DELETE', `/identity/v3/projects/${parent}`)).status).toBe(403);
  });

  it('lets a role imply another', async () => {
    const prior = await make('role', 'roles', { name: 'operator' });
    const member = await roleId('member');
    expect((await lab.admin('PUT', `/identity/v3/roles/${prior}/implies/${member}`)).status).toBe(201);
    const list = await lab.admin('GET', `/identity/v3/roles/${prior}/implies`);
    expect(at(list, 'role_inference').implies).toMatchObject([{ name: 'member' }]);
    await lab.admin('DELETE', `/identity/v3/roles/${prior}/implies/${member}`);
    expect((await lab.admin('GET', `/identity/v3/roles/${prior}/implies/${member}`)).status).toBe(404);
  });

  it('finds projects by their tags', async () => {
    const id = await make('project', 'projects', { name: 'tagged', tags: ['red'] });
    expect((await lab.admin('PUT', `/identity/v3/projects/${id}/tags/blue`)).status).toBe(201);
    expect(names(await lab.admin('GET', '/identity/v3/projects?tags=red,blue'), 'projects')).toEqual(['tagged']);
    expect(names(await lab.admin('GET', '/identity/v3/projects?not-tags-any=red'), 'projects')).not.toContain('tagged');
  });

  it('keeps an EC2 pair for a user, also as a credential', async () => {
    const own = (await lab.admin('GET', '/identity/v3/users?name=shoto')).body.users as { id: string }[];
    const base = `/identity/v3/users/${own[0]?.id}/credentials/OS-EC2`;
    const pair = at(await lab.user('POST', base, { tenant_id: lab.projectId }), 'credential');
    expect(at(await lab.user('GET', `${base}/${pair.access}`), 'credential').secret).toBe(pair.secret);
    expect((await lab.user('GET', '/identity/v3/credentials')).body.credentials).toHaveLength(1);
    expect((await lab.user('DELETE', `${base}/${pair.access}`)).status).toBe(204);
  });
});
