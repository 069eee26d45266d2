import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  constants,
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerResponse,
  type SecureServerOptions,
  type ServerHttp2Session,
} from 'node:http2';

/** A server of {@link createKubernetesServer}. */
export interface KubernetesServer {
  /** Listens, or is given connections by `emit('connection', socket)`. */
  server: Http2SecureServer;
  /** Cuts all connections. */
  cut(): void;
}

/**
 * HTTPS as kube-apiserver serves it: HTTP/2, and HTTP/1.1 for who does not speak it, and for what is upgraded to another protocol (Node's `upgrade` event).
 *
 * @param handle - is given requests of either, by Node's own compatible objects
 */
export function createKubernetesServer(
  tls: Pick<SecureServerOptions, 'cert' | 'key' | 'ca' | 'requestCert' | 'rejectUnauthorized'>,
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): KubernetesServer {
  const sessions = new Set<ServerHttp2Session>();
  const server = createSecureServer(
    // As many requests on one connection as kube-apiserver allows: --http2-max-streams-per-connection of its recommended options.
    { ...tls, allowHTTP1: true, minVersion: 'TLSv1.2', settings: { maxConcurrentStreams: 100 } },
    handle as unknown as Parameters<typeof createSecureServer>[1],
  );
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => {});
    session.on('close', () => sessions.delete(session));
  });
  return {
    server,
    cut() {
      for (const session of sessions) session.destroy();
      (server as unknown as { closeAllConnections?: () => void }).closeAllConnections?.();
    },
  };
}

/** Ends a request without an answer, and with it, on HTTP/1.1, its connection; on HTTP/2 others on that go on. */
export function cutOff(request: IncomingMessage, response: ServerResponse): void {
  const { stream } = response as unknown as Partial<Http2ServerResponse>;
  if (stream) stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  else request.socket.destroy();
}
