import { afterAll, beforeAll, expect, it } from 'vitest';
import { startWorld, type World } from './world.ts';

let w: World;
beforeAll(async () => {
  w = await startWorld();
  const namespaces = w.api.resource({ group: '', version: 'v1', plural: 'namespaces' });
  if (!namespaces.get({ name: 'shoto-system' }))
    namespaces.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shoto-system' } } as never);
});
afterAll(() => w.close());

const PATH = '/v1/fleet/emergency-stop';
const ask = (method: string, body?: unknown, token = 'admin-token') => w.call(method, PATH, { token, body });
const stored = () =>
  w.api
    .resource({ group: '', version: 'v1', plural: 'configmaps' })
    .get({ namespace: 'shoto-system', name: 'fleet-emergency-stop' }) as { data?: Record<string, string> } | undefined;

it('the fleet is stopped by an administrator, with a reason, and everybody is told', async () => {
  expect((await ask('GET', undefined, 'blue-token')).body).toMatchObject({ on: false });
  const { status, body } = await ask('PUT', { reason: 'storage burns' });
  expect([status, body.on, body.reason, body.by]).toEqual([200, true, 'storage burns', 'root']);
  expect(stored()?.data).toEqual({ reason: 'storage burns', by: 'root', since: body.since });
  expect((await ask('GET', undefined, 'blue-token')).body).toEqual(body);
  expect(body.message).toContain('(root: storage burns): nothing is drained, rebooted, replaced or deleted');
});

it('stopped again it keeps since when and by whom, and takes the new reason', async () => {
  const before = (await ask('GET')).body;
  w.later(60_000);
  const { status, body } = await ask('PUT', { reason: 'storage still burns' });
  expect([status, body.since, body.by, body.reason]).toEqual([200, before.since, 'root', 'storage still burns']);
});

it('it goes on when it is told to, once or twice', async () => {
  expect((await ask('DELETE')).body).toMatchObject({ on: false });
  expect(stored()).toBeUndefined();
  expect((await ask('DELETE')).status).toBe(200);
});

it.each([
  ['PUT', { reason: 'x' }, 'stopping the fleet needs a member of shoto:admins; ann is none'],
  ['DELETE', undefined, 'letting the fleet go on needs a member of shoto:admins; ann is none'],
])('%s is for administrators only', async (method, body, detail) => {
  const answer = await ask(method, body, 'blue-token');
  expect([answer.status, answer.body.detail]).toEqual([403, detail]);
  expect(stored()).toBeUndefined();
});

it.each<[string, unknown, string, RegExp]>([
  ['no body', undefined, 'reason', /required: say why/],
  ['no reason', {}, 'reason', /required: say why/],
  ['an empty reason', { reason: '' }, 'reason', /./],
  ['two lines', { reason: 'a\nb' }, 'reason', /must be one line/],
])('%s is refused', async (_what, body, field, message) => {
  const answer = await ask('PUT', body);
  expect([answer.status, answer.body.errors]).toEqual([422, [{ field, message: expect.stringMatching(message) }]]);
  expect(stored()).toBeUndefined();
});
