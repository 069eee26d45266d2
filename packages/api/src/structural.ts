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
    listType?: 'map' | 'set' | 'atomic';
    listMapKeys?: string[];
  }
}

type Json = Record<string, unknown>;

const OURS = ['cel', 'preserve', 'listType', 'listMapKeys', 'id', '$schema', 'propertyNames'];

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
  return z.toJSONSchema(schema, {
    target: 'openapi-3.0',
    io: 'input',
    reused: 'inline',
    cycles: 'throw',
    unrepresentable: 'throw',
    override: ({ zodSchema, jsonSchema }) => {
      const js = jsonSchema as Json;
      if (js.anyOf || js.oneOf || js.prefixItems) throw new NotStructuralError('A union or a tuple');
      const meta = z.globalRegistry.get(zodSchema as unknown as z.ZodType) ?? {};
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
}
