import { ConfigError } from '../config.ts';
import type { Answer, Call } from '../core/message.ts';

/** An answer in JSON. */
export const ok = (json: unknown, status = 200): Answer => ({ status, json });

/** The request's body. @throws {ConfigError} when it is not JSON */
export function body(call: Call): unknown {
  try {
    return JSON.parse(call.bytes.toString('utf8') || '{}');
  } catch {
    throw new ConfigError('the request body', ['(root): is not JSON']);
  }
}
