import type { FieldError, Json } from './types.ts';

/** Names a resource in an error: `group` '' is core. */
export interface ResourceName {
  group: string;
  plural: string;
}

interface Cause {
  reason?: string;
  message: string;
  field?: string;
}

/** An answer other than success, as `kind: Status`. Messages are worded as kube-apiserver words them, because clients match on them. */
export class StatusError extends Error {
  readonly code: number;
  readonly reason: string;
  readonly details: Json;
  /** `metadata` of the Status, for a continue token. */
  readonly metadata: Json;

  constructor(code: number, reason: string, message: string, details: Json = {}, metadata: Json = {}) {
    super(message);
    this.name = 'StatusError';
    this.code = code;
    this.reason = reason;
    this.details = details;
    this.metadata = metadata;
  }

  /** The body of the answer. */
  body(): Json {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: this.metadata,
      status: 'Failure',
      message: this.message,
      ...(this.reason === '' ? {} : { reason: this.reason }),
      details: this.details,
      code: this.code,
    };
  }
}

const qualified = (r: ResourceName): string => (r.group === '' ? r.plural : `${r.plural}.${r.group}`);
const detailsOf = (r: ResourceName, name: string, causes?: Cause[]): Json => ({
  ...(name === '' ? {} : { name }),
  ...(r.group === '' ? {} : { group: r.group }),
  kind: r.plural,
  ...(causes === undefined ? {} : { causes }),
});

export const notFound = (r: ResourceName, name: string): StatusError =>
  new StatusError(404, 'NotFound', `${qualified(r)} "${name}" not found`, detailsOf(r, name));

export const alreadyExists = (r: ResourceName, name: string, because = 'already exists'): StatusError =>
  new StatusError(409, 'AlreadyExists', `${qualified(r)} "${name}" ${because}`, detailsOf(r, name));

/** 409. `why` defaults to the optimistic-lock message. */
export const conflict = (
  r: ResourceName,
  name: string,
  why = 'the object has been modified; please apply your changes to the latest version and try again',
  causes?: Cause[],
): StatusError =>
  new StatusError(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${qualified(r)} "${name}": ${why}`,
    detailsOf(r, name, causes),
  );

/** 422 of an object of `kind`, with one cause a field. */
export function invalid(group: string, kind: string, name: string, errors: FieldError[]): StatusError {
  const all = errors.map((e) => `${e.field}: ${e.message}`);
  const text = all.length === 1 ? all[0] : `[${all.join(', ')}]`;
  const causes = errors.map((e) => ({ reason: e.type, message: e.message, field: e.field }));
  return new StatusError(422, 'Invalid', `${group === '' ? kind : `${kind}.${group}`} "${name}" is invalid: ${text}`, {
    ...(name === '' ? {} : { name }),
    ...(group === '' ? {} : { group }),
    kind,
    causes,
  });
}

/** 403 about a resource. `why` completes "is forbidden: ". */
export const forbidden = (r: ResourceName, name: string, why: string): StatusError =>
  new StatusError(
    403,
    'Forbidden',
    `${qualified(r)}${name === '' ? '' : ` "${name}"`} is forbidden: ${why}`,
    detailsOf(r, name),
  );

export const forbiddenPath = (user: string, verb: string, path: string): StatusError =>
  new StatusError(403, 'Forbidden', `forbidden: User "${user}" cannot ${verb} path "${path}"`);

export const unauthorized = (): StatusError => new StatusError(401, 'Unauthorized', 'Unauthorized');

export const badRequest = (message: string): StatusError => new StatusError(400, 'BadRequest', message);

export const methodNotAllowed = (): StatusError =>
  new StatusError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource');

export const unsupportedMediaType = (accepted: string[]): StatusError =>
  new StatusError(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  );

export const notAcceptable = (accepted: string[]): StatusError =>
  new StatusError(406, 'NotAcceptable', `only the following media types are accepted: ${accepted.join(', ')}`);

/** 410: the version asked for is not kept any more; list again. */
export const expired = (message: string, metadata: Json = {}): StatusError =>
  new StatusError(410, 'Expired', message, {}, metadata);

export const tooLarge = (): StatusError =>
  new StatusError(413, 'RequestEntityTooLarge', 'Request entity too large: limit is 3145728');

export const tooManyRequests = (message: string, causes: Cause[], retryAfterSeconds?: number): StatusError =>
  new StatusError(429, 'TooManyRequests', message, {
    ...(causes.length === 0 ? {} : { causes }),
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  });

/** 504: the caller knows a newer version than this server has. */
export const resourceVersionTooLarge = (asked: number, current: number): StatusError =>
  new StatusError(504, 'Timeout', `Timeout: Too large resource version: ${asked}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  });

export const internalError = (message: string): StatusError =>
  new StatusError(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] });

export const notImplemented = (message: string): StatusError => new StatusError(501, 'NotImplemented', message);
