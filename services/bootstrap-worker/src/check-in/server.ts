import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { KubeError } from '@shoto/kube';
import { type KeyedCertificate, publicKeyHash } from '@shoto/pki';
import type { Logger } from '@shoto/service';
import { answerJson, answerProblem, HttpProblem, readJson } from '@shoto/service';
import type { z } from 'zod';
import type { Metrics } from '../metrics.ts';
import type { CheckIns } from './check-ins.ts';
import { CheckInRequest, Refusal, StepReport } from './protocol.ts';
import type { RateLimit } from './rate-limit.ts';
import type { Wakeups } from './wakeups.ts';

const MAX_BODY = 64 * 1024;
/** Machines that wait at once; each holds one connection. */
const MAX_CONNECTIONS = 20_000;

/** The server that machines talk to. */
export interface CheckInServer {
  /** `https://host:port` as bound. */
  url: string;
  /** Shows another certificate from the next handshake on. */
  setCertificate(c: KeyedCertificate): void;
  /** Takes no more, ends what waits, closes. */
  close(): Promise<void>;
}

/** What is wrong with a body, field by field. */
function invalid(e: z.ZodError): HttpProblem {
  const what = e.issues.map((i) => `${i.path.join('.') || 'body'}: ${i.message}`).join('; ');
  return new HttpProblem(400, 'InvalidRequest', what.slice(0, 500));
}

function parsed<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (!result.success) throw invalid(result.error);
  return result.data;
}

/** SHA-256 of the public key whose private half the TLS handshake proved the caller to hold. */
function keyHashOf(req: IncomingMessage): string {
  const certificate = (req.socket as TLSSocket).getPeerX509Certificate?.();
  if (!certificate)
    throw new Refusal(
      'CertificateMissing',
      'a client certificate is needed: any, made by the machine itself for its own key',
    );
  return publicKeyHash(certificate.raw);
}

/**
 * Serves the check-in protocol over TLS. Every caller shows a client certificate; nobody vouches for it: it only carries the key that
 * the ticket is, or gets, bound to.
 *
 * @param port - 0 lets the system choose
 * @throws when the address cannot be bound
 */
export async function startCheckInServer(o: {
  host: string;
  port: number;
  certificate: KeyedCertificate;
  checkIns: Pick<CheckIns, 'checkIn' | 'step'>;
  rateLimit: RateLimit;
  wakeups: Wakeups;
  metrics: Metrics;
  log: Logger;
}): Promise<CheckInServer> {
  let closing = false;

  const route = async (req: IncomingMessage, signal: AbortSignal): Promise<{ status: number; body?: unknown }> => {
    const path = (req.url ?? '').split('?')[0];
    if (path !== '/v1/check-in' && path !== '/v1/steps')
      throw new HttpProblem(404, 'NotFound', 'try POST /v1/check-in or /v1/steps');
    if (req.method !== 'POST') throw new HttpProblem(405, 'MethodNotAllowed', 'only POST');
    if (closing) throw new HttpProblem(503, 'Stopping', 'this server is stopping', { retryAfterSeconds: 1 });
    const waitSeconds = o.rateLimit.take(req.socket.remoteAddress ?? '');
    if (waitSeconds > 0)
      throw new HttpProblem(429, 'TooManyRequests', 'too many requests from this address', {
        retryAfterSeconds: waitSeconds,
      });
    const keyHash = keyHashOf(req);
    const body = await readJson(req, MAX_BODY);
    if (path === '/v1/steps') {
      await o.checkIns.step(parsed(StepReport, body), keyHash);
      return { status: 204 };
    }
    const answer = await o.checkIns.checkIn(parsed(CheckInRequest, body), keyHash, signal);
    o.metrics.checkIns.inc({ result: answer.action });
    return { status: 200, body: answer };
  };

  const onError = (e: unknown, req: IncomingMessage): HttpProblem => {
    if (e instanceof HttpProblem) return e;
    const source = req.socket.remoteAddress;
    if (e instanceof Refusal) {
      o.metrics.refusals.inc({ reason: e.reason });
      o.metrics.checkIns.inc({ result: 'refused' });
      o.log.warn({ reason: e.reason, machine: e.machine, source, detail: e.message }, 'machine refused');
      return new HttpProblem(403, e.reason, e.message);
    }
    o.metrics.checkIns.inc({ result: 'error' });
    o.log.error({ err: e, source }, 'check-in failed');
    return e instanceof KubeError
      ? new HttpProblem(503, 'ManagementAPIUnavailable', 'the management API does not answer', { retryAfterSeconds: 2 })
      : new HttpProblem(500, 'InternalError', 'the reason is in the log of the bootstrap-worker', {
          retryAfterSeconds: 5,
        });
  };

  const server: Server = createServer(
    {
      cert: o.certificate.certificate,
      key: o.certificate.key,
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
    },
    (req: IncomingMessage, res: ServerResponse) => {
      const gone = new AbortController();
      res.on('close', () => gone.abort());
      route(req, gone.signal).then(
        (a) => answerJson(res, a.status, a.body),
        (e: unknown) => answerProblem(res, onError(e, req)),
      );
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.headersTimeout = 10_000;
  server.requestTimeout = 20_000;
  server.keepAliveTimeout = 30_000;
  server.on('tlsClientError', (err: Error) => o.log.debug({ err: err.message }, 'TLS handshake failed'));
  await new Promise<void>((resolve, reject) => {
    server.once('error', (e: Error) =>
      reject(
        new Error(`cannot listen on ${o.host}:${o.port} for check-ins: ${e.message}; set SHOTO_CHECKIN_ADDRESS`, {
          cause: e,
        }),
      ),
    );
    server.listen(o.port, o.host, resolve);
  });
  const bound = server.address() as AddressInfo;
  return {
    url: `https://${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`,
    setCertificate: (c) => server.setSecureContext({ cert: c.certificate, key: c.key, minVersion: 'TLSv1.2' }),
    close: async () => {
      closing = true;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      o.wakeups.wakeAll();
      server.closeIdleConnections();
      const late = setTimeout(() => server.closeAllConnections(), 2_000);
      await closed;
      clearTimeout(late);
    },
  };
}
