import { type FieldError, fieldError } from './field-error.ts';
import { formatCheck } from './formats.ts';
import { goRegExp } from './go-regexp.ts';
import { deepEqual, isObject } from './json.ts';
import type { SchemaNode } from './node.ts';

/** A check of one value against one keyword of its schema; it pushes what it finds. */
export type Check = (value: unknown, path: string, errors: FieldError[]) => void;

const compiled = new WeakMap<SchemaNode, readonly Check[]>();

/** The checks of a node's own value (not of its children), compiled once. */
export function checksOf(node: SchemaNode): readonly Check[] {
  let checks = compiled.get(node);
  if (checks === undefined) {
    checks = [...stringChecks(node), ...numberChecks(node), ...sizeChecks(node), ...enumChecks(node)];
    compiled.set(node, checks);
  }
  return checks;
}

/** How kube-openapi names what it speaks of; the root has an empty name. */
export const subject = (path: string): string => `${path} in body`;

function characters(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

function stringChecks({ raw, format }: SchemaNode): Check[] {
  const checks: Check[] = [];
  const onString = (check: (value: string, path: string, errors: FieldError[]) => void): void => {
    checks.push((value, path, errors) => {
      if (typeof value === 'string') check(value, path, errors);
    });
  };
  const { maxLength, minLength, pattern } = raw;
  if (typeof maxLength === 'number') {
    onString((value, path, errors) => {
      if (value.length > maxLength && characters(value) > maxLength) errors.push(fieldError.tooLong(path, maxLength));
    });
  }
  if (typeof minLength === 'number') {
    onString((value, path, errors) => {
      if (characters(value) < minLength) {
        errors.push(fieldError.invalid(path, value, `${subject(path)} should be at least ${minLength} chars long`));
      }
    });
  }
  if (typeof pattern === 'string') {
    const expression = goRegExp(pattern);
    onString((value, path, errors) => {
      if (!expression.test(value)) {
        errors.push(fieldError.invalid(path, value, `${subject(path)} should match '${pattern}'`));
      }
    });
  }
  const check = format === '' ? undefined : formatCheck(format);
  if (check !== undefined) {
    onString((value, path, errors) => {
      if (check(value)) return;
      const detail = `${subject(path)} must be of type ${format}: ${JSON.stringify(value)}`;
      errors.push(fieldError.typeInvalid(path, value, detail));
    });
  }
  return checks;
}

function numberChecks({ raw }: SchemaNode): Check[] {
  const checks: Check[] = [];
  const onNumber = (fails: (value: number) => boolean, words: string): void => {
    checks.push((value, path, errors) => {
      if (typeof value === 'number' && fails(value)) {
        errors.push(fieldError.invalid(path, value, `${subject(path)} ${words}`));
      }
    });
  };
  const { minimum, maximum, multipleOf } = raw;
  if (typeof maximum === 'number') {
    const open = raw.exclusiveMaximum === true;
    const words = open ? `should be less than ${maximum}` : `should be less than or equal to ${maximum}`;
    onNumber((value) => (open ? value >= maximum : value > maximum), words);
  }
  if (typeof minimum === 'number') {
    const open = raw.exclusiveMinimum === true;
    const words = open ? `should be greater than ${minimum}` : `should be greater than or equal to ${minimum}`;
    onNumber((value) => (open ? value <= minimum : value < minimum), words);
  }
  if (typeof multipleOf === 'number' && multipleOf > 0) {
    onNumber((value) => !Number.isInteger(value / multipleOf), `should be a multiple of ${multipleOf}`);
    // kube-openapi cuts the factor down to an integer when the value is one.
    if (multipleOf < 1) {
      checks.push((value, path, errors) => {
        if (!Number.isInteger(value)) return;
        errors.push(fieldError.invalid(path, 0, `factor MultipleOf declared for ${path} must be positive: 0`));
      });
    }
  }
  return checks;
}

function sizeChecks({ raw }: SchemaNode): Check[] {
  const checks: Check[] = [];
  const { maxItems, minItems, maxProperties, minProperties } = raw;
  if (typeof maxItems === 'number') {
    checks.push((value, path, errors) => {
      if (Array.isArray(value) && value.length > maxItems) {
        errors.push(fieldError.tooMany(path, value.length, maxItems));
      }
    });
  }
  if (typeof minItems === 'number') {
    checks.push((value, path, errors) => {
      if (!Array.isArray(value) || value.length >= minItems) return;
      const detail = `${subject(path)} should have at least ${minItems} items`;
      errors.push(fieldError.invalid(path, value.length, detail));
    });
  }
  if (typeof maxProperties === 'number') {
    checks.push((value, path, errors) => {
      if (!isObject(value)) return;
      const count = Object.keys(value).length;
      if (count > maxProperties) errors.push(fieldError.tooMany(path, count, maxProperties));
    });
  }
  if (typeof minProperties === 'number') {
    checks.push((value, path, errors) => {
      if (!isObject(value) || Object.keys(value).length >= minProperties) return;
      const detail = `${subject(path)} should have at least ${minProperties} properties`;
      errors.push(fieldError.invalid(path, Object.keys(value).length, detail));
    });
  }
  return checks;
}

function enumChecks({ raw }: SchemaNode): Check[] {
  const allowed = raw.enum;
  if (!Array.isArray(allowed)) return [];
  return [
    (value, path, errors) => {
      if (value === null || value === undefined) return;
      if (!allowed.some((candidate) => deepEqual(candidate, value))) {
        errors.push(fieldError.notSupported(path, value, allowed));
      }
    },
  ];
}
