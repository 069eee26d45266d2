import { type FieldError, fieldError, NO_FIELD } from './field-error.ts';
import { goRegExp } from './go-regexp.ts';
import { cloneJson, deepEqual, isObject, type JsonObject } from './json.ts';
import { SchemaNode } from './node.ts';
import { validateValue } from './validate.ts';

type Level = 'root' | 'field' | 'item';

const INT_OR_STRING = [{ type: 'integer' }, { type: 'string' }];

/**
 * Is this a structural schema, as apiextensions demands of every CustomResourceDefinition of v1? Every value has a type, junctors
 * (allOf, anyOf, oneOf, not) say nothing but values, patterns compile, and metadata is left to Kubernetes.
 *
 * @param at - path of the schema itself, put before the paths of the findings
 * @returns findings sorted by path, e.g. `properties[spec].type`
 */
export function structuralErrors(schema: JsonObject, at = ''): FieldError[] {
  const errors: FieldError[] = [];
  visit(schema, 'root', at, errors);
  return errors.sort((a, b) => (a.field < b.field ? -1 : a.field > b.field ? 1 : 0));
}

const join = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`);
const flag = (schema: JsonObject, name: string): boolean => schema[`x-kubernetes-${name}`] === true;

function visit(schema: JsonObject, level: Level, path: string, errors: FieldError[]): void {
  const at = (name: string): string => join(path, name);
  const { type, items, additionalProperties } = schema;
  if (type === 'array' && items === undefined) errors.push(fieldError.required(at('items'), 'must be specified'));
  if (isObject(items)) visit(items, 'item', at('items'), errors);
  if (isObject(schema.properties)) {
    for (const [name, child] of Object.entries(schema.properties)) {
      if (isObject(child)) visit(child, 'field', `${at('properties')}[${name}]`, errors);
    }
  }
  if (additionalProperties !== undefined && additionalProperties !== false) {
    if (level === 'root') errors.push(fieldError.forbidden(at('additionalProperties'), 'must not be used at the root'));
    if (isObject(additionalProperties)) visit(additionalProperties, 'field', at('additionalProperties'), errors);
  }
  typeErrors(schema, level, path, errors);
  listErrors(schema, path, errors);
  forbiddenKeywords(schema, path, errors);
  defaultErrors(schema, path, errors);
  const first = Array.isArray(schema.allOf) ? schema.allOf[0] : undefined;
  junctorErrors(schema, path, errors, {
    anyOf: deepEqual(schema.anyOf, INT_OR_STRING),
    firstAllOf: isObject(first) && deepEqual(first.anyOf, INT_OR_STRING),
  });
  if (level === 'root' && isObject(schema.properties) && isObject(schema.properties.metadata)) {
    const metadata = schema.properties.metadata;
    const names = isObject(metadata.properties) ? Object.keys(metadata.properties) : [];
    const other = Object.keys(metadata).some((key) => !['type', 'properties', 'description'].includes(key));
    if (other || names.some((name) => name !== 'name' && name !== 'generateName')) {
      const detail = 'must not specify anything other than name and generateName, but metadata is implicitly specified';
      errors.push(fieldError.forbidden(`${at('properties')}[metadata]`, detail));
    }
  }
}

function typeErrors(schema: JsonObject, level: Level, path: string, errors: FieldError[]): void {
  const at = join(path, 'type');
  const type = typeof schema.type === 'string' ? schema.type : '';
  const preserves = flag(schema, 'preserve-unknown-fields');
  if (flag(schema, 'embedded-resource') && !preserves && !isObject(schema.properties)) {
    const detail =
      'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields';
    errors.push(fieldError.required(join(path, 'properties'), detail));
  }
  // A reference is refused as such; what it stands for is not known.
  if (schema.$ref !== undefined) return;
  if (flag(schema, 'embedded-resource') && type !== 'object') {
    errors.push(fieldError.required(at, 'must be object if x-kubernetes-embedded-resource is true'));
  } else if (type === '' && !flag(schema, 'int-or-string') && !preserves) {
    const where = { root: 'at the root', item: 'for specified array items', field: 'for specified object fields' };
    errors.push(fieldError.required(at, `must not be empty ${where[level]}`));
  } else if (level === 'root' && type !== '' && type !== 'object') {
    errors.push(fieldError.invalid(at, type, 'must be object at the root'));
  }
  const known = ['', 'array', 'boolean', 'integer', 'null', 'number', 'object', 'string'];
  if (!known.includes(type)) errors.push(fieldError.notSupported(at, type, known.slice(1)));
  if (flag(schema, 'int-or-string') && flag(schema, 'preserve-unknown-fields')) {
    const detail = 'must be false if x-kubernetes-int-or-string is true';
    errors.push(fieldError.invalid(join(path, 'x-kubernetes-preserve-unknown-fields'), true, detail));
  }
}

/** A default must itself be what the schema asks for. */
function defaultErrors(schema: JsonObject, path: string, errors: FieldError[]): void {
  if (schema.default === undefined || schema.default === null) return;
  const at = join(path, 'default');
  for (const error of validateValue(cloneJson(schema.default), new SchemaNode(schema))) {
    errors.push({ ...error, field: error.field === NO_FIELD ? at : `${at}.${error.field}` });
  }
}

function listErrors(schema: JsonObject, path: string, errors: FieldError[]): void {
  const listType = schema['x-kubernetes-list-type'];
  const keys = schema['x-kubernetes-list-map-keys'];
  const at = (name: string): string => join(path, `x-kubernetes-${name}`);
  if (listType !== undefined && !['atomic', 'set', 'map'].includes(String(listType))) {
    errors.push(fieldError.notSupported(at('list-type'), listType, ['atomic', 'set', 'map']));
  }
  if (listType !== undefined && schema.type !== 'array') {
    const detail = `must be array if x-kubernetes-list-type is specified`;
    errors.push(fieldError.invalid(join(path, 'type'), schema.type ?? '', detail));
  }
  const mapType = schema['x-kubernetes-map-type'];
  if (mapType !== undefined && !['atomic', 'granular'].includes(String(mapType))) {
    errors.push(fieldError.notSupported(at('map-type'), mapType, ['atomic', 'granular']));
  }
  const items = isObject(schema.items) ? schema.items : {};
  const properties = isObject(items.properties) ? items.properties : {};
  if (listType === 'map') {
    if (!Array.isArray(keys) || keys.length === 0) {
      const detail = 'must not be empty if x-kubernetes-list-type is map';
      errors.push(fieldError.required(at('list-map-keys'), detail));
      return;
    }
    const required = Array.isArray(items.required) ? items.required : [];
    for (const key of keys) {
      const property = properties[String(key)];
      if (!isObject(property)) {
        const detail = 'entries must all be names of item properties';
        errors.push(fieldError.invalid(at('list-map-keys'), keys, detail));
      } else if (property.default === undefined && !required.includes(key)) {
        const detail = `this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property`;
        errors.push(fieldError.required(`${join(path, 'items.properties')}[${key}].default`, detail));
      }
    }
  } else if (Array.isArray(keys) && keys.length > 0) {
    const detail = 'must be map if x-kubernetes-list-map-keys is non-empty';
    errors.push(fieldError.required(at('list-type'), detail));
  }
}

function forbiddenKeywords(schema: JsonObject, path: string, errors: FieldError[]): void {
  const forbid = (name: string, detail: string): void => {
    if (schema[name] !== undefined) errors.push(fieldError.forbidden(join(path, name), detail));
  };
  forbid('patternProperties', 'patternProperties is not supported');
  forbid('definitions', 'definitions is not supported');
  forbid('dependencies', 'dependencies is not supported');
  forbid('$ref', '$ref is not supported');
  forbid('id', 'id is not supported');
  if (schema.uniqueItems === true) {
    const detail = 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic';
    errors.push(fieldError.forbidden(join(path, 'uniqueItems'), detail));
  }
  if (schema.additionalProperties !== undefined && isObject(schema.properties)) {
    const detail = 'additionalProperties and properties are mutual exclusive';
    if (Object.keys(schema.properties).length > 0) {
      errors.push(fieldError.forbidden(join(path, 'additionalProperties'), detail));
    }
  }
}

function junctorErrors(
  schema: JsonObject,
  path: string,
  errors: FieldError[],
  skip: { anyOf: boolean; firstAllOf: boolean },
): void {
  const { pattern } = schema;
  if (typeof pattern === 'string') {
    try {
      goRegExp(pattern);
    } catch (error) {
      const detail = `must be a valid regular expression, but isn't: ${(error as Error).message}`;
      errors.push(fieldError.invalid(join(path, 'pattern'), pattern, detail));
    }
  }
  const each = (name: 'anyOf' | 'allOf' | 'oneOf', skipped: (i: number) => boolean): void => {
    const list = schema[name];
    if (!Array.isArray(list)) return;
    for (const [i, nested] of list.entries()) {
      if (isObject(nested) && !skipped(i)) nestedErrors(nested, `${join(path, name)}[${i}]`, errors);
    }
  };
  each('anyOf', () => skip.anyOf);
  each('allOf', (i) => i === 0 && skip.firstAllOf);
  each('oneOf', () => false);
  if (isObject(schema.not)) nestedErrors(schema.not, join(path, 'not'), errors);
}

const EMPTY_WHEN_NESTED = ['type', 'title', 'description'];
const UNDEFINED_WHEN_NESTED = ['additionalProperties', 'default', 'x-kubernetes-list-type', 'x-kubernetes-map-type'];
const FALSE_WHEN_NESTED = [
  'nullable',
  'x-kubernetes-preserve-unknown-fields',
  'x-kubernetes-embedded-resource',
  'x-kubernetes-int-or-string',
];

function nestedErrors(schema: JsonObject, path: string, errors: FieldError[]): void {
  const forbid = (names: string[], detail: string, wrong: (value: unknown) => boolean): void => {
    for (const name of names) if (wrong(schema[name])) errors.push(fieldError.forbidden(join(path, name), detail));
  };
  forbid(EMPTY_WHEN_NESTED, 'must be empty to be structural', (value) => typeof value === 'string' && value !== '');
  forbid(UNDEFINED_WHEN_NESTED, 'must be undefined to be structural', (value) => value !== undefined);
  forbid(FALSE_WHEN_NESTED, 'must be false to be structural', (value) => value === true);
  if (isObject(schema.items)) nestedErrors(schema.items, join(path, 'items'), errors);
  if (isObject(schema.properties)) {
    for (const [name, child] of Object.entries(schema.properties)) {
      if (isObject(child)) nestedErrors(child, `${join(path, 'properties')}[${name}]`, errors);
    }
  }
  junctorErrors(schema, path, errors, { anyOf: false, firstAllOf: false });
}
