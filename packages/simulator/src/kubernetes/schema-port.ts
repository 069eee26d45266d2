import type { FieldError } from './types.ts';

/** A schema ready to work on objects of one kind. */
export interface CompiledSchema {
  /** Removes fields that the schema does not know; gives their paths. */
  prune(object: object): string[];
  applyDefaults(object: object): void;
  validate(object: object, old?: object): FieldError[];
}

/** What the API server needs of the schema part; implemented by `schema/index.ts`. */
export interface Schemas {
  compileSchema(openAPIV3Schema: object, o?: { preserveUnknownFields?: boolean }): CompiledSchema;
  builtinSchema(group: string, version: string, kind: string): CompiledSchema | undefined;
  openApiV3Root(groupVersions: string[], crds: object[]): object;
  openApiV3Document(groupVersion: string, crds: object[]): object | undefined;
  openApiV2(crds: object[]): object;
  serverSideApply(o: {
    live?: object;
    applied: object;
    manager: string;
    force: boolean;
    schema: CompiledSchema | undefined;
    apiVersion: string;
    subresource?: string;
    now: string;
  }): { object: object } | { conflicts: { manager: string; field: string; message: string }[]; message?: string };
  trackUpdate(o: {
    before?: object;
    after: object;
    manager: string;
    apiVersion: string;
    subresource?: string;
    schema?: CompiledSchema;
    now: string;
  }): void;
  strategicMerge(live: object, patch: object, schema: CompiledSchema | undefined): object;
}
