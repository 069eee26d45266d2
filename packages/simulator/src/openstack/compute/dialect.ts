import { type Answer, ApiError, type Call } from '../../core/message.ts';
import { header } from '../cloud.ts';

const names: Record<number, string> = {
  400: 'badRequest',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'itemNotFound',
  405: 'badMethod',
  409: 'conflictingRequest',
  413: 'overLimit',
  415: 'badMediaType',
  429: 'overLimit',
  501: 'notImplemented',
  503: 'serviceUnavailable',
};

/** An error as Nova and Cinder write it. */
export function faultAnswer(error: ApiError): Answer {
  return {
    status: error.status,
    json: { [names[error.status] ?? 'computeFault']: { code: error.status, message: error.message } },
  };
}

/** The newest microversion spoken: 2.93 (Zed). */
export const maxMinor = 93;

/** The minor of the microversion that a call asks for; throws 400 or 406 as Nova does. */
export function microversion(call: Call): number {
  const modern = header(call, 'openstack-api-version')
    ?.split(',')
    .map((part) => part.trim().split(/\s+/))
    .find(([type]) => type?.toLowerCase() === 'compute')?.[1];
  const text = modern ?? header(call, 'x-openstack-nova-api-version');
  if (text === undefined) return 1;
  if (text === 'latest') return maxMinor;
  const parts = /^([1-9]\d*)\.([1-9]\d*|0)$/.exec(text);
  if (!parts)
    throw new ApiError(400, `API Version String ${text} is of invalid format. Must be of format MajorNum.MinorNum.`);
  if (parts[1] !== '2' || Number(parts[2]) < 1 || Number(parts[2]) > maxMinor) {
    throw new ApiError(
      406,
      `Version ${text} is not supported by the API. Minimum is 2.1 and maximum is 2.${maxMinor}.`,
    );
  }
  return Number(parts[2]);
}

/** 403 as oslo.policy words it. */
export function policy(rule: string): ApiError {
  return new ApiError(403, `Policy doesn't allow ${rule} to be performed.`);
}

/** A complaint of Nova's schema check. */
export function schemaError(field: string, value: unknown, complaint: string): ApiError {
  return new ApiError(400, `Invalid input for field/attribute ${field}. Value: ${show(value)}. ${complaint}`);
}

/** A value as Python prints it in such a complaint. */
export function show(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return python(value);
}

function python(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'string') return `'${value}'`;
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (Array.isArray(value)) return `[${value.map(python).join(', ')}]`;
  if (typeof value === 'object')
    return `{${Object.entries(value)
      .map(([k, v]) => `'${k}': ${python(v)}`)
      .join(', ')}}`;
  return String(value);
}

/** 400 unless it is a name of 1 to 255 characters without space at its ends. */
export function checkName(value: unknown, field = 'name'): string {
  if (typeof value !== 'string') throw schemaError(field, value, `${show(value)} is not of type 'string'`);
  if (value.length < 1) throw schemaError(field, value, `'${value}' is too short`);
  if (value.length > 255) throw schemaError(field, value, `'${value}' is too long`);
  if (value.trim() === '')
    throw schemaError(
      field,
      value,
      `An invalid 'name' value was provided. The name must be: printable characters. Can not start or end with whitespace.`,
    );
  return value.trim();
}

/** 400 unless it is a map of strings as metadata must be. */
export function checkMetadata(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw schemaError('metadata', value, `${show(value)} is not of type 'object'`);
  for (const [key, text] of Object.entries(value)) {
    if (!/^[a-zA-Z0-9-_:. ]{1,255}$/.test(key))
      throw schemaError('metadata', value, `Additional properties are not allowed ('${key}' was unexpected)`);
    if (typeof text !== 'string') throw schemaError(key, text, `${show(text)} is not of type 'string'`);
    if (text.length > 255) throw schemaError(key, text, `'${text}' is too long`);
  }
  return value as Record<string, string>;
}
