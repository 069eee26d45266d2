import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { answerJson, answerProblem, HttpProblem } from './http.ts';
import type { Logger } from './logger.ts';

/** A server that only other services of the installation may ask. */
export interface InternalServer {
  /** `https://host:port` as bound. */
  url: string;
  close(): Promise<void>;
}

/** What an internal server is made of. */
export interface InternalServerOptions {
  host: string;
  port: number;
  /** PEM of this service's certificate and key. */
  own: { certificate: string; key: string };
  /** PEM of the internal CA: callers' certificates must come from it. */
  ca: string;
  /** Name of the service, for messages. */
  service: string;
  /** Environment variable that its address comes from, for the message when it cannot be bound. */
  variable: string;
  /** Answers a request with what is sent as JSON. @param caller - the service that asks. @throws {HttpProblem} */
  route: (req: IncomingMessage, caller: string | undefined) => Promise<unknown>;
  /** What an error of the service's own means to the asker; where undefined, it is logged and the answer is 503. */
  problemOf?: (e: unknown) => HttpProblem | undefined;
  log: Logger;
}

/**
 * Serves other services over mutual TLS 1.3: the caller's certificate must come from the internal CA, and its common name says which service it is.
 *
 * @throws {Error} when the address cannot be bound
 */
export async function serveInternal(o: InternalServerOptions): Promise<InternalServer> {
  const problemOf = (e: unknown, path: string | undefined): HttpProblem => {
    const known = e instanceof HttpProblem ? e : o.problemOf?.(e);
    if (known) return known;
    o.log.error({ err: e, path }, 'internal request failed');
    return new HttpProblem(503, 'Unavailable', `the reason is in the log of the ${o.service}`, {
      retryAfterSeconds: 2,
    });
  };
  const server = createServer(
    {
      cert: o.own.certificate,
      key: o.own.key,
      ca: o.ca,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.3',
    },
    (req: IncomingMessage, res: ServerResponse) => {
      const { CN } = (req.socket as TLSSocket).getPeerCertificate().subject ?? {};
      o.route(req, typeof CN === 'string' ? CN : undefined).then(
        (body) => answerJson(res, 200, body),
        (e: unknown) => answerProblem(res, problemOf(e, req.url)),
      );
    },
  );
  server.headersTimeout = 10_000;
  server.requestTimeout = 20_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (e: Error) =>
      reject(
        new Error(`cannot listen on ${o.host}:${o.port} for other services: ${e.message}; set ${o.variable}`, {
          cause: e,
        }),
      ),
    );
    server.listen(o.port, o.host, resolve);
  });
  const bound = server.address() as AddressInfo;
  return {
    url: `https://${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const late = setTimeout(() => server.closeAllConnections(), 2_000);
      await closed;
      clearTimeout(late);
    },
  };
}
