import { readFileSync } from 'node:fs';
import { Agent, request } from 'undici';
import type { z } from 'zod';

/** PEM files of mutual TLS between the services. */
export interface InternalFiles {
  caFile: string;
  certFile: string;
  keyFile: string;
}

/** Connections to another service's internal API. */
export const internalAgent = (o: InternalFiles): Agent =>
  new Agent({
    connect: {
      ca: readFileSync(o.caFile, 'utf8'),
      cert: readFileSync(o.certFile, 'utf8'),
      key: readFileSync(o.keyFile, 'utf8'),
      timeout: 5000,
    },
    headersTimeout: 10_000,
    bodyTimeout: 10_000,
  });

/**
 * One question to an internal API.
 *
 * @throws where the answer is no 200, or not of the schema, or does not come in time
 */
export async function postJson<T extends z.ZodType>(
  agent: Agent,
  url: URL,
  body: object,
  schema: T,
  timeoutMs: number,
): Promise<z.output<T>> {
  const answer = await request(url, {
    method: 'POST',
    dispatcher: agent,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(timeoutMs),
  });
  const text = await answer.body.text();
  if (answer.statusCode !== 200) throw new Error(`POST ${url.pathname} was answered with ${answer.statusCode}`);
  return schema.parse(JSON.parse(text));
}
