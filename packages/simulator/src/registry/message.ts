import type { IncomingHttpHeaders } from 'node:http';
import type { Operation } from './faults.ts';
import type { Contents } from './store/contents.ts';
import type { Repositories } from './store/repositories.ts';

/** A request that found its way. */
export interface Ask {
  operation: Operation;
  /** Repository; empty where the request is about none. */
  name: string;
  /** Tag, digest, or id of an upload. */
  reference: string;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  /** Scheme, host and port as the client addressed us. */
  base: string;
  /** Path and query as they came. */
  url: string;
  /** The body, as it arrives. */
  body: AsyncIterable<Buffer>;
}

/** An answer. */
export interface Reply {
  status: number;
  headers?: Record<string, string>;
  body?: Buffer | string;
}

/** What handlers work with. */
export interface Desk {
  contents: Contents;
  repositories: Repositories;
  /** Whether the referrers API is served; registries before version 1.1 of the specification do not. */
  referrers: boolean;
  /** Signs the state of uploads. */
  secret: string;
  newId(): string;
}

/** The whole body. */
export async function wholeBody(ask: Ask): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of ask.body) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** An answer in JSON, as Go's encoder ends it. */
export const json = (status: number, value: unknown, headers: Record<string, string> = {}): Reply => ({
  status,
  headers: { 'Content-Type': 'application/json', ...headers },
  body: `${JSON.stringify(value)}\n`,
});
