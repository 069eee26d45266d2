import { Registry } from 'prom-client';
import { afterEach, describe, expect, it } from 'vitest';
import { KubeClient } from './client.ts';
import { KubeError } from './errors.ts';
import { execPath } from './exec.ts';
import { countRequests } from './metrics.ts';
import { type ExecServer, type ExecSession, startExecServer } from './testing/exec-server.ts';

const POD = { namespace: 'kube-system', name: 'etcd-cp-1' };
const SUCCESS = { kind: 'Status', metadata: {}, status: 'Success' };
const exited = (code: number): object => ({
  kind: 'Status',
  status: 'Failure',
  reason: 'NonZeroExitCode',
  message: `command terminated with non-zero exit code: exit status ${code}`,
  details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
});

const ends = (s: ExecSession): undefined => s.end(SUCCESS);

/** A busy machine takes its time. */
const PATIENT = { timeout: 10_000 };

const opened: { close: () => Promise<void> }[] = [];
afterEach(async () => {
  for (const o of opened.splice(0).reverse()) await o.close();
});

/** A client of a server that does this with each command. */
async function served(
  run: (s: ExecSession) => { status: number; body: object } | undefined,
): Promise<{ server: ExecServer; client: KubeClient; metrics: Registry }> {
  const server = await startExecServer(run);
  const metrics = new Registry();
  const client = new KubeClient({
    connection: { server: server.url, ca: server.ca, cert: server.cert, key: server.key },
    userAgent: 'shoto-test/1',
    onRequest: countRequests(metrics, 'workload'),
  });
  opened.push(server, client);
  return { server, client, metrics };
}
async function failure(call: Promise<unknown>): Promise<KubeError> {
  const error: unknown = await call.then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(KubeError);
  return error as KubeError;
}

describe('a command in a container', () => {
  it('asks for no form of the answer: an API server of 1.36 hands the upgrade to the kubelet, which knows none', async () => {
    const { client } = await served((s) =>
      s.headers.accept === '*/*' ? ends(s) : { status: 406, body: { message: '406: Not Acceptable' } },
    );
    expect(await client.exec(POD, 'etcd', ['true'])).toMatchObject({ exitCode: 0 });
  });

  it('is asked for word by word, with the certificate of the connection, and says what it said', async () => {
    const { server, client, metrics } = await served((s) => {
      s.say(1, '');
      s.say(1, '{"members":');
      s.say(2, 'a warning');
      s.say(1, '[]}');
      return ends(s);
    });
    const result = await client.exec(POD, 'etcd', ['etcdctl', '--endpoints=https://a:1,https://b:1', 'member list']);
    expect(result).toEqual({ exitCode: 0, stdout: '{"members":[]}', stderr: 'a warning' });

    const [session] = server.sessions;
    expect(session?.url.pathname).toBe('/api/v1/namespaces/kube-system/pods/etcd-cp-1/exec');
    expect(session?.url.searchParams.getAll('command')).toEqual([
      'etcdctl',
      '--endpoints=https://a:1,https://b:1',
      'member list',
    ]);
    expect(session?.url.searchParams.get('container')).toBe('etcd');
    expect(session?.url.searchParams.get('stdin')).toBeNull();
    expect(session?.protocols).toEqual(['v5.channel.k8s.io', 'v4.channel.k8s.io']);
    expect(session?.client).toBe('shoto-test');
    expect(session?.headers['user-agent']).toBe('shoto-test/1');
    expect(await metrics.metrics()).toContain('verb="create",resource="pods/exec",code="101"');
  });

  it('that fails is no error: its code is told', async () => {
    const { client } = await served((s) => {
      s.say(2, 'unhealthy cluster');
      return s.end(exited(3));
    });
    expect(await client.exec(POD, 'etcd', ['false'])).toEqual({ exitCode: 3, stdout: '', stderr: 'unhealthy cluster' });
  });

  it('may say more than fits into one small frame', async () => {
    const long = 'x'.repeat(40_000);
    const { client } = await served((s) => {
      s.say(1, long);
      s.say(1, 'ü');
      return ends(s);
    });
    expect((await client.exec(POD, 'etcd', ['cat'])).stdout).toBe(`${long}ü`);
  });

  it('leaves no connection behind', async () => {
    const { server, client } = await served(ends);
    for (let i = 0; i < 3; i++) await client.exec(POD, 'etcd', ['true']);
    await expect.poll(() => server.open, PATIENT).toBe(0);
  });
});

describe('an exec that cannot be', () => {
  it('is refused with the words of the server', async () => {
    const { client } = await served(() => ({
      status: 404,
      body: { kind: 'Status', code: 404, reason: 'NotFound', message: 'pods "etcd-cp-1" not found' },
    }));
    const e = await failure(client.exec(POD, 'etcd', ['true']));
    expect(e).toMatchObject({ status: 404, reason: 'NotFound', isNotFound: true });
    expect(e.message).toBe('GET /api/v1/namespaces/kube-system/pods/etcd-cp-1/exec: 404 pods "etcd-cp-1" not found');
  });

  it('tells a kubelet that does not answer from a command that fails', async () => {
    const { client } = await served((s) =>
      s.end({
        kind: 'Status',
        status: 'Failure',
        reason: 'InternalError',
        code: 500,
        message: 'error dialing backend',
      }),
    );
    expect(await failure(client.exec(POD, 'etcd', ['true']))).toMatchObject({
      status: 500,
      reason: 'InternalError',
      message: expect.stringContaining('error dialing backend'),
    });
  });

  it('is given up at once when its caller does, and after its time', async () => {
    const { server, client } = await served(() => undefined);
    const caller = new AbortController();
    const call = failure(client.exec(POD, 'etcd', ['sleep'], { signal: caller.signal }));
    await expect.poll(() => server.sessions.length, PATIENT).toBe(1);
    caller.abort();
    expect(await call).toMatchObject({ status: 0, reason: 'Aborted' });
    expect(await failure(client.exec(POD, 'etcd', ['sleep'], { timeoutMs: 50 }))).toMatchObject({
      status: 0,
      reason: 'Timeout',
    });
    await expect.poll(() => server.open, PATIENT).toBe(0);
  });

  it('is an error when the connection breaks before the command has ended', async () => {
    const { client } = await served((s) => {
      s.say(1, 'half an answ');
      return s.cut();
    });
    expect(await failure(client.exec(POD, 'etcd', ['true']))).toMatchObject({ status: 0, reason: 'Unreachable' });
  });

  it('is an error when nobody is there, or somebody whom the CA does not vouch for', async () => {
    const { server, client } = await served(ends);
    const other = await served(ends);
    const stranger = new KubeClient({
      connection: { server: server.url, ca: other.server.ca, cert: server.cert, key: server.key },
      userAgent: 'shoto-test/1',
    });
    opened.push(stranger);
    expect(await failure(stranger.exec(POD, 'etcd', ['true']))).toMatchObject({ status: 0, reason: 'Unreachable' });
    await server.close();
    expect(await failure(client.exec(POD, 'etcd', ['true']))).toMatchObject({ status: 0, reason: 'Unreachable' });
    expect(server.sessions).toHaveLength(0);
  });

  it('needs a whole name: a path of another pod would come out', () => {
    expect(() => execPath({ name: 'etcd-cp-1' }, 'etcd', ['true'])).toThrow(TypeError);
    expect(execPath({ namespace: 'a', name: 'b/../c' }, 'etcd', ['a b', '&x=1'])).toBe(
      '/api/v1/namespaces/a/pods/b%2F..%2Fc/exec?container=etcd&stdout=true&stderr=true&command=a+b&command=%26x%3D1',
    );
  });
});
