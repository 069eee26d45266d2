import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CircuitBreaker } from './circuit-breaker.ts';
import type { KubeError } from './errors.ts';
import { NODES } from './resources.ts';
import { type FakeApi, startFakeApi } from './testing/index.ts';
import { WorkloadPool } from './workload-pool.ts';

describe('the pool of workload clusters', () => {
  let live: FakeApi;
  let dead: Server;
  let deadUrl: string;
  let deadSockets: Set<Socket>;
  let mostSockets: number;
  let pool: WorkloadPool;

  beforeEach(async () => {
    live = await startFakeApi();
    live.put('/api/v1/nodes', { metadata: { name: 'n1' } });
    deadSockets = new Set();
    mostSockets = 0;
    // Takes connections and says nothing.
    dead = createServer((socket) => {
      deadSockets.add(socket);
      mostSockets = Math.max(mostSockets, deadSockets.size);
      socket.on('error', () => {});
      socket.on('close', () => deadSockets.delete(socket));
      socket.resume();
    });
    await new Promise<void>((resolve) => dead.listen(0, '127.0.0.1', resolve));
    deadUrl = `http://127.0.0.1:${(dead.address() as AddressInfo).port}`;
    pool = new WorkloadPool({ userAgent: 'test/1', requestTimeoutMs: 1_500, openMs: 60_000 });
  });
  afterEach(async () => {
    await pool.close();
    for (const socket of deadSockets) socket.destroy();
    await new Promise((resolve) => dead.close(resolve));
    await live.close();
  });

  it('answers from a live cluster while hundreds of requests hang on a dead one', async () => {
    const deadClient = await pool.get('dead', async () => ({ server: deadUrl }));
    const giveUp = new AbortController();
    const o = { signal: giveUp.signal, timeoutMs: 600_000 };
    const hanging = Array.from({ length: 300 }, () => deadClient.list(NODES, {}, o).catch((e: KubeError) => e.reason));
    const client = await pool.get('live', async () => ({ server: live.url }));
    for (let i = 0; i < 20; i++) expect((await client.list(NODES)).items).toHaveLength(1);
    giveUp.abort();
    expect(new Set(await Promise.all(hanging))).toEqual(new Set(['Aborted']));
    expect(mostSockets).toBeLessThanOrEqual(2);
  });

  it('stops asking a dead cluster, until it has another endpoint', async () => {
    let server = deadUrl;
    const client = await pool.get('c', async () => ({ server }));
    for (let i = 0; i < 3; i++) await client.list(NODES, {}, { timeoutMs: 50 }).catch(() => {});
    const refused = await client.list(NODES).catch((e: KubeError) => e);
    expect(refused).toMatchObject({ reason: 'CircuitOpen', status: 0 });
    expect((refused as KubeError).retryAfterMs).toBeGreaterThan(0);
    server = live.url;
    await pool.evict('c');
    const again = await pool.get('c', async () => ({ server }));
    expect((await again.list(NODES)).items).toHaveLength(1);
  });

  it('loads a connection once, and again after a failure', async () => {
    let loads = 0;
    const load = async (): Promise<{ server: string }> => {
      loads++;
      if (loads === 1) throw new Error('no Secret yet');
      return { server: live.url };
    };
    await expect(pool.get('c', load)).rejects.toThrow('no Secret yet');
    const [one, two] = await Promise.all([pool.get('c', load), pool.get('c', load)]);
    expect(one).toBe(two);
    expect(loads).toBe(2);
    expect(pool.size).toBe(1);
  });
});

describe('a circuit', () => {
  it('opens after failures in a row, lets one probe at a time through, stays open longer each time, closes on any answer', () => {
    let now = 0;
    const circuit = new CircuitBreaker({ failures: 2, openMs: 100, maxOpenMs: 300, now: () => now });
    const enter = (): string => {
      try {
        circuit.enter('GET', '/');
        return 'went';
      } catch (e) {
        return (e as KubeError).reason;
      }
    };
    circuit.leave(false);
    circuit.leave(true);
    circuit.leave(false);
    expect(circuit.state).toBe('closed');
    circuit.leave(false);
    expect(enter()).toBe('CircuitOpen');
    now = 101;
    expect([enter(), enter()]).toEqual(['went', 'CircuitOpen']);
    circuit.leave(false);
    now = 201;
    expect(enter()).toBe('CircuitOpen');
    now = 302;
    expect(enter()).toBe('went');
    circuit.leave(true);
    expect(circuit.state).toBe('closed');
    expect([enter(), enter()]).toEqual(['went', 'went']);
  });
});
