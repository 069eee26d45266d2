/** Codes of the distribution specification, and the words and statuses that registries give with them. */
const CODES = {
  BLOB_UNKNOWN: [404, 'blob unknown to registry'],
  BLOB_UPLOAD_INVALID: [404, 'blob upload invalid'],
  BLOB_UPLOAD_UNKNOWN: [404, 'blob upload unknown to registry'],
  DIGEST_INVALID: [400, 'provided digest did not match uploaded content'],
  MANIFEST_BLOB_UNKNOWN: [400, 'blob unknown to registry'],
  MANIFEST_INVALID: [400, 'manifest invalid'],
  MANIFEST_UNKNOWN: [404, 'manifest unknown'],
  NAME_UNKNOWN: [404, 'repository name not known to registry'],
  PAGINATION_NUMBER_INVALID: [400, 'invalid number of results requested'],
  RANGE_INVALID: [416, 'invalid content range'],
  SIZE_INVALID: [400, 'provided length did not match content length'],
  TOOMANYREQUESTS: [429, 'too many requests'],
  UNAUTHORIZED: [401, 'authentication required'],
  UNAVAILABLE: [503, 'service unavailable'],
  UNKNOWN: [500, 'unknown error'],
} as const satisfies Record<string, readonly [number, string]>;

/** Name of a kind of refusal. */
export type Code = keyof typeof CODES;

/** A refusal, as it goes over the wire. */
export class RegistryError extends Error {
  readonly code: Code;
  readonly status: number;
  readonly detail: unknown;
  readonly headers: Record<string, string>;

  /** @param detail - left out of the answer where undefined */
  constructor(code: Code, detail?: unknown, o: { message?: string; headers?: Record<string, string> } = {}) {
    super(o.message ?? CODES[code][1]);
    this.name = 'RegistryError';
    this.code = code;
    this.status = CODES[code][0];
    this.detail = detail;
    this.headers = o.headers ?? {};
  }

  body(): object {
    const { code, message, detail } = this;
    return { errors: [{ code, message, ...(detail === undefined ? {} : { detail }) }] };
  }
}
