import { CelValidator } from './cel/validator.ts';
import { ALL_DEFAULTS, applyDefaults, type DefaultFilter, VISIBLE_DEFAULTS } from './defaults.ts';
import { type FieldError, fieldError } from './field-error.ts';
import { isObject, type JsonObject } from './json.ts';
import { type RefResolver, SchemaNode } from './node.ts';
import { OBJECT_META } from './object-meta.ts';
import { prune } from './prune.ts';
import { structuralErrors } from './structural.ts';
import { validateStructure } from './validate.ts';

/** What `compileSchema` may be told beside the schema itself. */
export interface CompileOptions {
  /** `spec.preserveUnknownFields` of an old CustomResourceDefinition: nothing is pruned. Default false. */
  preserveUnknownFields?: boolean;
  /** Does the version have a status subresource? Default: it has when the schema names `status`. */
  statusSubresource?: boolean;
}

/** Findings after which kube-apiserver does not run CEL rules: the values are not what the rules were compiled for. */
const BLOCKING = new Set([
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
]);

/**
 * A schema made ready: each part (checks, CEL programs, the tree for server-side apply) is compiled when it is first used and then
 * kept, so one instance is to be kept for each version of each type.
 */
export class CompiledSchema {
  /** The schema as it was written. */
  readonly root: SchemaNode;
  /** The schema with the type and object metadata that every resource has: what apply and strategic merge walk along. */
  readonly typedNode: SchemaNode;
  readonly hasStatus: boolean;
  readonly #builtin: boolean;
  readonly #preserve: boolean;
  readonly #defaults: DefaultFilter;
  #cel: CelValidator | undefined;

  constructor(schema: JsonObject, options: CompileOptions & { refs?: RefResolver } = {}) {
    this.#builtin = options.refs !== undefined;
    this.#preserve = options.preserveUnknownFields ?? false;
    this.root = new SchemaNode(schema, options.refs, this.#preserve);
    this.typedNode = this.#builtin ? this.root : withTypeAndMetadata(this.root, this.#preserve);
    this.hasStatus = options.statusSubresource ?? this.typedNode.properties.has('status');
    this.#defaults = this.#builtin ? VISIBLE_DEFAULTS : ALL_DEFAULTS;
  }

  /** Drops undeclared fields in place. @returns their paths, sorted, e.g. `spec.foo` */
  prune(object: object): string[] {
    return this.#preserve ? [] : prune(object as JsonObject, this.root);
  }

  /** Fills in defaults in place and drops nulls where null is not allowed. */
  applyDefaults(object: object): void {
    applyDefaults(object as JsonObject, this.root, this.#defaults);
  }

  /**
   * Checks an object (after pruning and defaulting) against the schema and its CEL rules.
   *
   * @param old - the stored object on an update: transition rules need it, and what did not change is not checked again
   */
  validate(object: object, old?: object): FieldError[] {
    const errors = validateStructure(object as JsonObject, this.root, old as JsonObject | undefined);
    this.#cel ??= new CelValidator(this.root);
    if (!this.#cel.hasRules) return errors;
    if (errors.some((error) => BLOCKING.has(error.type))) {
      const detail =
        'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation';
      return [...errors, fieldError.invalid('', null, detail)];
    }
    return [...errors, ...this.#cel.validate(object, old)];
  }

  /**
   * Is this a structural schema, and does every CEL rule compile?
   *
   * @param at - where the schema stands, e.g. `spec.validation.openAPIV3Schema` (what kube-apiserver calls the only version's) or
   *   `spec.versions[1].schema.openAPIV3Schema`; default '': paths are relative to the schema, e.g. `properties[spec].type`
   */
  schemaErrors(at = ''): FieldError[] {
    const errors = structuralErrors(this.root.raw, at);
    return errors.length > 0 ? errors : new CelValidator(this.root, at).compileErrors;
  }

  /** The object that a create is compared with: Go prints some fields of a built-in type even when nobody set them. */
  emptyObject(like: JsonObject): JsonObject {
    const empty: JsonObject = { apiVersion: like.apiVersion, kind: like.kind };
    return this.#builtin ? { ...zeroValue(this.root), ...empty } : empty;
  }
}

function zeroValue(node: SchemaNode): JsonObject {
  const value: JsonObject = {};
  for (const [name, child] of node.properties) {
    const fallback = child.raw.default;
    if (isObject(fallback) && Object.keys(fallback).length === 0) value[name] = zeroValue(child);
    else if (node.required.includes(name))
      value[name] = child.type === 'array' || fallback === undefined ? null : fallback;
  }
  return value;
}

function withTypeAndMetadata(root: SchemaNode, preserve: boolean): SchemaNode {
  const properties = isObject(root.raw.properties) ? root.raw.properties : {};
  return new SchemaNode(
    {
      ...root.raw,
      type: 'object',
      properties: { ...properties, apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata: OBJECT_META },
    },
    undefined,
    preserve,
  );
}
