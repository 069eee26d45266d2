import { type FieldProblem, GROUP, InvalidObjectError } from '@shoto/api';

interface Metadata {
  name?: unknown;
  namespace?: unknown;
  labels?: unknown;
  annotations?: unknown;
}

/** What a person may give. */
const GIVEN = ['name', 'namespace', 'labels', 'annotations'];
/** What stands in an object that was read, and is passed over, so that one may be written again under another name. */
const PASSED_OVER = ['uid', 'resourceVersion', 'generation', 'creationTimestamp', 'managedFields', 'finalizers'];

const reserved = (key: string): boolean => {
  const prefix = key.split('/')[0]!;
  return key.includes('/') && (prefix === GROUP || prefix.endsWith(`.${GROUP}`));
};

const FORBIDDEN = { reason: 'Forbidden', message: `${GROUP}/ is for Shoto's own: choose another prefix` } as const;

const isObject = (v: unknown): v is Record<string, unknown> => typeof v === 'object' && v !== null && !Array.isArray(v);

function ofMap(field: string, map: unknown, nullable: boolean): FieldProblem[] {
  if (map === undefined) return [];
  if (!isObject(map))
    return [{ field, reason: 'Invalid', message: `${JSON.stringify(map)}: give an object of strings` }];
  return Object.entries(map).flatMap(([key, value]): FieldProblem[] => {
    const at = `${field}.${key}`;
    if (reserved(key)) return [{ field: at, ...FORBIDDEN }];
    if (typeof value === 'string' || (nullable && value === null)) return [];
    return [{ field: at, reason: 'Invalid', message: `${JSON.stringify(value)}: give a string` }];
  });
}

/**
 * Checks the metadata that somebody sends for a new object.
 *
 * @param namespace - the only one that it may be in
 * @throws {InvalidObjectError}
 */
export function checkMetadata(metadata: unknown, namespace: string): void {
  if (metadata === undefined) return;
  if (!isObject(metadata))
    throw new InvalidObjectError('Cluster', '', [
      { field: 'metadata', reason: 'Invalid', message: `${JSON.stringify(metadata)}: give an object` },
    ]);
  const m: Metadata = metadata;
  const problems: FieldProblem[] = Object.keys(metadata)
    .filter((k) => !GIVEN.includes(k) && !PASSED_OVER.includes(k))
    .map((k) => ({
      field: `metadata.${k}`,
      reason: 'Unknown',
      message: `unknown field: remove it, or mend its spelling; there are ${GIVEN.join(', ')}`,
    }));
  if (m.namespace !== undefined && m.namespace !== namespace)
    problems.push({
      field: 'metadata.namespace',
      reason: 'Invalid',
      message: `${JSON.stringify(m.namespace)} is not the namespace of this tenant: it must be ${namespace}, or left out`,
    });
  problems.push(...ofMap('metadata.labels', m.labels, false), ...ofMap('metadata.annotations', m.annotations, false));
  if (problems.length > 0) throw new InvalidObjectError('Cluster', String(m.name ?? ''), problems);
}

type Marks = Record<'labels' | 'annotations', Record<string, string>>;

/** Labels and annotations of Shoto's own that somebody sets, changes or removes. */
export function reservedProblems(now: Partial<Marks>, before: Partial<Marks> = {}): FieldProblem[] {
  return (['labels', 'annotations'] as const).flatMap((map) => {
    const [is, was] = [now[map] ?? {}, before[map] ?? {}];
    return [...new Set([...Object.keys(is), ...Object.keys(was)])]
      .filter((key) => reserved(key) && is[key] !== was[key])
      .map((key) => ({ field: `metadata.${map}.${key}`, ...FORBIDDEN }));
  });
}

/**
 * The labels of a merge patch, where it changes any.
 *
 * @throws {InvalidObjectError} naming everything else that it would change
 */
export function metadataPatch(name: string, patch: object): Record<string, unknown> | undefined {
  const message = 'only spec and metadata.labels may be changed';
  const problems: FieldProblem[] = Object.keys(patch)
    .filter((k) => k !== 'spec' && k !== 'metadata')
    .map((field) => ({ field, reason: 'Forbidden', message }));
  const { metadata, spec } = patch as { metadata?: unknown; spec?: unknown };
  for (const [field, value] of Object.entries({ metadata, spec }))
    if (value !== undefined && !isObject(value))
      problems.push({ field, reason: 'Invalid', message: `${JSON.stringify(value)}: give an object` });
  const given = isObject(metadata) ? metadata : {};
  problems.push(
    ...Object.keys(given)
      .filter((k) => k !== 'labels')
      .map((k): FieldProblem => ({ field: `metadata.${k}`, reason: 'Forbidden', message })),
    ...ofMap('metadata.labels', given.labels, true),
  );
  if (problems.length > 0) throw new InvalidObjectError('Cluster', name, problems);
  return given.labels as Record<string, unknown> | undefined;
}
