import type { IncomingMessage } from 'node:http';
import { parse } from 'yaml';
import { badRequest, tooLarge, unsupportedMediaType } from '../status.ts';
import { decodeProtobuf, protobufType } from './protobuf.ts';

const limit = 3 * 1024 * 1024;

/** Media type of a header, without parameters, in lower case. */
export const mediaType = (header: string | undefined): string =>
  (header ?? '').split(';')[0]?.trim().toLowerCase() ?? '';

/**
 * Reads a whole body.
 * @throws {StatusError} 413 above 3 MiB
 */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  let over = false;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    // What is too much is still read (and dropped), so that the client gets the answer and not a reset.
    if (size > limit) over = true;
    else chunks.push(chunk);
  }
  if (over) throw tooLarge();
  return Buffer.concat(chunks);
}

const yamlTypes = new Set(['application/yaml', 'application/apply-patch+yaml']);
const jsonTypes = new Set([
  '',
  'application/json',
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
]);

/**
 * Parses a body as its media type says; an empty one gives undefined.
 * @throws {StatusError} 400 when it is malformed, 415 for another media type
 */
export function decodeBody(bytes: Buffer, contentType: string): unknown {
  if (contentType === protobufType) return decodeProtobuf(bytes);
  const yaml = yamlTypes.has(contentType);
  if (!yaml && !jsonTypes.has(contentType))
    throw unsupportedMediaType(['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf']);
  const body = bytes.toString('utf8');
  if (body.trim() === '') return undefined;
  try {
    // Most of what comes as YAML is JSON, which parses a hundred times faster.
    if (!yaml || body.trimStart().startsWith('{')) return JSON.parse(body);
    return parse(body, { maxAliasCount: 100 });
  } catch (error) {
    throw badRequest(
      `error decoding the body as ${yaml ? 'YAML' : 'JSON'}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
