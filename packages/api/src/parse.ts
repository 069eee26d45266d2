import type { z } from 'zod';
import type { KindDefinition, ObjectOf, Subject } from './kind.ts';
import { API_VERSION, type Metadata } from './meta.ts';
import { structural } from './structural.ts';

/** One thing that is wrong with an object. */
export interface FieldProblem {
  /** Path of the field, `spec.nodePools[0].count`. */
  field: string;
  /** What is wrong, with the value, and what would be right. */
  message: string;
  /** What kind of wrong, for programs. */
  reason: 'Invalid' | 'Required' | 'Unknown' | 'NotSupported' | 'Forbidden';
}

/** An object that is not what its kind says. Holds every problem, not only the first. */
export class InvalidObjectError extends Error {
  readonly problems: FieldProblem[];
  constructor(kind: string, name: string, problems: FieldProblem[]) {
    super(`${kind} ${JSON.stringify(name)} is invalid: ${problems.map((p) => `${p.field}: ${p.message}`).join('; ')}`);
    this.name = 'InvalidObjectError';
    this.problems = problems;
  }
}

const path = (parts: readonly PropertyKey[]): string =>
  parts.reduce<string>(
    (s, p) => (typeof p === 'number' ? `${s}[${p}]` : s === '' ? String(p) : `${s}.${String(p)}`),
    '',
  );

/** What stands at a path of a value, for the message. */
function at(value: unknown, parts: readonly PropertyKey[]): unknown {
  let v = value;
  for (const p of parts) {
    if (typeof v !== 'object' || v === null) return undefined;
    v = (v as Record<PropertyKey, unknown>)[p];
  }
  return v;
}

const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
};

function ofIssue(issue: z.core.$ZodIssue, input: unknown): FieldProblem {
  const value = at(input, issue.path);
  const field = path(issue.path);
  if (issue.code === 'invalid_type' && value === undefined)
    return { field, reason: 'Required', message: `required: give ${article(issue.expected)}` };
  if (issue.code === 'invalid_value')
    return {
      field,
      reason: 'NotSupported',
      message: `${shown(value)} is not supported: choose one of ${issue.values.map(String).join(', ')}`,
    };
  if (issue.code === 'invalid_format' && 'pattern' in issue && issue.pattern)
    return { field, reason: 'Invalid', message: `${shown(value)} must match ${issue.pattern}` };
  return { field, reason: 'Invalid', message: `${shown(value)}: ${issue.message}` };
}

const article = (type: string): string => (/^[aeio]/.test(type) ? `an ${type}` : `a ${type}`);

type Json = Record<string, unknown>;

/** Paths of what a structural schema does not know. */
export function unknownFields(schema: Json, value: unknown, where = ''): string[] {
  if (typeof value !== 'object' || value === null || schema['x-kubernetes-preserve-unknown-fields']) return [];
  if (Array.isArray(value))
    return schema.items ? value.flatMap((v, i) => unknownFields(schema.items as Json, v, `${where}[${i}]`)) : [];
  const more = schema.additionalProperties as Json | undefined;
  const known = (schema.properties ?? {}) as Record<string, Json>;
  return Object.entries(value).flatMap(([k, v]) => {
    const here = where === '' ? k : `${where}.${k}`;
    const inner = known[k] ?? more;
    return inner ? unknownFields(inner, v, here) : [here];
  });
}

const schemas = new WeakMap<z.ZodType, Json>();
const structuralOf = (s: z.ZodType): Json => {
  let known = schemas.get(s);
  if (!known) {
    known = structural(s);
    schemas.set(s, known);
  }
  return known;
};

/** How {@link parseObject} treats an object. */
export interface ParseOptions<Spec> {
  /** The object as it is stored, for what may not change. */
  before?: Subject<Spec>;
  /** Refuse unknown fields, as the door does. Default false: unknown fields are dropped from the result. */
  strict?: boolean;
}

/** Names that an object of a kind may have at all: a DNS subdomain (RFC 1123). */
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/**
 * Reads an object of a kind: fills in defaults, checks every field and every rule.
 * Gives the same verdict as a kube-apiserver with the kind's CRD.
 *
 * @throws {InvalidObjectError} with every problem
 */
export function parseObject<S extends z.ZodType, T extends z.ZodType>(
  kind: KindDefinition<S, T>,
  input: unknown,
  options: ParseOptions<z.output<S>> = {},
): ObjectOf<z.output<S>, z.output<T>> {
  const problems: FieldProblem[] = [];
  const object = (typeof input === 'object' && input !== null ? input : {}) as {
    apiVersion?: unknown;
    kind?: unknown;
    metadata?: Partial<Metadata>;
    spec?: unknown;
  };
  const metadata = { ...object.metadata, name: object.metadata?.name ?? '' } as Metadata;
  if (object.apiVersion !== undefined && object.apiVersion !== API_VERSION)
    problems.push({
      field: 'apiVersion',
      reason: 'NotSupported',
      message: `${shown(object.apiVersion)} is not supported: use ${API_VERSION}`,
    });
  if (object.kind !== undefined && object.kind !== kind.kind)
    problems.push({ field: 'kind', reason: 'NotSupported', message: `${shown(object.kind)} is not ${kind.kind}` });
  if (metadata.name === '')
    problems.push({ field: 'metadata.name', reason: 'Required', message: 'required: give a name' });
  else if (metadata.name.length > 253 || !SUBDOMAIN.test(metadata.name))
    problems.push({
      field: 'metadata.name',
      reason: 'Invalid',
      message: `${shown(metadata.name)} must be at most 253 lower-case letters, digits, dashes and dots, and begin and end with a letter or digit`,
    });
  if (options.strict) {
    for (const field of unknownFields(structuralOf(kind.spec), object.spec, 'spec'))
      problems.push({ field, reason: 'Unknown', message: 'unknown field: remove it, or mend its spelling' });
    for (const field of Object.keys(object))
      if (!['apiVersion', 'kind', 'metadata', 'spec', 'status'].includes(field))
        problems.push({ field, reason: 'Unknown', message: 'unknown field: remove it, or mend its spelling' });
  }
  const parsed = kind.spec.safeParse(object.spec);
  if (object.spec === undefined)
    problems.push({ field: 'spec', reason: 'Required', message: 'required: give an object' });
  else if (!parsed.success)
    problems.push(...parsed.error.issues.map((i) => ofIssue({ ...i, path: ['spec', ...i.path] }, input)));
  problems.push(...duplicates(structuralOf(kind.spec), object.spec, 'spec'));
  if (parsed.success) {
    const now = { metadata, spec: parsed.data };
    for (const rule of kind.rules) {
      if (rule.check(now, options.before)) continue;
      const field = rule.fieldPath.slice(1);
      const items = rule.items?.(now, options.before).map((i) => `${field}[${i}]`) ?? [field];
      for (const at of items) problems.push({ field: at, reason: 'Invalid', message: rule.message });
    }
  }
  if (problems.length > 0 || !parsed.success) throw new InvalidObjectError(kind.kind, metadata.name, problems);
  const status = kind.status.safeParse((input as { status?: unknown }).status);
  return {
    apiVersion: API_VERSION,
    kind: kind.kind,
    metadata,
    spec: parsed.data,
    ...(status.success ? { status: status.data } : {}),
  };
}

/** Items of list-maps and sets that stand there twice, which an API server refuses. */
function duplicates(schema: Json, value: unknown, where: string): FieldProblem[] {
  if (Array.isArray(value)) {
    const items = schema.items as Json | undefined;
    const type = schema['x-kubernetes-list-type'];
    const keys = schema['x-kubernetes-list-map-keys'] as string[] | undefined;
    const seen = new Set<string>();
    return value.flatMap((v, i) => {
      const inner = items ? duplicates(items, v, `${where}[${i}]`) : [];
      if (type !== 'map' && type !== 'set') return inner;
      const id = JSON.stringify(type === 'map' ? keys?.map((k) => (v as Json | null)?.[k]) : v);
      if (seen.has(id)) inner.push({ field: `${where}[${i}]`, reason: 'Invalid', message: `${id} stands there twice` });
      seen.add(id);
      return inner;
    });
  }
  if (typeof value !== 'object' || value === null) return [];
  const known = (schema.properties ?? {}) as Record<string, Json>;
  return Object.entries(value).flatMap(([k, v]) => (known[k] ? duplicates(known[k], v, `${where}.${k}`) : []));
}
