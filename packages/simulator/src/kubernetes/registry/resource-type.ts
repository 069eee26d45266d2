import type { CompiledSchema } from '../schema-port.ts';
import type { Store } from '../store/store.ts';
import type { FieldError, KubeObject, User } from '../types.ts';

/** A printer column; `jsonPath` only for custom resources. */
export interface Column {
  name: string;
  type: string;
  format: string;
  description: string;
  priority: number;
  jsonPath?: string;
}

/** A subresource as aggregated discovery lists it. */
export interface DiscoveredSubresource {
  subresource: string;
  responseKind?: { group: string; version: string; kind: string };
  acceptedTypes?: unknown[];
  verbs: string[];
}

/** Where a scalable kind keeps its numbers; dotted paths such as `.spec.replicas`. */
export interface ScalePaths {
  spec: string;
  status: string;
  selector?: string;
}

/** One served version of a resource. */
export interface ServedVersion {
  version: string;
  /** Compiled on first use. */
  schema(): CompiledSchema | undefined;
  columns: Column[];
  subresources: DiscoveredSubresource[];
  /** Whether `/status` is separate: then plain writes do not touch `status`. */
  status: boolean;
  scale?: ScalePaths;
  /** Dotted paths that field selectors may name besides metadata. */
  selectableFields: string[];
  /** Sent as a Warning header with each answer. */
  deprecationWarning?: string;
}

/** What a strategy may use of its server. */
export interface StrategyContext {
  store: Store;
  user: User;
  nowMs: number;
  /** [0, 1) */
  random(): number;
  serviceCidr: string;
}

/** What is particular to one builtin kind. Objects given to these may be changed in place. */
export interface Strategy {
  /** Fills in what the API documents as default; runs on every write. */
  defaults?(object: KubeObject): void;
  /** Fills in what the server decides at creation; may throw a StatusError. */
  onCreate?(object: KubeObject, context: StrategyContext): void;
  onUpdate?(object: KubeObject, old: KubeObject, context: StrategyContext): void;
  validate?(object: KubeObject, old: KubeObject | undefined): FieldError[];
  /** Selectable fields besides metadata.name and metadata.namespace. */
  fields?(object: KubeObject): Record<string, string>;
  /** The value of `status` at creation; what the client sent is dropped unless `keepStatus`. */
  initialStatus?(object: KubeObject): unknown;
  keepStatus?: boolean;
  /** Whether metadata.generation is kept. */
  generation?: boolean;
  /** Whether PUT of an absent object makes it. */
  createOnUpdate?: boolean;
  /** From the stored form to the form of a served version, and back (events only). */
  toVersion?(object: KubeObject, group: string): KubeObject;
  fromVersion?(object: KubeObject, group: string): KubeObject;
}

/** A kind with everything needed to serve it. */
export interface ResourceType {
  group: string;
  plural: string;
  singular: string;
  kind: string;
  listKind: string;
  namespaced: boolean;
  shortNames: string[];
  categories: string[];
  verbs: string[];
  /** Name of the store's table; two groups may share one. */
  table: string;
  storageVersion: string;
  /** Served versions, the preferred first. */
  versions: ServedVersion[];
  strategy: Strategy;
  /** Whether a CustomResourceDefinition made it. */
  custom: boolean;
}

/** `group/version`, or only the version for core. */
export const groupVersion = (group: string, version: string): string =>
  group === '' ? version : `${group}/${version}`;
