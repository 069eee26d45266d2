import { goJson } from './go-format.ts';
import { isObject } from './json.ts';

/** The kinds of field errors of the Kubernetes API (metav1.CauseType), as they appear in `status.details.causes[].reason`. */
type FieldErrorType =
  | 'FieldValueInvalid'
  | 'FieldValueRequired'
  | 'FieldValueNotSupported'
  | 'FieldValueTooLong'
  | 'FieldValueTooMany'
  | 'FieldValueDuplicate'
  | 'FieldValueForbidden'
  | 'FieldValueTypeInvalid'
  | 'InternalError';

/** One finding about one field, in kube-apiserver's words: `message` is what follows `<field>: ` in the text of a Status. */
export interface FieldError {
  type: FieldErrorType;
  /** Path such as `spec.pools[0].name`, or `<nil>` for the object as a whole. */
  field: string;
  message: string;
}

/** The path of the whole object, as Go's field.Path prints it. */
export const NO_FIELD = '<nil>';

/** Go's `%q`-like rendering of a value inside a field error. */
function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (value === null || value === undefined) return 'null';
  if (isObject(value) || Array.isArray(value)) return goJson(value);
  return String(value);
}

const named = (field: string): string => (field === '' ? NO_FIELD : field);

export const fieldError = {
  invalid: (field: string, value: unknown, detail: string): FieldError => ({
    type: 'FieldValueInvalid',
    field: named(field),
    message: `Invalid value: ${show(value)}: ${detail}`,
  }),
  /** For objects and lists, whose values kube-apiserver leaves out. */
  invalidWithoutValue: (field: string, detail: string): FieldError => ({
    type: 'FieldValueInvalid',
    field: named(field),
    message: `Invalid value: ${detail}`,
  }),
  typeInvalid: (field: string, value: unknown, detail: string): FieldError => ({
    type: 'FieldValueTypeInvalid',
    field: named(field),
    message: `Invalid value: ${show(value)}: ${detail}`,
  }),
  required: (field: string, detail = ''): FieldError => ({
    type: 'FieldValueRequired',
    field: named(field),
    message: detail === '' ? 'Required value' : `Required value: ${detail}`,
  }),
  notSupported: (field: string, value: unknown, allowed: unknown[]): FieldError => ({
    type: 'FieldValueNotSupported',
    field: named(field),
    message: `Unsupported value: ${show(value)}: supported values: ${allowed
      .map((v) => JSON.stringify(typeof v === 'string' ? v : JSON.stringify(v)))
      .join(', ')}`,
  }),
  tooLong: (field: string, max: number): FieldError => ({
    type: 'FieldValueTooLong',
    field: named(field),
    message: `Too long: may not be more than ${max} ${max === 1 ? 'byte' : 'bytes'}`,
  }),
  tooMany: (field: string, actual: number, max: number): FieldError => ({
    type: 'FieldValueTooMany',
    field: named(field),
    message: `Too many: ${actual}: must have at most ${max} ${max === 1 ? 'item' : 'items'}`,
  }),
  duplicate: (field: string, value: unknown): FieldError => ({
    type: 'FieldValueDuplicate',
    field: named(field),
    message: `Duplicate value: ${show(value)}`,
  }),
  forbidden: (field: string, detail: string): FieldError => ({
    type: 'FieldValueForbidden',
    field: named(field),
    message: `Forbidden: ${detail}`,
  }),
};
