import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMetrics } from './metrics.ts';
import { type OpsServer, type Problem, startOpsServer } from './ops-server.ts';

describe('the server for operators', () => {
  let server: OpsServer;
  let ready: () => Promise<Problem[]>;
  beforeEach(async () => {
    ready = async () => [];
    server = await startOpsServer({ host: '127.0.0.1', port: 0, ready: () => ready(), metrics: createMetrics('test') });
  });
  afterEach(() => server.close());

  it('is healthy while it runs, and ready without problems', async () => {
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
    const answer = await fetch(`${server.url}/readyz`);
    expect([answer.status, await answer.json()]).toEqual([200, { ready: true, problems: [] }]);
  });

  it('says what is the matter when it is not ready, also when the check itself fails', async () => {
    ready = async () => [{ part: 'redis', message: 'not connected' }];
    const answer = await fetch(`${server.url}/readyz`);
    expect([answer.status, await answer.json()]).toEqual([
      503,
      { ready: false, problems: [{ part: 'redis', message: 'not connected' }] },
    ]);
    ready = async () => {
      throw new Error('broken');
    };
    expect((await fetch(`${server.url}/readyz`)).status).toBe(503);
  });

  it('gives metrics as Prometheus reads them', async () => {
    const answer = await fetch(`${server.url}/metrics`);
    expect(answer.headers.get('content-type')).toContain('text/plain; version=0.0.4');
    expect(await answer.text()).toContain('process_cpu_seconds_total{service="test"}');
  });

  it('serves nothing else', async () => {
    expect((await fetch(`${server.url}/etc/passwd`)).status).toBe(404);
    expect((await fetch(`${server.url}/healthz`, { method: 'POST' })).status).toBe(405);
  });

  it('says which address is taken', async () => {
    const port = Number(new URL(server.url).port);
    await expect(startOpsServer({ host: '127.0.0.1', port, ready, metrics: createMetrics('x') })).rejects.toThrow(
      `cannot listen on 127.0.0.1:${port}`,
    );
  });
});
