import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KubeClient } from './client.ts';
import { KubeError } from './errors.ts';
import { countRequests } from './metrics.ts';
import { recordEvent } from './record-event.ts';
import { CONFIGMAPS, NODES } from './resources.ts';
import { type FakeApi, startFakeApi } from './testing/index.ts';
import type { KubeObject } from './types.ts';

const MACHINES = { group: 'shoto.dev', version: 'v1alpha1', plural: 'machines', kind: 'Machine', namespaced: true };
const IN_A = '/apis/shoto.dev/v1alpha1/namespaces/a/machines';

interface Machine extends KubeObject {
  status?: Record<string, { revision?: number } & Record<string, unknown>>;
}

async function failure(call: Promise<unknown>): Promise<KubeError> {
  const error: unknown = await call.then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(KubeError);
  return error as KubeError;
}

let api: FakeApi;
let client: KubeClient;

beforeEach(async () => {
  api = await startFakeApi();
  client = new KubeClient({
    connection: { server: api.url, token: 'very-secret-token' },
    userAgent: 'shoto-test/1',
    requestTimeoutMs: 2_000,
  });
});
afterEach(async () => {
  await client.close();
  await api.close();
});
const machine = (more: Partial<Machine> = {}): Machine =>
  api.put(IN_A, { spec: {}, ...more, metadata: { name: 'm', namespace: 'a', ...more.metadata } } as Machine) as Machine;

describe('requests', () => {
  it('creates with kind, version and field manager, reads, and says undefined for what is absent', async () => {
    await client.create(CONFIGMAPS, { metadata: { name: 'c', namespace: 'a' } });
    const post = api.requests[0];
    expect(post?.path).toBe('/api/v1/namespaces/a/configmaps');
    expect(post?.query.get('fieldManager')).toBe('shoto-test');
    expect(JSON.parse(post?.body ?? '')).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap' });
    expect(post?.headers.authorization).toBe('Bearer very-secret-token');
    expect(await client.get(CONFIGMAPS, { namespace: 'a', name: 'c' })).toMatchObject({ metadata: { name: 'c' } });
    expect(await client.get(CONFIGMAPS, { namespace: 'a', name: 'none' })).toBeUndefined();
    expect(
      (await failure(client.create(CONFIGMAPS, { metadata: { name: 'c', namespace: 'a' } }))).isAlreadyExists,
    ).toBe(true);
  });

  it.each(['http/1.1', 'h2'] as const)(
    'has a connection of its own for a request that asks for it, over %s',
    async (protocol) => {
      const server = await startFakeApi(protocol);
      const ports: (number | undefined)[] = [];
      server.intercept = (_, res) => {
        ports.push(res.socket?.remotePort);
        res.end('ok');
        return true;
      };
      const connection = { server: server.url, ...(server.ca ? { ca: server.ca } : {}) };
      const own = new KubeClient({ connection, userAgent: 'shoto-test/1', maxSockets: 1 });
      const o = { freshConnection: true };
      for (const more of [{}, {}, o, o]) expect((await own.raw('GET', '/metrics', undefined, more)).body).toBe('ok');
      const [kept, again, fresh, other] = ports;
      expect(again).toBe(kept);
      expect(new Set([kept, fresh, other]).size).toBe(3);
      await own.close();
      await server.close();
    },
  );

  it('lists all pages', async () => {
    for (let i = 0; i < 1_203; i++) api.put(IN_A, { metadata: { name: `m${i}`, namespace: 'a' } });
    expect(await client.listAll(MACHINES)).toHaveLength(1_203);
    expect(api.requests).toHaveLength(3);
    expect(api.requests[0]?.path).toBe('/apis/shoto.dev/v1alpha1/machines');
  });

  it('replaces only over the version that it read', async () => {
    const before = machine();
    machine({ spec: { changed: true } });
    expect((await failure(client.replace(MACHINES, before))).isConflict).toBe(true);
  });

  it('deletes the object that is meant, and says whether it is gone', async () => {
    const { metadata } = machine({ metadata: { name: 'm', namespace: 'a', finalizers: ['shoto.dev/server'] } });
    expect((await failure(client.delete(MACHINES, metadata, { uid: 'another' }))).isConflict).toBe(true);
    expect(await client.delete(MACHINES, metadata, { uid: metadata.uid ?? '' })).toBe('deleting');
    const now = api.get(IN_A, 'm') as Machine;
    await client.removeFinalizer(MACHINES, now, 'shoto.dev/server');
    expect(await client.delete(MACHINES, metadata)).toBe('gone');
  });

  it('applies without managedFields, as its own field manager', async () => {
    machine();
    await client.apply(
      MACHINES,
      { metadata: { name: 'm', namespace: 'a', managedFields: [{}] } },
      { fieldManager: 'addons', force: true },
    );
    const patch = api.requests.at(-1);
    expect(patch?.headers['content-type']).toBe('application/apply-patch+yaml');
    expect(patch?.query.toString()).toBe('fieldManager=addons&force=true');
    expect(patch?.body).not.toContain('managedFields');
  });

  it('refuses a reference that would name another object', async () => {
    await expect(client.get(MACHINES, { name: 'm' })).rejects.toThrow('Machine "m": a reference needs a namespace');
    await expect(client.get(NODES, { name: '' })).rejects.toThrow('Node: a reference needs a name');
  });

  it('counts by verb and resource', async () => {
    const registry = new Registry();
    for (const cluster of ['management', 'workload'] as const) {
      const counted = new KubeClient({
        connection: { server: api.url },
        userAgent: 'x/1',
        onRequest: countRequests(registry, cluster),
      });
      const born = machine();
      await counted.patchStatusMap(MACHINES, born, 'server', {});
      await counted.list(MACHINES);
      await counted.get(CONFIGMAPS, { namespace: 'a', name: 'none' });
      await counted.close();
      api.drop(IN_A, 'm');
    }
    const text = await registry.metrics();
    expect(text).toContain(
      'shoto_kube_requests_total{cluster="management",verb="patch",resource="machines/status",code="200"} 1',
    );
    expect(text).toContain(
      'shoto_kube_requests_total{cluster="workload",verb="list",resource="machines",code="200"} 1',
    );
    expect(text).toContain(
      'shoto_kube_requests_total{cluster="workload",verb="get",resource="configmaps",code="404"} 1',
    );
  });
});

describe('errors', () => {
  it('name the cause and the field, never a token', async () => {
    api.intercept = (_req, res) => {
      res.writeHead(422, { 'content-type': 'application/json' }).end(
        JSON.stringify({
          code: 422,
          reason: 'Invalid',
          message: 'Machine "m" is invalid: Bearer very-secret-token',
          details: { causes: [{ field: 'spec.role', message: 'must be worker', reason: 'FieldValueInvalid' }] },
        }),
      );
      return true;
    };
    const error = await failure(client.mergePatch(MACHINES, { namespace: 'a', name: 'm' }, {}));
    expect(error).toMatchObject({
      isInvalid: true,
      isConflict: false,
      causes: [{ field: 'spec.role', message: 'must be worker' }],
    });
    expect(JSON.stringify(error) + error.message + error.stack).not.toContain('very-secret');
  });

  it.each([
    [429, { 'retry-after': '7' }, 7_000],
    [503, {}, undefined],
  ])('a %i is transient and says how long to wait', async (status, headers, retryAfterMs) => {
    api.intercept = (_req, res) => {
      res.writeHead(status, headers).end('busy');
      return true;
    };
    const error = await failure(client.list(MACHINES));
    expect(error).toMatchObject({ status, isTransient: true });
    expect(error.retryAfterMs).toBe(retryAfterMs);
  });

  it('no answer in time is a Timeout, a dead server Unreachable, a caller that gives up Aborted', async () => {
    api.intercept = () => true;
    expect(await failure(client.get(MACHINES, { namespace: 'a', name: 'm' }, { timeoutMs: 100 }))).toMatchObject({
      status: 0,
      reason: 'Timeout',
    });
    const abort = new AbortController();
    const call = failure(client.list(MACHINES, {}, { signal: abort.signal }));
    abort.abort();
    expect((await call).reason).toBe('Aborted');
    await api.close();
    expect((await failure(client.list(MACHINES))).reason).toBe('Unreachable');
  });

  it('a server that is no Kubernetes API is said', async () => {
    api.intercept = (_req, res) => {
      res.writeHead(200).end('<html>');
      return true;
    };
    expect((await failure(client.list(MACHINES))).message).toContain('is this a Kubernetes API server?');
  });

  it('reads once more when a kept connection turns out closed, but never repeats a write', async () => {
    machine();
    const socketCut = (call: Promise<unknown>): Promise<unknown> => {
      api.intercept = (_req, res) => {
        api.intercept = undefined;
        res.socket?.destroy();
        return true;
      };
      return call;
    };
    expect(await socketCut(client.get(MACHINES, { namespace: 'a', name: 'm' }))).toMatchObject({
      metadata: { name: 'm' },
    });
    const error = await failure(socketCut(client.create(MACHINES, { metadata: { name: 'new', namespace: 'a' } })));
    expect(error.reason).toBe('Unreachable');
    expect(api.get(IN_A, 'new')).toBeUndefined();
  });

  it('logs in again once after a 401', async () => {
    const logins: boolean[] = [];
    const plugin = new KubeClient({
      connection: { server: api.url, login: async (again) => ({ token: `t${logins.push(again)}` }) },
      userAgent: 'x/1',
    });
    api.intercept = (req, res) => {
      if (req.headers.authorization === 'Bearer t2') return false;
      res.writeHead(401).end('{}');
      return true;
    };
    expect((await plugin.list(MACHINES)).items).toEqual([]);
    expect(logins).toEqual([false, true]);
    await plugin.close();
  });
});

describe('patchStatusMap', () => {
  it('writes the first and the next revision of its map, and lets others write theirs', async () => {
    const born = machine();
    const first = await client.patchStatusMap(MACHINES, born, 'server', { id: 's1' });
    expect(first.status).toEqual({ server: { id: 's1', revision: 1 } });
    // From the same old object: another map of it was written since, its own is absent still.
    const other = await client.patchStatusMap(MACHINES, born, 'health', { ok: true });
    expect(other.status).toEqual({ server: { id: 's1', revision: 1 }, health: { ok: true, revision: 1 } });
    const next = await client.patchStatusMap(MACHINES, first, 'server', { id: 's2' });
    expect(next.status).toEqual({ server: { id: 's2', revision: 2 }, health: { ok: true, revision: 1 } });
    expect(api.requests.filter((r) => r.method === 'PATCH').every((r) => r.path === `${IN_A}/m/status`)).toBe(true);
  });

  it('counts from a revision of 0 that a CRD default gave', async () => {
    const born = machine({ status: { server: { revision: 0 } } });
    expect((await client.patchStatusMap(MACHINES, born, 'server', { id: 's' })).status?.server).toEqual({
      id: 's',
      revision: 1,
    });
    expect(api.requests).toHaveLength(1);
  });

  it.each(['absent', 'there'])('is a conflict when another wrote that map, which was %s as read', async (then) => {
    const born = machine(then === 'there' ? { status: { server: { revision: 4 } } } : {});
    await client.patchStatusMap(MACHINES, born, 'server', { by: 'one' });
    const error = await failure(client.patchStatusMap(MACHINES, born, 'server', { by: 'two' }));
    expect(error).toMatchObject({ isConflict: true, isInvalid: false, reason: 'TestFailed' });
    expect((api.get(IN_A, 'm') as Machine).status?.server).toMatchObject({ by: 'one' });
  });

  it('is a conflict when another object has the name now', async () => {
    const born = machine();
    api.drop(IN_A, 'm');
    machine();
    expect((await failure(client.patchStatusMap(MACHINES, born, 'server', {}))).isConflict).toBe(true);
  });
});

describe('removeFinalizer', () => {
  const withFinalizers = (...finalizers: string[]): Machine =>
    machine({ metadata: { name: 'm', namespace: 'a', finalizers } });

  it('takes its own and no other, although the list has moved since', async () => {
    const old = withFinalizers('a/1', 'b/2', 'c/3');
    const { metadata } = machine({ metadata: { ...old.metadata, finalizers: ['b/2', 'c/3'] } });
    expect(metadata.uid).toBe(old.metadata.uid);
    const after = await client.removeFinalizer(MACHINES, old, 'c/3');
    expect(after?.metadata.finalizers).toEqual(['b/2']);
  });

  it('is done when it is not there, and undefined when the object is gone or another', async () => {
    const old = withFinalizers('a/1');
    expect((await client.removeFinalizer(MACHINES, old, 'z/9'))?.metadata.finalizers).toEqual(['a/1']);
    api.drop(IN_A, 'm');
    expect(await client.removeFinalizer(MACHINES, old, 'a/1')).toBeUndefined();
    withFinalizers('a/1');
    expect(await client.removeFinalizer(MACHINES, old, 'a/1')).toBeUndefined();
    expect((api.get(IN_A, 'm') as Machine).metadata.finalizers).toEqual(['a/1']);
  });
});

describe('recordEvent', () => {
  const event = {
    regarding: { apiVersion: 'shoto.dev/v1alpha1', kind: 'Machine', namespace: 'a', name: 'm', uid: 'u1' },
    type: 'Warning' as const,
    reason: 'QuotaExceeded',
    message: 'no cores left',
    reportingController: 'shoto.dev/provisioner',
    action: 'CreateServer',
  };
  const writes = (): number => api.requests.filter((r) => r.method === 'POST').length;

  it('writes the same event once in ten minutes, also over a restart', async () => {
    const start = Date.UTC(2026, 0, 1);
    await recordEvent(client, event, start);
    await recordEvent(client, event, start + 500_000);
    await recordEvent(client, { ...event, message: 'no disk left' }, start);
    expect(writes()).toBe(2);
    const restarted = new KubeClient({ connection: { server: api.url }, userAgent: 'x/1' });
    await recordEvent(restarted, event, start + 1_000);
    expect(
      (
        await client.listAll({
          group: 'events.k8s.io',
          version: 'v1',
          plural: 'events',
          kind: 'Event',
          namespaced: true,
        })
      ).length,
    ).toBe(2);
    await recordEvent(client, event, start + 601_000);
    expect(writes()).toBe(4);
    await restarted.close();
  });

  it('never throws, and tries again later what could not be written', async () => {
    api.intercept = (_req, res) => {
      res.writeHead(500).end();
      return true;
    };
    await recordEvent(client, event);
    api.intercept = undefined;
    await recordEvent(client, event);
    expect(writes()).toBe(2);
  });
});
