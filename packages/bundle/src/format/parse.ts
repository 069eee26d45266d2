import type { z } from 'zod';
import { celProblem } from '../cel.ts';
import { BundleError, type BundleProblem } from '../errors.ts';
import { pathText } from '../json.ts';
import { readYaml } from '../yaml.ts';
import { BundleManifest } from './manifest.ts';

/** A problem before it is known where in the file it stands. */
interface Found {
  path: PropertyKey[];
  message: string;
}

const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
};
const article = (type: string): string => (/^[aeio]/.test(type) ? `an ${type}` : `a ${type}`);

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let v = value;
  for (const p of path) {
    if (typeof v !== 'object' || v === null) return undefined;
    v = (v as Record<PropertyKey, unknown>)[p];
  }
  return v;
}

/** What people read, of one issue of zod. */
function ofIssue(issue: z.core.$ZodIssue, input: unknown): Found[] {
  const value = valueAt(input, issue.path);
  const at = (message: string): Found[] => [{ path: [...issue.path], message }];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({
        path: [...issue.path, key],
        message: 'unknown field: remove it, or mend its spelling',
      }));
    case 'invalid_type':
      return value === undefined
        ? at(`required: give ${article(issue.expected)}`)
        : at(`${shown(value)} is not ${article(issue.expected)}`);
    case 'invalid_value':
      return value === undefined
        ? at(`required: give ${issue.values.map(String).join(' or ')}`)
        : at(`${shown(value)} is not supported: choose one of ${issue.values.map(String).join(', ')}`);
    case 'invalid_union': {
      if (value === undefined) return at(`required: ${issue.message}`);
      // The alternative whose fields the input names is what its author meant.
      const meant = issue.errors.filter((e) => !e.some((i) => i.path.length === 0));
      if (meant.length === 1)
        return meant[0]!.flatMap((i) => ofIssue({ ...i, path: [...issue.path, ...i.path] }, input));
      return at(
        issue.message === 'Invalid input'
          ? `${shown(value)} is not one of the forms that may stand here`
          : issue.message,
      );
    }
    case 'invalid_format':
      return at(`${shown(value)} is not right: ${issue.message}`);
    default:
      return at(issue.code === 'custom' ? issue.message : `${shown(value)}: ${issue.message}`);
  }
}

/** What a schema cannot say of a manifest that it takes. */
function rules(m: BundleManifest): Found[] {
  const found: Found[] = [];
  const expression = (path: PropertyKey[], source: string | undefined, variables: 'render' | 'health') => {
    const problem = source === undefined ? undefined : celProblem(source, variables);
    if (problem) found.push({ path, message: `not an expression that can be used: ${problem}` });
  };
  for (const [i, p] of m.patches.entries()) expression(['patches', i, 'when'], p.when, 'render');
  m.health.checks.forEach((c, i) => {
    expression(['health', 'checks', i, 'cel'], c.cel, 'health');
    if (c.message !== undefined && c.cel === undefined)
      found.push({
        path: ['health', 'checks', i, 'message'],
        message: 'a message is for cel: give cel too, or neither',
      });
  });
  const twice = (path: string, names: string[], what: string) =>
    names.forEach((n, i) => {
      if (names.indexOf(n) < i) found.push({ path: [path, i], message: `${what} ${n} stands there twice` });
    });
  twice(
    'dependsOn',
    m.dependsOn.map((d) => d.name),
    'the addon',
  );
  twice('provides', m.provides, 'what it provides:');
  m.dependsOn.forEach((d, i) => {
    if (d.name === m.name) found.push({ path: ['dependsOn', i, 'name'], message: `${m.name} cannot depend on itself` });
  });
  return found;
}

/** Reads a value as a manifest. @returns the manifest, or everything that is wrong with it */
export function checkManifest(value: unknown): { manifest: BundleManifest } | { problems: Found[] } {
  const parsed = BundleManifest.safeParse(value);
  const problems = parsed.success ? rules(parsed.data) : parsed.error.issues.flatMap((i) => ofIssue(i, value));
  return parsed.success && problems.length === 0 ? { manifest: parsed.data } : { problems };
}

/**
 * Reads `bundle.yaml`, with defaults filled in.
 *
 * @param file - its name, for messages
 * @throws {BundleError} `BrokenYaml` or `InvalidManifest`: every problem, each with line, column and the field's path
 */
export function parseBundleManifest(text: string, file = 'bundle.yaml'): BundleManifest {
  const documents = readYaml(text, file);
  const [first, second] = documents;
  if (!first)
    throw new BundleError('InvalidManifest', {
      file,
      message: 'empty: give apiVersion, kind, name, version, kubernetes and content',
    });
  if (second)
    throw new BundleError('InvalidManifest', {
      file,
      ...second.locate([]),
      message: 'one document only: remove the others',
    });
  const checked = checkManifest(first.value);
  if ('manifest' in checked) return checked.manifest;
  throw new BundleError(
    'InvalidManifest',
    checked.problems.map(
      ({ path, message }): BundleProblem => ({ file, ...first.locate(path), path: pathText(path), message }),
    ),
  );
}
