import { until } from '@shoto/service/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Body, CLUSTERS, makeCluster, makeMachine, startWorld, type World } from './world.ts';

let w: World;
let web: Body;
beforeAll(async () => {
  w = await startWorld();
  web = await makeCluster(w, 'web');
  await makeCluster(w, 'api');
  for (const name of ['web-a', 'web-b', 'web-c', 'web-gone']) await makeMachine(w, web, name);
  await makeMachine(w, web, 'web-cp', { role: 'control-plane', pool: 'control-plane' });
  machines().delete({ namespace: 'tenant-blue', name: 'web-gone' });
});
afterAll(() => w.close());

const machines = () => w.api.resource({ group: 'shoto.dev', version: 'v1alpha1', plural: 'machines' });
const marks = (name: string) =>
  (machines().get({ namespace: 'tenant-blue', name }) as { metadata: { annotations?: Record<string, string> } })
    .metadata.annotations ?? {};
const ask = (method: string, machine: string, what: string, body?: unknown, token = 'blue-token') =>
  w.call(method, `${CLUSTERS}/web/machines/${machine}/${what}`, { body, token });
const inHours = (n: number) => new Date(Date.now() + n * 3_600_000).toISOString();

describe('a machine is kept', () => {
  it('until a time, with why and by whom', async () => {
    const until_ = '2099-01-01T00:00:00Z';
    const far = await ask('POST', 'web-a', 'keep', { until: until_ });
    expect([far.status, far.body.errors[0]?.field]).toEqual([422, 'until']);
    const until = inHours(48);
    const { status, body } = await ask('POST', 'web-a', 'keep', { until, reason: 'disk looks odd' });
    expect([status, body.metadata.name]).toEqual([200, 'web-a']);
    expect(marks('web-a')).toEqual({
      'shoto.dev/keep-until': until.replace(/\.\d+/, ''),
      'shoto.dev/keep-reason': 'disk looks odd (ann)',
    });
  });

  it('for 24 hours where nobody says until when', async () => {
    expect((await ask('POST', 'web-b', 'keep')).status).toBe(200);
    const at = Date.parse(marks('web-b')['shoto.dev/keep-until']!);
    expect(Math.abs(at - Date.parse(inHours(24)))).toBeLessThan(60_000);
    expect(marks('web-b')['shoto.dev/keep-reason']).toBe('ann');
  });

  it('no more, once or twice', async () => {
    expect((await ask('DELETE', 'web-b', 'keep')).status).toBe(200);
    expect((await ask('DELETE', 'web-b', 'keep')).status).toBe(200);
    expect(marks('web-b')).toEqual({});
  });

  it('whatever a service writes on it at that moment', async () => {
    let raced = 0;
    w.disturb(({ method, path }) => {
      if (method === 'PATCH' && path.endsWith('/machines/web-c') && raced++ < 2)
        machines().patchStatus({ namespace: 'tenant-blue', name: 'web-c' }, { health: { revision: raced } } as never);
      return undefined;
    });
    const { status } = await ask('POST', 'web-c', 'keep', {});
    w.disturb(undefined);
    expect([status, raced]).toEqual([200, 3]);
  });

  it.each<[string, string, unknown, number, string, RegExp]>([
    ['of the control plane', 'web-cp', {}, 409, 'CannotBeKept', /is of the control plane.*only workers can be kept/],
    ['that is leaving', 'web-gone', {}, 409, 'BeingDeleted', /is leaving already/],
    ['that is not there', 'web-x', {}, 404, 'NotFound', /cluster web has no machine web-x/],
    ['until yesterday', 'web-b', { until: '2020-01-01T00:00:00Z' }, 422, 'Invalid', /until: .* is over/],
    ['until 31 days from now', 'web-b', { until: inHours(31 * 24) }, 422, 'Invalid', /more than 30 days away: give 20/],
    ['for a while', 'web-b', { until: '24h' }, 422, 'Invalid', /until: /],
    ['for reasons', 'web-b', { why: 'x' }, 422, 'Invalid', /./],
  ])('but not one %s', async (_what, machine, body, status, reason, detail) => {
    const answer = await ask('POST', machine, 'keep', body);
    expect([answer.status, answer.body.reason]).toEqual([status, reason]);
    expect(answer.body.detail).toMatch(detail);
    expect(marks('web-b')).toEqual({});
  });

  it('but not one of another cluster', async () => {
    const answer = await w.call('POST', `${CLUSTERS}/api/machines/web-a/keep`, { body: {} });
    expect([answer.status, answer.body.detail]).toEqual([404, 'cluster api has no machine web-a']);
  });
});

describe('a machine that leaves is forced out', () => {
  it('by an administrator, which is in the log', async () => {
    expect((await ask('POST', 'web-gone', 'force', undefined, 'admin-token')).status).toBe(200);
    expect(marks('web-gone')['shoto.dev/force']).toMatch(/^20\d\d-.*Z root$/);
    await until(() => w.logs.some((l) => l.includes('"machine":"web-gone"') && l.includes('machine forced out')));
  });
  it('by nobody else, and no other', async () => {
    expect((await ask('POST', 'web-gone', 'force')).body.detail).toContain('forcing a machine out needs a member of');
    const staying = await ask('POST', 'web-a', 'force', undefined, 'admin-token');
    expect([staying.status, staying.body.reason]).toEqual([409, 'NotLeaving']);
  });
});
