import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { aCluster, aMachine, CLUSTERS, machineProgress, progress, startTeam, type World } from './world.ts';

let w: World;
beforeEach(async () => {
  w = await startTeam();
});
afterEach(() => w.close());

describe('get', () => {
  it('prints a table, and more of it with wide', async () => {
    expect((await w.shoto(['get', 'clusters'])).out).toBe(
      `NAME   READY     NODES   RELEASE   REGION   AGE
web    True      3/3     v1.35.4   one      60m
api    Unknown   0/3     v1.35.4   one      60m
`,
    );
    expect((await w.shoto(['get', 'cluster', 'web', '-o', 'wide'])).out).toBe(
      `NAME   READY   NODES   RELEASE   REGION   AGE   ENDPOINT           MESSAGE
web    True    3/3     v1.35.4   one      60m   203.0.113.9:6443   3 nodes are ready
`,
    );
  });

  it('prints names, one alone as itself, several as a list', async () => {
    expect((await w.shoto(['get', 'scl', '-o', 'name'])).out).toBe('cluster/web\ncluster/api\n');
    expect(JSON.parse((await w.shoto(['get', 'cluster', 'web', '-o', 'json'])).out)).toEqual(aCluster());
    expect(parse((await w.shoto(['get', 'clusters', '-o', 'yaml'])).out)).toMatchObject({
      kind: 'List',
      items: [{ metadata: { name: 'web' } }, { metadata: { name: 'api' } }],
    });
  });

  it('reads every page', async () => {
    w.on(
      `GET ${CLUSTERS}`,
      { body: { items: [aCluster('a')], continue: 'x/y' } },
      { body: { items: [aCluster('b')] } },
    );
    expect((await w.shoto(['get', 'clusters', '-o', 'name', '-l', 'team=a'])).out).toBe('cluster/a\ncluster/b\n');
    expect(w.seen.map((s) => s.path)).toEqual([
      `${CLUSTERS}?labelSelector=team%3Da`,
      `${CLUSTERS}?labelSelector=team%3Da&continue=x%2Fy`,
    ]);
  });

  it('shows machines of one cluster, or of all', async () => {
    const { out } = await w.shoto(['get', 'machines', '--cluster', 'web', '-o', 'wide']);
    expect(out.split('\n')[1]).toMatch(
      /^web-default-aaaaa +default +Active +False +True +v1.35.4 +90s +- +az1 +10.8.0.7 +s-1$/,
    );
    expect((await w.shoto(['get', 'machines', '-o', 'name'])).out).toBe('machine/web-default-aaaaa\n');
  });

  it('shows the catalogue without a tenant', async () => {
    w.on('GET /v1/tenants', { body: { items: [{ metadata: { name: 'blue' }, spec: { displayName: 'Blue' } }] } });
    const env = { SHOTO_API_URL: w.url, SHOTO_TOKEN: 't0ken' };
    expect((await w.shoto(['get', 'tenants'], { env })).out).toBe(
      'NAME   DISPLAY NAME   QUOTA   MACHINES\nblue   Blue           -       -\n',
    );
  });

  it('shows what templates preset of windows and healing with -o wide', async () => {
    const maintenanceWindow = { timeZone: 'Asia/Tokyo', days: ['Sat'], start: '02:00', durationMinutes: 120 };
    const template = (name: string, spec: object) => ({ metadata: { name }, spec });
    const items = [template('calm', { maintenanceWindow, healing: { enabled: false } }), template('plain', {})];
    w.on('GET /v1/templates', { body: { items } });
    const env = { SHOTO_API_URL: w.url, SHOTO_TOKEN: 't0ken' };
    const { out } = await w.shoto(['get', 'templates', '-o', 'wide'], { env });
    expect(out.split('\n').map((line) => line.trimEnd().split(/ {2,}/).slice(-2))).toEqual([
      ['WINDOW', 'HEALING'],
      ['Sat 02:00-04:00 Asia/Tokyo', 'off'],
      ['-', '-'],
      [''],
    ]);
  });

  it('says that there is nothing where there is nothing, but gives programs an empty list', async () => {
    w.on(`GET ${CLUSTERS}`, { body: { items: [] } });
    expect(await w.shoto(['get', 'clusters'])).toEqual({ code: 0, out: '', err: 'no clusters\n' });
    expect(JSON.parse((await w.shoto(['get', 'clusters', '-o', 'json'])).out).items).toEqual([]);
  });

  it('names the kinds where it does not know one', async () => {
    const { code, err } = await w.shoto(['get', 'pods']);
    expect([code, err]).toEqual([
      2,
      'shoto: there is no kind "pods": there are clusters, machines, addons, regions, releases, templates, tenants, addonbundles, addonregistries\n',
    ]);
  });
});

describe('describe', () => {
  it('tells conditions, machines, trouble, stored steps and events on a page, where nobody tells what happens now', async () => {
    const failed = {
      type: 'Joined',
      status: 'False',
      reason: 'StepFailed',
      message: 'kubeadm-join ended with 1',
      lastTransitionTime: '2026-01-01T00:59:00Z',
    };
    w.on(`GET ${CLUSTERS}/web/machines`, {
      body: {
        items: [
          aMachine('web-default-aaaaa', {
            status: {
              bootstrap: {
                conditions: [failed],
                steps: [{ name: 'kubeadm-join', state: 'failed', startedAt: '2026-01-01T00:59:00Z', seconds: 12.34 }],
              },
            },
          }),
        ],
      },
    });
    w.on(`GET ${CLUSTERS}/web/events`, {
      body: {
        items: [
          {
            time: '2026-01-01T00:59:40Z',
            type: 'Warning',
            reason: 'StepFailed',
            object: 'Machine/web-default-aaaaa',
            message: 'kubeadm-join failed:\n[preflight] checks\n[ERROR FileAvailable]: it exists\n',
            count: 1,
          },
          {
            time: '2026-01-01T00:59:50Z',
            type: 'Warning',
            reason: 'Unreachable',
            object: 'Machine/web-default-aaaaa',
            message: 'no route',
            count: 3,
          },
        ],
      },
    });
    const { code, out } = await w.shoto(['describe', 'cluster', 'web']);
    expect(code).toBe(0);
    for (const line of [
      'Name:           web',
      'Endpoint:       https://203.0.113.9:6443 (inside: 10.8.0.5:6443)',
      'Pool default:   2 x m1.small',
      '  web-default-aaaaa: StepFailed: kubeadm-join ended with 1',
      '  web-default-aaaaa   kubeadm-join   failed   60s ago   12.3 s   [ERROR FileAvailable]: it exists',
      '  10s   Warning   Unreachable   Machine/web-default-aaaaa   no route (x3)',
    ])
      expect(out.split('\n')).toContain(line);
    expect(out).toMatch(/cluster +Ready +True +Ready +10m +3 nodes are ready/);
  });

  it('tells the steps that run now, and does not call it trouble that a machine installs', async () => {
    const installing = { type: 'Joined', status: 'False', reason: 'Installing', message: 'installs Kubernetes' };
    w.on(`GET ${CLUSTERS}/web/machines`, {
      body: { items: [aMachine('web-default-aaaaa', { status: { bootstrap: { conditions: [installing] } } })] },
    });
    w.on(`GET ${CLUSTERS}/web/events`, { body: { items: [] } });
    const steps = [
      { name: 'download', state: 'done', startedAt: '2026-01-01T00:59:20Z', seconds: 2.25 },
      { name: 'kubeadm-join', state: 'running', startedAt: '2026-01-01T00:59:23Z' },
    ];
    w.on(`GET ${CLUSTERS}/web/progress`, {
      body: { ...progress(false, 'working'), machines: [machineProgress('web-default-aaaaa', { steps })] },
    });
    const { out } = await w.shoto(['describe', 'cluster', 'web']);
    const lines = out.split('\n');
    expect(lines.slice(lines.indexOf('Steps:'), lines.indexOf('Events:') - 1)).toEqual([
      'Steps:',
      '  MACHINE             STEP           STATE     BEGAN     TOOK          LAST LINE OF ITS LOG',
      '  web-default-aaaaa   download       done      40s ago   2.3 s         -',
      '  web-default-aaaaa   kubeadm-join   running   37s ago   37 s so far   -',
    ]);
    expect(lines).not.toContain('Trouble:');
  });
});

describe('delete and wait', () => {
  const path = `${CLUSTERS}/web`;
  it('delete waits until the cluster is gone', async () => {
    w.on(`DELETE ${path}`, { status: 202, body: aCluster() });
    w.on(`GET ${path}/progress`, {
      events: [
        ['progress', { ...progress(false, 'x', [['deletion', 'running', '3 machines still to go']]), deleting: true }],
        ['gone', { cluster: 'web' }],
      ],
    });
    expect(await w.shoto(['delete', 'cluster', 'web'])).toEqual({
      code: 0,
      err: '',
      out: 'cluster/web is being deleted\n   0.0s deletion: running: 3 machines still to go\ncluster/web deleted\n',
    });
  });

  it('delete does not mind one that is gone before it looks', async () => {
    w.on(`DELETE ${path}`, { status: 202, body: aCluster() });
    expect((await w.shoto(['delete', 'cluster', 'web'])).out).toContain('cluster/web deleted\n');
  });

  it('delete of none is an error, unless it is said not to be', async () => {
    expect((await w.shoto(['delete', 'cluster', 'web'])).code).toBe(3);
    expect(await w.shoto(['delete', 'cluster', 'web', '--ignore-not-found'])).toEqual({ code: 0, out: '', err: '' });
  });

  it('delete may only check, or not wait', async () => {
    w.on(`DELETE ${path}`, { status: 202, body: aCluster() });
    expect((await w.shoto(['delete', 'cluster', 'web', '--dry-run'])).out).toBe(
      'cluster/web would be deleted (dry run)\n',
    );
    expect((await w.shoto(['delete', 'cluster', 'web', '--no-wait'])).out).toBe('cluster/web is being deleted\n');
    expect(w.seen.map((s) => s.path)).toEqual([`${path}?dryRun=true`, path]);
  });

  it('wait ends with what is waited for', async () => {
    w.on(`GET ${path}/progress`, { events: [['progress', progress(true, 'ready')]] });
    expect((await w.shoto(['wait', 'cluster', 'web'])).out).toBe('cluster/web ready\n');
    expect((await w.shoto(['wait', 'cluster', 'web', '--for', 'deleted', '--timeout', '200ms'])).code).toBe(7);
    expect((await w.shoto(['wait', 'cluster', 'none', '--for', 'deleted'])).code).toBe(0);
    expect((await w.shoto(['wait', 'cluster', 'none'])).code).toBe(3);
    expect((await w.shoto(['wait', 'cluster', 'web', '--for', 'peace'])).err).toContain('choose ready or deleted');
  });
});

describe('kubeconfig and events', () => {
  it('kubeconfig is printed and nothing else, for as long as is asked', async () => {
    w.on(`POST ${CLUSTERS}/web/kubeconfig`, { body: { kubeconfig: 'apiVersion: v1', expiresAt: 'x' } });
    expect(await w.shoto(['kubeconfig', 'web', '--for', '2h'])).toEqual({ code: 0, out: 'apiVersion: v1\n', err: '' });
    expect(w.seen[0]!.body).toEqual({ seconds: 7200 });
  });
  it('events are a table, or JSON', async () => {
    const items = [
      {
        time: '2026-01-01T00:59:00Z',
        type: 'Normal',
        reason: 'Made',
        object: 'Cluster/web',
        message: 'network made',
        count: 1,
      },
    ];
    w.on(`GET ${CLUSTERS}/web/events`, { body: { items } });
    expect((await w.shoto(['events', 'web'])).out).toContain('60s   Normal   Made     Cluster/web   network made\n');
    expect(JSON.parse((await w.shoto(['events', 'web', '-o', 'json'])).out)).toEqual(items);
  });
});

describe('an exit code tells', () => {
  const problem = (status: number, more: object = {}) => ({
    status,
    body: { status, reason: 'R', detail: 'the detail', ...more },
  });
  it.each<[number, number]>([
    [400, 4],
    [409, 4],
    [412, 4],
    [413, 4],
    [422, 4],
    [401, 5],
    [403, 5],
    [404, 3],
    [429, 6],
    [500, 6],
    [503, 6],
  ])('what %i of the server means: %i', async (status, code) => {
    w.on(`GET ${CLUSTERS}/web`, problem(status));
    expect(await w.shoto(['get', 'cluster', 'web'])).toEqual({ code, out: '', err: 'shoto: the detail\n' });
  });
  it('and every field that was refused has its own line', async () => {
    const errors = [
      { field: 'spec.release', message: 'release "v9" does not exist: choose one of v1.35.4' },
      { field: 'metadata.name', message: '"web" is taken' },
    ];
    w.on(`POST ${CLUSTERS}`, problem(422, { errors }));
    const { code, err } = await w.shoto(['create', 'cluster', 'web', '--release', 'v9']);
    expect([code, err]).toEqual([
      4,
      'shoto: refused:\n  spec.release: release "v9" does not exist: choose one of v1.35.4\n  metadata.name: "web" is taken\n',
    ]);
  });
  it.each<[string, Record<string, string>, number, string]>([
    ['no server', {}, 2, 'no server: set SHOTO_API_URL'],
    ['a server that is no URL', { SHOTO_API_URL: 'localhost' }, 2, 'the server "localhost" is no URL'],
    ['no token', { SHOTO_API_URL: 'http://x' }, 5, 'no token: set SHOTO_TOKEN or SHOTO_TOKEN_FILE'],
    [
      'a token file that is not there',
      { SHOTO_API_URL: 'http://x', SHOTO_TOKEN_FILE: '/none' },
      2,
      'SHOTO_TOKEN_FILE: ENOENT',
    ],
    ['no tenant', { SHOTO_API_URL: 'http://x', SHOTO_TOKEN: 't' }, 2, 'no tenant: set SHOTO_TENANT'],
    [
      'a server that does not answer',
      { SHOTO_API_URL: 'http://127.0.0.1:1', SHOTO_TOKEN: 't', SHOTO_TENANT: 'b' },
      6,
      'http://127.0.0.1:1 cannot be reached',
    ],
  ])('%s', async (_what, env, code, message) => {
    const ran = await w.shoto(['get', 'clusters'], { env });
    expect([ran.code, ran.err]).toEqual([code, expect.stringContaining(message)]);
  });
});

describe('help and version', () => {
  it.each([
    ...['create', 'create cluster', 'create pool', 'get', 'describe', 'set', 'set cluster', 'set pool', 'scale'],
    ...['upgrade cluster', 'pause cluster', 'resume cluster', 'keep machine', 'unkeep machine', 'force machine'],
    ...['fleet', 'fleet stop', 'fleet resume', 'fleet status', 'delete', 'delete cluster', 'delete pool'],
    ...['wait', 'kubeconfig', 'events', 'completion', 'version'],
  ])('%s --help has an example', async (command) => {
    const { code, out } = await w.shoto([...command.split(' '), '--help']);
    expect(code).toBe(0);
    expect(out).toMatch(new RegExp(`Examples?:\\n(.*\\n)*.*shoto ${command.split(' ')[0]}`));
  });
  it('version tells that of the client, and of the server where it answers', async () => {
    w.on('GET /v1/version', { body: { version: '9.9.9' } });
    expect((await w.shoto(['version'])).out).toMatch(/^client \d+\.\d+\.\d+\nserver 9\.9\.9\n$/);
    expect((await w.shoto(['version'], { env: {} })).out).toMatch(/^client \S+\n$/);
    const away = await w.shoto(['version'], { env: { SHOTO_API_URL: 'http://127.0.0.1:1' } });
    expect([away.code, away.err]).toEqual([0, 'server: http://127.0.0.1:1 does not answer\n']);
  });
  it('a command that is not there is a usage error', async () => {
    expect((await w.shoto(['destroy'])).code).toBe(2);
    expect((await w.shoto([])).code).not.toBe(1);
  });
});
