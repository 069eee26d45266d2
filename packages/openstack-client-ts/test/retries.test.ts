import { describe, expect, it } from 'vitest';
import { AbortedError, ConnectionError, ServerError, TimeoutError } from '../src/index.ts';
import { FakeCloud, FastClock } from './fake-cloud.ts';

const LIST = 'GET /network/v2.0/networks';
const CREATE = 'POST /network/v2.0/networks';
const DELETE = 'DELETE /network/v2.0/networks/n';
const ok = { body: { networks: [{ id: 'n' }] } };
const created = { status: 201, body: { network: { id: 'n' } } };

describe('a GET', () => {
  it.each([
    ['503', { status: 503 }],
    ['502', { status: 502 }],
    ['504', { status: 504 }],
    ['429', { status: 429 }],
    ['a lost answer', 'drop' as const],
    ['half an answer', 'half' as const],
  ])('is repeated after %s', async (_, failure) => {
    await using cloud = await FakeCloud.start({ [LIST]: [failure, failure, ok] });
    expect(await cloud.client().network.networks.list().all()).toEqual([{ id: 'n' }]);
    expect(cloud.calls.length).toBe(3);
  });

  it.each([400, 403, 404, 409, 500, 501])('is not repeated after %i', async (status) => {
    await using cloud = await FakeCloud.start({ [LIST]: [{ status }] });
    await expect(cloud.client().network.networks.list().all()).rejects.toMatchObject({
      status,
      mayHaveHappened: false,
    });
    expect(cloud.calls.length).toBe(1);
  });

  it('is given up after three repeats, or as many as the caller wants', async () => {
    await using cloud = await FakeCloud.start({ [LIST]: [{ status: 503 }] });
    const client = cloud.client();
    await expect(client.network.networks.list().all()).rejects.toBeInstanceOf(ServerError);
    expect(cloud.calls.length).toBe(4);
    await expect(client.network.networks.list({}, { retries: 0 }).all()).rejects.toMatchObject({ retryable: true });
    expect(cloud.calls.length).toBe(5);
  });
});

describe('a POST', () => {
  it('is not repeated after a lost answer, and says that it may have happened', async () => {
    await using cloud = await FakeCloud.start({ [CREATE]: ['drop', created] });
    const error = await cloud
      .client()
      .network.networks.create({ name: 'n' })
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ConnectionError);
    expect(error).toMatchObject({ mayHaveHappened: true, retryable: true });
    expect(cloud.calls.length).toBe(1);
  });

  it.each([500, 502, 503, 504])('is not repeated after %i, and says that it may have happened', async (status) => {
    await using cloud = await FakeCloud.start({ [CREATE]: [{ status }, created] });
    const failing = cloud.client().network.networks.create({ name: 'n' });
    await expect(failing).rejects.toMatchObject({ status, mayHaveHappened: true });
    expect(cloud.calls.length).toBe(1);
  });

  it('is repeated after 429, and after 503 with Retry-After: both were not carried out', async () => {
    const away = { status: 503, headers: { 'retry-after': '0' } };
    await using cloud = await FakeCloud.start({ [CREATE]: [{ status: 429 }, away, created] });
    expect(await cloud.client().network.networks.create({ name: 'n' })).toEqual({ id: 'n' });
    expect(cloud.calls.length).toBe(3);
  });

  it('is repeated when the connection was refused, and says in the end that it did not happen', async () => {
    let url = '';
    {
      await using gone = await FakeCloud.start();
      url = gone.url;
    }
    await using cloud = await FakeCloud.start();
    const client = cloud.client({}, { endpointOverrides: { network: url } });
    const failing = client.network.networks.create({ name: 'n' });
    await expect(failing).rejects.toMatchObject({
      name: 'ConnectionError',
      code: 'ECONNREFUSED',
      mayHaveHappened: false,
    });
    expect(
      cloud.events.filter((event) => event.service === 'network').map((event) => [event.attempt, event.status]),
    ).toEqual([
      [1, 0],
      [2, 0],
      [3, 0],
      [4, 0],
    ]);
  });

  it('that only reads is repeated: the console log', async () => {
    const path = 'POST /compute/v2.1/servers/s/action';
    await using cloud = await FakeCloud.start({ [path]: ['drop', { body: { output: 'boot' } }] });
    expect(await cloud.client().compute.servers.consoleLog('s')).toBe('boot');
  });
});

describe('a PUT that is an action', () => {
  it('is not repeated after a lost answer: add_router_interface', async () => {
    await using cloud = await FakeCloud.start({
      'PUT /network/v2.0/routers/r/add_router_interface': ['drop', { body: {} }],
    });
    const failing = cloud.client().network.routers.addInterface('r', { subnet_id: 's' });
    await expect(failing).rejects.toMatchObject({ name: 'ConnectionError', mayHaveHappened: true });
    expect(cloud.calls.length).toBe(1);
  });
});

describe('a DELETE', () => {
  it('has worked when a repeat after a lost answer finds nothing', async () => {
    await using cloud = await FakeCloud.start({ [DELETE]: ['drop', { status: 404 }] });
    await cloud.client().network.networks.delete('n');
    expect(cloud.calls.length).toBe(2);
  });

  it('of something that never was is a NotFoundError', async () => {
    await using cloud = await FakeCloud.start({ [DELETE]: [{ status: 404 }] });
    await expect(cloud.client().network.networks.delete('n')).rejects.toMatchObject({ name: 'NotFoundError' });
  });

  it('that was refused after a lost answer still says that it may have happened', async () => {
    await using cloud = await FakeCloud.start({ [DELETE]: ['drop', { status: 409 }] });
    await expect(cloud.client().network.networks.delete('n')).rejects.toMatchObject({
      name: 'ConflictError',
      mayHaveHappened: true,
    });
  });
});

describe('pauses', () => {
  it('are those of Retry-After, in seconds or as a date', async () => {
    const clock = new FastClock();
    const date = new Date(clock.now() + 90_000).toUTCString();
    await using cloud = await FakeCloud.start({
      [LIST]: [{ status: 503, headers: { 'retry-after': '7' } }, { status: 429, headers: { 'retry-after': date } }, ok],
    });
    await cloud.client({ clock, timeoutMs: 0 }).network.networks.list().all();
    expect(clock.pauses).toEqual([7_000, 83_000]);
  });

  it('grow exponentially with full jitter up to a bound', async () => {
    const clock = new FastClock();
    await using cloud = await FakeCloud.start({ [LIST]: [{ status: 503 }] });
    const retry = { retries: 5, baseMs: 100, maxMs: 1_000 };
    const client = cloud.client({ clock, timeoutMs: 0, retry, random: () => 0.5 });
    await expect(client.network.networks.list().all()).rejects.toBeInstanceOf(ServerError);
    expect(clock.pauses).toEqual([50, 100, 200, 400, 500]);
  });

  it('longer than the time of the call are not begun; the error says how long', async () => {
    await using cloud = await FakeCloud.start({ [LIST]: [{ status: 429, headers: { 'retry-after': '60' } }] });
    await expect(cloud.client({ timeoutMs: 5_000 }).network.networks.list().all()).rejects.toMatchObject({
      name: 'TooManyRequestsError',
      retryAfterMs: 60_000,
    });
    expect(cloud.calls.length).toBe(1);
  });
});

describe('time limits and aborts', () => {
  it('end a call that gets no answer; what a POST did is then unknown', async () => {
    await using cloud = await FakeCloud.start({ [LIST]: ['hang'], [CREATE]: ['hang'] });
    const client = cloud.client();
    await client.authenticate();
    const options = { timeoutMs: 50 };
    const get = client.network.networks.list({}, options).all();
    await expect(get).rejects.toBeInstanceOf(TimeoutError);
    await expect(get).rejects.toMatchObject({ mayHaveHappened: false, retryable: true });
    const post = client.network.networks.create({ name: 'n' }, options);
    await expect(post).rejects.toMatchObject({ name: 'TimeoutError', mayHaveHappened: true });
    expect(cloud.calls.length).toBe(2);
  });

  it('cover the log-in and the version document', async () => {
    await using cloud = await FakeCloud.start({ 'GET /compute/v2.1/': ['hang'] });
    const version = cloud.client().compute.servers.get('s', { timeoutMs: 50 });
    await expect(version).rejects.toMatchObject({ name: 'TimeoutError', mayHaveHappened: false });
    cloud.logins = ['hang'];
    const login = cloud.client().network.networks.create({ name: 'n' }, { timeoutMs: 50 });
    await expect(login).rejects.toMatchObject({ name: 'TimeoutError', mayHaveHappened: false });
  });

  it('end a call at the caller’s wish, while it runs and before it starts', async () => {
    const controller = new AbortController();
    await using cloud = await FakeCloud.start({
      [CREATE]: () => {
        controller.abort(new Error('enough'));
        return 'hang';
      },
    });
    const client = cloud.client();
    const options = { signal: controller.signal };
    const running = client.network.networks.create({ name: 'n' }, options);
    await expect(running).rejects.toBeInstanceOf(AbortedError);
    await expect(running).rejects.toMatchObject({ mayHaveHappened: true, cause: { message: 'enough' } });
    const late = client.network.networks.create({ name: 'n' }, options);
    await expect(late).rejects.toMatchObject({ name: 'AbortedError', mayHaveHappened: false });
    expect(cloud.calls.length).toBe(1);
  });

  it('end the pause before a repeat', async () => {
    const controller = new AbortController();
    await using cloud = await FakeCloud.start({ [LIST]: [{ status: 503, headers: { 'retry-after': '20' } }] });
    const client = cloud.client({
      onRequest: (event) => {
        if (event.status === 503) setImmediate(() => controller.abort());
      },
    });
    const failing = client.network.networks.list({}, { signal: controller.signal }).all();
    await expect(failing).rejects.toBeInstanceOf(AbortedError);
  });
});

describe('onRequest', () => {
  it('is told of every exchange', async () => {
    await using cloud = await FakeCloud.start({ [LIST]: ['drop', ok] });
    await cloud.client().network.networks.list().all();
    expect(cloud.events).toMatchObject([
      { service: 'identity', method: 'POST', path: '/identity/v3/auth/tokens', status: 201, attempt: 1 },
      {
        service: 'network',
        method: 'GET',
        path: '/network/v2.0/networks',
        status: 0,
        attempt: 1,
        requestId: undefined,
      },
      {
        service: 'network',
        method: 'GET',
        path: '/network/v2.0/networks',
        status: 200,
        attempt: 2,
        requestId: 'req-3',
      },
    ]);
    expect(cloud.events.every((event) => event.ms >= 0)).toBe(true);
  });
});
