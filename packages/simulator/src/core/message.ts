import type { IncomingHttpHeaders } from 'node:http';
import type { FaultAction } from './faults.ts';

/** A request on its way. */
export interface Call {
  method: string;
  /** Path below the service's prefix, decoded. */
  path: string;
  /** Path from the root. */
  fullPath: string;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  params: Record<string, string>;
  template: string;
  operation: string;
  bytes: Buffer;
  requestId: string;
  /** Scheme, host and port as the client addressed us. */
  base: string;
  /** The server this call creates is to end so (fault rules). */
  doom?: Extract<FaultAction, { type: 'serverError' | 'node' }>;
}

/** A response: `json` is serialised, `text` goes out as it is (JSON unless a content type is given). */
export interface Answer {
  status: number;
  headers?: Record<string, string>;
  json?: unknown;
  text?: string;
  bytes?: Buffer;
  contentType?: string;
}

/** A refusal; how it looks on the wire is the service's affair. */
export class ApiError extends Error {
  readonly status: number;
  /** The service's own name for the kind of error (`PortNotFound`), where it has one. */
  readonly type: string;
  readonly headers: Record<string, string>;
  constructor(status: number, message: string, type = '', headers: Record<string, string> = {}) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.type = type;
    this.headers = headers;
  }
}

/** A JSON object from the wire. */
export type Json = Record<string, unknown>;

/** Whether a value is a JSON object (no array, no null). */
export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The body as a JSON object; `message` is the complaint about anything else. */
export function jsonBody(
  call: Call,
  message = 'The server could not comply with the request since it is either malformed or otherwise incorrect.',
): Json {
  try {
    const value: unknown = JSON.parse(call.bytes.toString('utf8'));
    if (isObject(value)) return value;
  } catch {
    // Said below, in the service's own words.
  }
  throw new ApiError(400, message);
}
