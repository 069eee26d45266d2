import { parse } from 'yaml';

/** A YAML or JSON mapping. */
export type Mapping = Record<string, unknown>;

const isMapping = (v: unknown): v is Mapping => typeof v === 'object' && v !== null && !Array.isArray(v);

const isNamed = (v: unknown): v is Mapping & { name: string } => isMapping(v) && typeof v.name === 'string';

/**
 * Merges one document over another, as a release's overrides are merged into kubeadm's configuration: mappings by key,
 * lists of named things (extra arguments, volumes, environment) by name, every other list and value as a whole. Null takes a key away.
 */
export function merge(base: Mapping, over: Mapping): Mapping {
  const result: Mapping = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const before = result[key];
    if (value === null) delete result[key];
    else if (isMapping(before) && isMapping(value)) result[key] = merge(before, value);
    else if (
      Array.isArray(before) &&
      Array.isArray(value) &&
      [...before, ...value].every(isNamed) &&
      value.length > 0
    ) {
      const names = new Set(value.map((v: { name: string }) => v.name));
      result[key] = [...before.filter((b: { name: string }) => !names.has(b.name)), ...value];
    } else result[key] = value;
  }
  return result;
}

/** A release's override cannot be used. */
export class OverrideError extends Error {}

/**
 * Reads one override.
 *
 * @param name - of the field, for the message
 * @throws {OverrideError} when it is not YAML or not a mapping
 */
export function parseOverride(name: string, text: string | undefined): Mapping {
  if (text === undefined || text.trim() === '') return {};
  let parsed: unknown;
  try {
    parsed = parse(text);
  } catch (cause) {
    throw new OverrideError(
      `spec.overrides.${name} is not YAML: ${cause instanceof Error ? cause.message.split('\n')[0] : 'unreadable'}`,
      { cause },
    );
  }
  if (parsed === null) return {};
  if (!isMapping(parsed))
    throw new OverrideError(
      `spec.overrides.${name} is not a mapping: write fields of the document, such as "timeouts: {...}"`,
    );
  const { apiVersion: _a, kind: _k, ...fields } = parsed;
  return fields;
}
