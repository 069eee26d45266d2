import type { JsonObject } from './json.ts';
import { CompiledSchema, type CompileOptions } from './schema.ts';

export type { FieldError } from './field-error.ts';
export { builtinSchema } from './openapi/builtin.ts';
export { openApiV3Document, openApiV3Root } from './openapi/documents.ts';
export { openApiV2 } from './openapi/v2.ts';
export type { CompiledSchema } from './schema.ts';
export { serverSideApply } from './ssa/apply.ts';
export { TypedValueError } from './ssa/typed.ts';
export { trackUpdate } from './ssa/update.ts';
export { StrategicPatchError, strategicMerge } from './strategic-merge.ts';

/**
 * Makes the schema of one version of a CustomResourceDefinition (`spec.versions[].schema.openAPIV3Schema`) ready for use. Compiling
 * is lazy and cheap, but what is compiled is kept in the instance: keep it as long as the definition does not change.
 */
export function compileSchema(openAPIV3Schema: object, options: CompileOptions = {}): CompiledSchema {
  return new CompiledSchema(openAPIV3Schema as JsonObject, options);
}
