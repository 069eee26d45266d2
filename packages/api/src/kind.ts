import type { z } from 'zod';
import type { Metadata } from './meta.ts';
import { type API_VERSION, GROUP, VERSION } from './meta.ts';
import type { CelRule } from './structural.ts';

/** A column that `kubectl get` prints. */
export interface PrinterColumn {
  name: string;
  type: 'string' | 'integer' | 'date' | 'boolean';
  jsonPath: string;
  description: string;
  /** 0 is always shown, 1 with `-o wide`. */
  priority?: 0 | 1;
}

/** What a rule is asked about: the whole object, and the object before an update. */
export interface Subject<Spec> {
  metadata: Metadata;
  spec: Spec;
}

/**
 * A rule that spans fields: the same verdict in CEL, for the API server, and in TypeScript, for the parser.
 * Both sides are tested with one table.
 */
export interface Rule<Spec> {
  /** CEL over the whole object; one that names `oldSelf` is asked on updates only. Absent where a rule on a part of the schema says it. */
  cel?: string;
  /** What is wrong and what would be right. */
  message: string;
  /** The field to blame, with a leading dot, `.spec.network`. */
  fieldPath: string;
  /** Items of `fieldPath` to blame instead of the whole list, by index; where the CRD's rule stands on the item. */
  items?: (now: Subject<Spec>, before: Subject<Spec> | undefined) => number[];
  /** True where the object is right. `before` is undefined on create. */
  check: (now: Subject<Spec>, before: Subject<Spec> | undefined) => boolean;
}

/** Everything that defines a kind; the CRD, the parser and the resource type all come from it. */
export interface KindDefinition<SpecSchema extends z.ZodType, StatusSchema extends z.ZodType> {
  kind: string;
  plural: string;
  singular: string;
  shortNames: string[];
  namespaced: boolean;
  description: string;
  spec: SpecSchema;
  status: StatusSchema;
  columns: PrinterColumn[];
  rules: Rule<z.output<SpecSchema>>[];
}

/** An object of a kind as it is read: defaults filled in, unknown fields kept by the API server. */
export interface ObjectOf<Spec, Status> {
  apiVersion: typeof API_VERSION;
  kind: string;
  metadata: Metadata;
  spec: Spec;
  status?: Status;
}

/** A kind's address in the API: what a client needs to read and write it. */
export interface KindResource {
  group: string;
  version: string;
  plural: string;
  kind: string;
  namespaced: boolean;
}

/** Defines a kind; only fixes the types. */
export function defineKind<S extends z.ZodType, T extends z.ZodType>(d: KindDefinition<S, T>): KindDefinition<S, T> {
  return d;
}

/** A kind's address in the API. */
export const resourceOf = (k: { kind: string; plural: string; namespaced: boolean }): KindResource => ({
  group: GROUP,
  version: VERSION,
  plural: k.plural,
  kind: k.kind,
  namespaced: k.namespaced,
});

/** Rules as they stand in the CRD. */
export const celOf = (rules: { cel?: string; message: string; fieldPath: string }[]): CelRule[] =>
  rules.flatMap((r) => (r.cel === undefined ? [] : [{ rule: r.cel, message: r.message, fieldPath: r.fieldPath }]));
