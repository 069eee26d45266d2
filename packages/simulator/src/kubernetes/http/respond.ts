import type { ServerResponse } from 'node:http';
import { stringify } from 'yaml';
import { StatusError } from '../status.ts';

/** Sends a JSON (or YAML) document. */
export function send(response: ServerResponse, code: number, body: unknown, yaml = false, contentType = ''): void {
  const text = yaml ? stringify(body, { aliasDuplicateObjects: false }) : `${JSON.stringify(body)}\n`;
  sendText(response, code, text, contentType || (yaml ? 'application/yaml' : 'application/json'));
}

/** Sends text. */
export function sendText(
  response: ServerResponse,
  code: number,
  text: string,
  contentType = 'text/plain; charset=utf-8',
): void {
  if (response.headersSent || response.destroyed) return;
  response.statusCode = code;
  response.setHeader('content-type', contentType);
  response.setHeader('cache-control', 'no-cache, private');
  response.setHeader('content-length', Buffer.byteLength(text));
  response.end(text);
}

/** Sends any error as a Status; what is not a StatusError is a fault of this server, 500. */
export function sendError(response: ServerResponse, error: unknown): void {
  const status =
    error instanceof StatusError
      ? error
      : new StatusError(
          500,
          'InternalError',
          `Internal error occurred: ${error instanceof Error ? error.message : String(error)}`,
        );
  const { retryAfterSeconds } = status.details;
  if (typeof retryAfterSeconds === 'number') response.setHeader('retry-after', String(retryAfterSeconds));
  else if (status.code === 429) response.setHeader('retry-after', '1');
  if (status.code === 401) response.setHeader('www-authenticate', 'Bearer');
  send(response, status.code, status.body());
}

/** Adds a Warning header, as kube-apiserver words it. */
export function warnHeader(response: ServerResponse, text: string): void {
  if (response.headersSent) return;
  const quoted = text
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll(/[\r\n]+/g, ' ');
  response.appendHeader('warning', `299 - "${quoted}"`);
}
