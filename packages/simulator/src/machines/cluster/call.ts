import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { Writable } from 'node:stream';
import type { ApiServer } from '../../kubernetes/index.ts';

/** What an API server answered in-process. */
interface CallAnswer {
  status: number;
  body: Record<string, unknown>;
}

/**
 * One request to an API server without a socket, as a machine inside the tenant's network makes it: authenticated by its token and
 * authorised like any other.
 */
export async function callWithToken(
  server: ApiServer,
  o: { method: string; path: string; token: string; body?: unknown },
): Promise<CallAnswer> {
  const request = new IncomingMessage(new Socket());
  request.method = o.method;
  request.url = o.path;
  request.headers = {
    authorization: `Bearer ${o.token}`,
    accept: 'application/json',
    'content-type': 'application/json',
    'user-agent': 'kubeadm',
  };
  if (o.body !== undefined) request.push(JSON.stringify(o.body));
  request.push(null);
  const response = new ServerResponse(request);
  const parts: Buffer[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      parts.push(chunk);
      done();
    },
  });
  // A ServerResponse writes to whatever stands in for its socket.
  response.assignSocket(sink as unknown as Socket);
  const finished = new Promise<void>((resolve) => response.once('finish', resolve));
  await server.handle(request, response);
  await finished;
  const raw = Buffer.concat(parts).toString();
  const text = raw.slice(raw.indexOf('\r\n\r\n') + 4);
  return { status: response.statusCode, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
}
