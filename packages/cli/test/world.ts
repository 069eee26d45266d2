import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Context } from '../src/context.ts';
import { CliError, EXIT } from '../src/errors.ts';
import type { MachineProgress } from '../src/output/machines.ts';
import { run } from '../src/program.ts';

/** A request that the API got. */
export interface Seen {
  method: string;
  /** With query. */
  path: string;
  headers: IncomingMessage['headers'];
  body: unknown;
}

/** An answer that is given: JSON, a stream of events, or a connection that breaks. */
export type Given =
  | {
      status?: number;
      body?: unknown;
      headers?: Record<string, string | string[]>;
      events?: [event: string, data: unknown][];
    }
  | 'reset';

/** An API that answers as it is told, and a command line that talks to it. */
export interface World {
  url: string;
  seen: Seen[];
  /** Answers `GET /path` (without query) with these in turn; the last one stays. */
  on(request: string, ...answers: Given[]): void;
  /** Runs `shoto ...`. */
  shoto(
    line: string[],
    o?: Partial<Pick<Context, 'env' | 'confirm'>> & { files?: Record<string, string>; isTTY?: boolean },
  ): Promise<Ran>;
  close(): Promise<void>;
}

/** How a run ended. */
export interface Ran {
  code: number;
  out: string;
  err: string;
}

/** The time at which every run takes place. */
export const NOW = Date.parse('2026-01-01T01:00:00Z');

/** Starts a world; its tenant is `blue`, its token `t0ken`. */
export async function startWorld(): Promise<World> {
  const seen: Seen[] = [];
  const answers = new Map<string, Given[]>();
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (c: Buffer) => chunks.push(c));
    req.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      const path = req.url ?? '';
      seen.push({ method: req.method ?? '', path, headers: req.headers, body: text ? JSON.parse(text) : undefined });
      const left = answers.get(`${req.method} ${path.split('?')[0]}`) ?? [
        { status: 404, body: { status: 404, reason: 'NotFound', detail: `nothing at ${path}` } },
      ];
      const answer = (left.length > 1 ? left.shift() : left[0])!;
      if (answer === 'reset') return void req.socket.destroy();
      if (answer.events) {
        res.writeHead(200, { 'content-type': 'text/event-stream' });
        res.write(': hello\n\n');
        for (const [event, data] of answer.events) res.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
        // A stream that is not over stays open, until the client goes.
        if (answer.events.at(-1)?.[0] === 'gone') res.end();
        return;
      }
      res
        .writeHead(answer.status ?? 200, { 'content-type': 'application/json', ...answer.headers })
        .end(JSON.stringify(answer.body ?? {}));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    seen,
    on: (request, ...given) => void answers.set(request, given),
    async shoto(line, { env, files = {}, isTTY = false, confirm } = {}) {
      const out: string[] = [];
      const err: string[] = [];
      const code = await run(line, {
        env: env ?? { SHOTO_API_URL: url, SHOTO_TOKEN: 't0ken', SHOTO_TENANT: 'blue' },
        out: { isTTY, columns: 60, rows: 20, write: (t) => void out.push(t) },
        err: { isTTY, columns: 60, rows: 20, write: (t) => void err.push(t) },
        now: () => NOW,
        ...(confirm ? { confirm } : {}),
        read: (file) => {
          const text = files[file];
          if (text === undefined) throw new CliError(EXIT.usage, `${file} cannot be read: ENOENT`);
          return text;
        },
      });
      return { code, out: out.join(''), err: err.join('') };
    },
    close: () => new Promise((resolve) => server.close(() => resolve()).closeAllConnections()),
  };
}

export const CLUSTERS = '/v1/tenants/blue/clusters';

/** A team with two clusters: `web` runs, `api` is new. */
export async function startTeam(): Promise<World> {
  const w = await startWorld();
  w.on(`GET ${CLUSTERS}`, { body: { items: [aCluster('web'), aCluster('api', { status: {} })] } });
  w.on(`GET ${CLUSTERS}/web`, { body: aCluster() });
  w.on(`GET ${CLUSTERS}/web/machines`, { body: { items: [aMachine('web-default-aaaaa')] } });
  w.on(`GET ${CLUSTERS}/api/machines`, { body: { items: [] } });
  return w;
}

/** A cluster as the API gives it. */
export const aCluster = (name = 'web', more: object = {}) => ({
  apiVersion: 'shoto.dev/v1alpha1',
  kind: 'Cluster',
  metadata: { name, namespace: 'tenant-blue', creationTimestamp: '2026-01-01T00:00:00Z' },
  spec: {
    region: 'one',
    release: 'v1.35.4',
    network: { podCIDR: '10.244.0.0/16', serviceCIDR: '10.96.0.0/12', nodeCIDR: '10.8.0.0/16' },
    controlPlane: { count: 1, flavor: 'm1.medium' },
    nodePools: [{ name: 'default', count: 2, flavor: 'm1.small' }],
    addons: [{ name: 'flannel' }],
  },
  status: {
    conditions: [
      {
        type: 'Ready',
        status: 'True',
        reason: 'Ready',
        message: '3 nodes are ready',
        lastTransitionTime: '2026-01-01T00:50:00Z',
      },
    ],
    infrastructure: {
      endpoint: { internal: '10.8.0.5:6443', external: '203.0.113.9:6443' },
      pools: [
        { name: 'control-plane', desired: 1, machines: 1, joined: 1, ready: 1 },
        { name: 'default', desired: 2, machines: 2, joined: 2, ready: 2 },
      ],
      conditions: [],
    },
  },
  ...more,
});

/** A worker of a cluster as the API gives it. */
export const aMachine = (name: string, more: object = {}) => ({
  apiVersion: 'shoto.dev/v1alpha1',
  kind: 'Machine',
  metadata: { name, namespace: 'tenant-blue', creationTimestamp: '2026-01-01T00:58:30Z' },
  spec: { cluster: { name: 'web', uid: 'u' }, role: 'worker', pool: 'default', region: 'one', release: 'v1.35.4' },
  status: { server: { state: 'Active', id: 's-1', zone: 'az1', addresses: ['10.8.0.7'] }, health: { ready: true } },
  ...more,
});

/** Progress as the API streams it. */
export const progress = (ready: boolean, message: string, steps: [string, string, string][] = []) => ({
  cluster: 'web',
  ready,
  deleting: false,
  message,
  steps: steps.map(([name, state, text]) => ({ name, state, message: text })),
});

/** A machine of a progress as the API streams it: it installs Kubernetes. */
export const machineProgress = (name: string, more: Partial<MachineProgress> | { steps: object[] } = {}) => ({
  name,
  pool: 'default',
  server: 'Active',
  state: 'running',
  message: 'installs Kubernetes',
  steps: [],
  ...more,
});
