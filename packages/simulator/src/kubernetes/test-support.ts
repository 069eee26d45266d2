import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ApiServer, type ApiServerOptions, createApiServer } from './index.ts';

/** An answer: code, headers, and the body parsed as JSON (tests know its shape). */
export interface Answer {
  status: number;
  headers: Headers;
  body: { [field: string]: unknown; metadata: Record<string, unknown>; message: string };
}

/** A server on a free port of 127.0.0.1 with the tokens `admin` (system:masters) and `dev` (no rights). */
export async function serve(options: Partial<ApiServerOptions> = {}) {
  const api: ApiServer = createApiServer({
    authn: {
      staticTokens: [
        { token: 'admin', user: 'admin', groups: ['system:masters'] },
        { token: 'dev', user: 'dev' },
      ],
    },
    ...options,
  });
  const server = createServer((request, response) => void api.handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const call = async (
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> => {
    const answer = await fetch(`${base}${path}`, {
      method,
      headers: { authorization: 'Bearer admin', 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    return {
      status: answer.status,
      headers: answer.headers,
      body: (text.startsWith('{') ? JSON.parse(text) : { message: text, metadata: {} }) as Answer['body'],
    };
  };
  const close = async (): Promise<void> => {
    api.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { api, base, call, close };
}

/** Looks every few milliseconds until something holds; fails after 5 s. */
export async function eventually<T>(look: () => Promise<T | undefined | false> | T | undefined | false): Promise<T> {
  const end = Date.now() + 5000;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error('it did not come true within 5 s');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
