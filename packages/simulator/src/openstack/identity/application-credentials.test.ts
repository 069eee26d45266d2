import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { at, type Caller, type Lab, type Reply, send, startLab } from '../testing.ts';

let lab: Lab;
let mine: string;
beforeAll(async () => {
  lab = await startLab({ clock: { mode: 'manual' } });
  const user = [...lab.simulator.state.identity.users.by('name', 'shoto')][0]!;
  mine = `/identity/v3/users/${user.id}`;
});
afterAll(() => lab.simulator.close());

const make = (fields: object, as: Caller = lab.user): Promise<Reply> =>
  as('POST', `${mine}/application_credentials`, { application_credential: fields });
const made = async (fields: object) => at(await make(fields), 'application_credential');
const ask = (credential: Record<string, unknown>) =>
  send(lab.url, 'POST', '/identity/v3/auth/tokens', {
    auth: {
      identity: {
        methods: ['application_credential'],
        application_credential: { id: credential.id, secret: credential.secret },
      },
    },
  });
/** Calls with a token of the credential. */
const callerOf = async (credential: Record<string, unknown>): Promise<Caller> => {
  const token = (await ask(credential)).headers.get('x-subject-token')!;
  return (method, path, body) => send(lab.url, method, path, body, { 'X-Auth-Token': token });
};
const remove = (credential: Record<string, unknown>, as: Caller = lab.user) =>
  as('DELETE', `${mine}/application_credentials/${credential.id}`);

describe('an application credential', () => {
  it('is answered with 201 and its secret, which is never shown again', async () => {
    const reply = await make({ name: 'once', description: 'for addons', roles: [{ name: 'member' }] });
    expect(reply.status).toBe(201);
    const credential = at(reply, 'application_credential');
    expect(credential).toMatchObject({ name: 'once', secret: expect.any(String), expires_at: null });
    const shown = await lab.user('GET', `${mine}/application_credentials/${credential.id}`);
    expect(shown.text).not.toContain(credential.secret as string);
    const listed = await lab.user('GET', `${mine}/application_credentials?name=once`);
    expect(listed.body.application_credentials).toMatchObject([{ id: credential.id }]);
    expect(listed.text).not.toContain(credential.secret as string);
  });
  it('is there once by its name: a second one is answered with 409', async () => {
    await make({ name: 'twin' });
    const reply = await make({ name: 'twin' });
    expect(reply.status).toBe(409);
    expect(at(reply, 'error').message).toContain('Duplicate entry found with name twin');
  });
  it('logs in, and does so until its time is over', async () => {
    const now = lab.simulator.state.clock.now();
    const credential = await made({ name: 'short', expires_at: new Date(now + 60_000).toISOString().slice(0, 23) });
    expect((await ask(credential)).status).toBe(201);
    expect((await ask({ ...credential, secret: 'wrong' })).status).toBe(401);
    await send(lab.url, 'POST', '/admin/clock', { advanceMs: 61_000 });
    expect((await ask(credential)).status).toBe(401);
  });
  it('that is deleted logs in no more, and its tokens stop', async () => {
    const credential = await made({ name: 'gone' });
    const caller = await callerOf(credential);
    expect((await caller('GET', '/network/v2.0/networks')).status).toBe(200);
    expect((await remove(credential)).status).toBe(204);
    expect((await caller('GET', '/network/v2.0/networks')).status).toBe(401);
    expect((await ask(credential)).status).toBe(404);
    expect((await remove(credential)).status).toBe(404);
  });
  it('that is restricted makes and deletes no others; one that is not does', async () => {
    const restricted = await callerOf(await made({ name: 'restricted' }));
    const refused = await make({ name: 'child' }, restricted);
    expect(refused.status).toBe(403);
    expect(at(refused, 'error').message).toContain("Using method 'application_credential' is not allowed");
    const free = await callerOf(await made({ name: 'free', unrestricted: true }));
    const child = await make({ name: 'child' }, free);
    expect(child.status).toBe(201);
    expect((await remove(at(child, 'application_credential'), restricted)).status).toBe(403);
    expect((await remove(at(child, 'application_credential'), free)).status).toBe(204);
  });
  it('has no role that its maker lacks', async () => {
    const reply = await make({ name: 'greedy', roles: [{ name: 'admin' }] });
    expect(reply.status).toBe(400);
    expect(at(reply, 'error').message).toBe(
      'Invalid application credential: Cannot create an application credential with unassigned role',
    );
  });
});

describe('access rules', () => {
  const ports = { service: 'network', method: 'GET', path: '/**/ports/*' };
  it('let a token make the calls that they name, and no others', async () => {
    const credential = await made({
      name: 'narrow',
      access_rules: [{ service: 'network', method: 'GET', path: '/**/networks' }, ports],
    });
    const caller = await callerOf(credential);
    expect((await caller('GET', '/network/v2.0/networks')).status).toBe(200);
    expect((await caller('GET', '/network/v2.0/ports/none')).status).toBe(404);
    expect((await caller('GET', '/network/v2.0/ports')).status).toBe(401);
    expect((await caller('POST', '/network/v2.0/networks', { network: {} })).status).toBe(401);
    expect((await caller('GET', '/compute/v2.1/servers')).status).toBe(401);
    // Keystone itself does not hold them to their rules.
    expect((await caller('GET', `${mine}/application_credentials`)).status).toBe(200);
  });
  it('are shared by a user’s credentials, outlive them, and go when none uses them', async () => {
    const one = await made({ name: 'first', access_rules: [ports] });
    const two = await made({ name: 'second', access_rules: [ports] });
    const [rule] = two.access_rules as { id: string }[];
    expect(one.access_rules).toEqual(two.access_rules);
    const url = `${mine}/access_rules/${rule!.id}`;
    for (const name of ['narrow', 'first', 'second']) {
      expect(await lab.user('DELETE', url)).toMatchObject({ status: 403 });
      const [credential] = (await lab.user('GET', `${mine}/application_credentials?name=${name}`)).body
        .application_credentials as Record<string, unknown>[];
      await remove(credential!);
    }
    expect(at(await lab.user('GET', url), 'access_rule')).toEqual({ id: rule!.id, ...ports });
    expect((await lab.user('DELETE', url)).status).toBe(204);
    expect((await lab.user('GET', url)).status).toBe(404);
  });
  it.each([
    ['a method that there is not', { ...ports, method: 'EAT' }, /'method'/],
    ['a path without a slash', { ...ports, path: 'v2.0' }, /'path'/],
    ['no service', { method: 'GET', path: '/' }, /'service'/],
  ])('are refused with %s', async (_, rule, message) => {
    const reply = await make({ name: 'odd', access_rules: [rule] });
    expect(reply.status).toBe(400);
    expect(at(reply, 'error').message).toMatch(message);
  });
});
