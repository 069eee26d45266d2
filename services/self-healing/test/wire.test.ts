import type { Cluster, Machine } from '@shoto/api';
import { KubeClient } from '@shoto/kube';
import { type FakeApi, startFakeApi } from '@shoto/kube/testing';
import { LocalEngine } from '@shoto/reconciler/testing';
import { createLogger, systemClock } from '@shoto/service';
import { until } from '@shoto/service/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { DEFAULTS } from '../src/settings.ts';
import { wire } from '../src/wire.ts';
import { aCluster, aMachine, condition } from './world.ts';

const OURS = '/apis/shoto.dev/v1alpha1/namespaces/tenant-blue';
const opened: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

/** The service as it is wired, between two API servers: the management cluster's, and a workload cluster's. */
async function scenario() {
  const management = await startFakeApi();
  const workload = await startFakeApi();
  opened.push(management.close, workload.close);
  const kubeconfig = {
    'current-context': 'c',
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    clusters: [{ name: 'c', cluster: { server: workload.url } }],
    users: [{ name: 'u', user: { token: 't' } }],
  };
  management.put('/api/v1/namespaces/shoto-system-self-healing/secrets', {
    metadata: { name: 'uid-web-kubeconfig-self-healing', namespace: 'shoto-system-self-healing' },
    data: { value: Buffer.from(JSON.stringify(kubeconfig)).toString('base64') },
  } as never);
  management.put('/apis/shoto.dev/v1alpha1/regions', {
    metadata: { name: 'one' },
    spec: {},
    status: { provisioner: { revision: 1, conditions: [condition('Ready', 'True', 'Answers')] } },
  } as never);
  management.put(`${OURS}/clusters`, aCluster('web', { health: { conditions: undefined } }));
  management.put(`${OURS}/machines`, aMachine('web', 'cp', { role: 'control-plane' }));
  for (const name of ['w1', 'w2', 'w3']) management.put(`${OURS}/machines`, aMachine('web', name));
  for (const name of ['cp', 'w1', 'w2', 'w3']) node(workload, name, 'True');
  const client = new KubeClient({ connection: { server: management.url }, userAgent: 'test/1' });
  opened.push(() => client.close());
  return { management, workload, client };
}

function node(workload: FakeApi, name: string, ready: 'True' | 'Unknown', beat = 0): void {
  workload.put('/api/v1/nodes', {
    metadata: { name, annotations: { beat: String(beat) } },
    status: {
      conditions: [
        { type: 'Ready', status: ready, lastHeartbeatTime: String(beat) },
        { type: 'NetworkUnavailable', status: 'False' },
      ],
    },
  } as never);
}

async function started({ client }: { client: KubeClient }): Promise<LocalEngine> {
  const engine = new LocalEngine();
  const healing = wire({
    client,
    engine: engine.engine,
    systemNamespace: 'shoto-system',
    concurrency: 10,
    // In thousandths of the real times, as far as they are not the engine's.
    settings: { ...DEFAULTS, silentMs: 300, settleMs: 30, observeMs: 60, helps: { Reboot: 300, HardReboot: 600 } },
    clock: { ...systemClock, after: (ms, fn) => systemClock.after(ms / 100, fn) },
    log: createLogger({ service: 'self-healing', level: 'silent' }),
  });
  await healing.start();
  opened.push(() => healing.close());
  return engine;
}
const machine = (api: FakeApi, name: string) => api.get(`${OURS}/machines`, name) as unknown as Machine;
const reachable = (api: FakeApi) =>
  (api.get(`${OURS}/clusters`, 'web') as unknown as Cluster).status?.health?.conditions?.find(
    (c) => c.type === 'Reachable',
  )?.status;
const writes = (api: FakeApi) => api.requests.filter((r) => r.method !== 'GET');

describe('the service as it is wired', () => {
  it('orders a silent node to be rebooted, and tells it by an Event', async () => {
    const s = await scenario();
    await started(s);
    await until(() => reachable(s.management) === 'True');
    node(s.workload, 'w1', 'Unknown');
    const order = await until(() => machine(s.management, 'w1').status?.health?.order, { timeoutMs: 15_000 });
    expect(order).toMatchObject({ number: 1, action: 'Reboot', reason: 'NodeSilent' });
    expect(machine(s.management, 'w2').status?.health?.order).toBeUndefined();
    await until(() => writes(s.management).some((r) => r.path.endsWith('/events')));
  });

  it('writes nothing for heartbeats, and runs no pass for them', async () => {
    const s = await scenario();
    const { passes } = await started(s);
    await until(() => reachable(s.management) === 'True');
    // Each node is looked at once when the watch begins.
    await until(() => ['cp', 'w1', 'w2', 'w3'].every((m) => passes.some((p) => p.key === `tenant-blue/${m}`)));
    const of = (name: string) => passes.filter((p) => p.key === `tenant-blue/${name}`).length;
    const looks = of('w1');
    const before = writes(s.management).length;
    for (let beat = 1; beat <= 50; beat++) node(s.workload, 'w1', 'True', beat);
    // A change that does count comes after them on the same watch.
    node(s.workload, 'w2', 'Unknown');
    await until(() => machine(s.management, 'w2').status?.health?.unreachable);
    expect(of('w1')).toBe(looks);
    // Of w2 more may be said by now: it stays silent.
    const others = writes(s.management)
      .slice(before)
      .filter((r) => r.path.startsWith(`${OURS}/machines/`) && r.path !== `${OURS}/machines/w2/status`);
    expect(others).toEqual([]);
  });

  it('sees that a cluster answers again, though its watch goes on where it stood', async () => {
    const s = await scenario();
    await started(s);
    await until(() => reachable(s.management) === 'True');
    s.workload.intercept = (_req, res) => {
      res.writeHead(503).end('{}');
      return true;
    };
    s.workload.endWatches('reset');
    await until(() => reachable(s.management) === 'False');
    s.workload.intercept = undefined;
    await until(() => reachable(s.management) === 'True', { timeoutMs: 15_000 });
  }, 30_000);

  it('says nothing of one connection that breaks: each control-plane machine that goes breaks some', async () => {
    const s = await scenario();
    await started(s);
    await until(() => reachable(s.management) === 'True');
    const asked = (watching: boolean) =>
      s.workload.requests.filter((r) => r.path === '/api/v1/nodes' && r.query.has('watch') === watching).length;
    // That it answers is known before it is watched.
    await until(() => asked(true) > 0 && s.workload.watches > 0);
    const told = () => writes(s.management).filter((r) => r.path.endsWith('/clusters/web/status')).length;
    const [before, toldBefore] = [asked(false), told()];
    s.workload.endWatches('reset');
    await until(() => asked(false) >= before + 2, { timeoutMs: 15_000 }); // asked whether it answers, then listed anew
    expect([reachable(s.management), told()]).toEqual(['True', toldBefore]);
  }, 30_000);

  it('sees a node that went while the service was away', async () => {
    const s = await scenario();
    s.workload.drop('/api/v1/nodes', 'w3');
    await started(s);
    await until(() => machine(s.management, 'w3').status?.health?.unreachable);
    expect(machine(s.management, 'w3').status?.health).toMatchObject({ ready: false });
  });
});
