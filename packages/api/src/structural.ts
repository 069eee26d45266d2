import { z } from 'zod';

/** One `x-kubernetes-validations` rule. */
export interface CelRule {
  rule: string;
  message: string;
  fieldPath?: string;
  reason?: 'FieldValueInvalid' | 'FieldValueForbidden' | 'FieldValueRequired' | 'FieldValueDuplicate';
  optionalOldSelf?: boolean;
}

declare module 'zod' {
  interface GlobalMeta {
    /** CEL rules of this node. */
    cel?: CelRule[];
    /** Keep what the schema does not know (`x-kubernetes-preserve-unknown-fields`). */
    preserve?: boolean;
    /** A number or a string (`x-kubernetes-int-or-string`): the one union that a structural schema knows. */
    intOrString?: boolean;
    listType?: 'map' | 'set' | 'atomic';
    listMapKeys?: string[];
  }
}

type Json = Record<string, unknown>;

const OURS = ['cel', 'preserve', 'intOrString', 'listType', 'listMapKeys', 'id', '$schema', 'propertyNames'];

/** Says what a structural schema may not hold, where the generator met it. */
export class NotStructuralError extends Error {
  constructor(what: string) {
    super(`${what} cannot stand in a structural schema: use optional members and a CEL rule`);
    this.name = 'NotStructuralError';
  }
}

/**
 * The structural schema (apiextensions.k8s.io/v1) of a zod schema.
 *
 * zod's refinements do not reach it: what spans fields is a CEL rule in the node's `meta({ cel })`.
 *
 * @throws {NotStructuralError} on unions and tuples, which structural schemas do not know
 */
export function structural(schema: z.ZodType): Json {
  const made = z.toJSONSchema(schema, {
    target: 'openapi-3.0',
    io: 'input',
    reused: 'inline',
    cycles: 'throw',
    unrepresentable: 'throw',
    override: ({ zodSchema, jsonSchema }) => {
      const js = jsonSchema as Json;
      const meta = z.globalRegistry.get(zodSchema as unknown as z.ZodType) ?? {};
      if (meta.intOrString) {
        // What holds of the number does not touch the text, and back: so both may stand side by side.
        for (const part of (js.anyOf ?? []) as Json[]) {
          const { type: _, format: __, ...holds } = part;
          Object.assign(js, holds);
        }
        delete js.anyOf;
        js['x-kubernetes-int-or-string'] = true;
      }
      for (const k of OURS) delete js[k];
      if (meta.cel?.length) js['x-kubernetes-validations'] = meta.cel;
      if (meta.preserve) js['x-kubernetes-preserve-unknown-fields'] = true;
      if (meta.listType) js['x-kubernetes-list-type'] = meta.listType;
      if (meta.listMapKeys) js['x-kubernetes-list-map-keys'] = meta.listMapKeys;
      // A structural schema is closed by pruning, never by additionalProperties.
      const more = js.additionalProperties;
      if (more === false || (typeof more === 'object' && more !== null && Object.keys(more).length === 0))
        delete js.additionalProperties;
      if (js.minimum === Number.MIN_SAFE_INTEGER) delete js.minimum;
      if (js.maximum === Number.MAX_SAFE_INTEGER) delete js.maximum;
      if (js.type === 'integer' && !js.format) js.format = 'int64';
      if (js.format === 'date-time') delete js.pattern;
    },
  }) as Json;
  // Not before: what a schema says of itself is known after what it was made from.
  refuseUnions(made);
  return made;
}

function refuseUnions(schema: unknown): void {
  if (typeof schema !== 'object' || schema === null) return;
  const { anyOf, oneOf, prefixItems } = schema as Json;
  if (Array.isArray(anyOf) || Array.isArray(oneOf) || Array.isArray(prefixItems))
    throw new NotStructuralError('A union or a tuple');
  for (const part of Object.values(schema)) refuseUnions(part);
}
