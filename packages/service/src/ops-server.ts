import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';

/** Why a service is not ready: which part, and what is the matter in one line. */
export interface Problem {
  part: string;
  message: string;
}

/** The server of a service for those who operate it. */
export interface OpsServer {
  /** `http://host:port` as bound. */
  url: string;
  close(): Promise<void>;
}

async function problemsOf(ready: () => Promise<Problem[]>): Promise<Problem[]> {
  try {
    return await ready();
  } catch (e) {
    return [{ part: 'readiness', message: `its check failed: ${e instanceof Error ? e.message : String(e)}` }];
  }
}

/**
 * Serves `/healthz` (200 while the process runs its event loop), `/readyz` (200, or 503 with the problems as JSON)
 * and `/metrics` (Prometheus text format 0.0.4). Nothing else, no secrets, no authentication: bind it to a
 * private address.
 *
 * @param port - 0 lets the system choose
 * @param ready - problems that keep the service from working; [] when ready. Errors of it count as a problem
 * @throws when the address cannot be bound
 */
export async function startOpsServer(o: {
  host: string;
  port: number;
  ready: () => Promise<Problem[]>;
  metrics: Registry;
}): Promise<OpsServer> {
  const server = createServer((req, res) => {
    const answer = (status: number, type: string, body: string): void => {
      res
        .writeHead(status, { 'content-type': type, 'cache-control': 'no-store' })
        .end(req.method === 'HEAD' ? '' : body);
    };
    const path = (req.url ?? '').split('?')[0];
    if (req.method !== 'GET' && req.method !== 'HEAD') return answer(405, 'text/plain', 'only GET\n');
    if (path === '/healthz') return answer(200, 'text/plain', 'ok\n');
    if (path === '/readyz') {
      void problemsOf(o.ready).then((problems) =>
        answer(
          problems.length ? 503 : 200,
          'application/json',
          `${JSON.stringify({ ready: problems.length === 0, problems })}\n`,
        ),
      );
      return;
    }
    if (path === '/metrics') {
      o.metrics.metrics().then(
        (text) => answer(200, o.metrics.contentType, text),
        (e: unknown) =>
          answer(500, 'text/plain', `metrics cannot be gathered: ${e instanceof Error ? e.message : String(e)}\n`),
      );
      return;
    }
    answer(404, 'text/plain', 'try /healthz, /readyz or /metrics\n');
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (e: Error) =>
      reject(
        new Error(
          `cannot listen on ${o.host}:${o.port} for /healthz and /metrics: ${e.message}; set SHOTO_OPS_ADDRESS`,
          { cause: e },
        ),
      ),
    );
    server.listen(o.port, o.host, () => resolve());
  });
  const bound = server.address() as AddressInfo;
  const host = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;
  return {
    url: `http://${host}:${bound.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
