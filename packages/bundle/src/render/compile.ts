import { celProblem } from '../cel.ts';
import { BundleError } from '../errors.ts';
import { type BundleContent, filesIn, textOf } from '../format/content.ts';
import type { BundlePatch } from '../format/manifest.ts';
import { isObject, type Json } from '../json.ts';
import { readYaml } from '../yaml.ts';
import { extrasOf } from './extras.ts';
import type { Manifest } from './object.ts';
import { type Origin, referencesOf, type Template, templateOf } from './template.ts';
import { type Unit, unitOf } from './unit.ts';

/** On an object: an expression; where it is false, the object is left out. */
export const WHEN = 'bundle.shoto.dev/when';

/** A patch, ready for use. */
export interface CompiledPatch {
  patch: BundlePatch;
  origin: Origin;
  /** `merge` or `json` with its placeholders found. */
  template: Template;
  /** What came of objects that are the same for all, where the patch is too. */
  made: WeakMap<Manifest, Manifest>;
}

/** A bundle that was read once, for many renders. */
export interface CompiledBundle {
  units: Unit[];
  /** Dashboards and alerts, after everything else. */
  extras: Unit[];
  patches: CompiledPatch[];
  /** Values laid over the given ones for the chart. */
  helmValues?: Template;
  /** Facts that the result depends on; `all` where that cannot be told. */
  facts: ReadonlySet<string> | 'all';
}

const known = new WeakMap<BundleContent, CompiledBundle>();

/**
 * Reads the documents of a bundle and finds their placeholders, once for each bundle in memory.
 *
 * @throws {BundleError} `BrokenYaml`, `BrokenManifest`, `BrokenExpression`, `BrokenBundle`
 */
export function compileBundle(bundle: BundleContent): CompiledBundle {
  const found = known.get(bundle);
  if (found) return found;
  const { content, patches } = bundle.manifest;
  const units: Unit[] = [];
  const expressions = patches.map((p) => p.when);
  if ('manifests' in content)
    for (const file of manifestFiles(bundle, content.manifests))
      for (const { document, value } of readYaml(textOf(bundle.files, file), file)) {
        expressions.push(...whensIn(value, { file, document }));
        units.push(unitOf(value, { file, document }));
      }
  const compiledPatches = patches.map((patch, i): CompiledPatch => {
    const field = patch.merge ? 'merge' : 'json';
    const origin = { file: 'bundle.yaml' };
    const template = templateOf((patch.merge ?? patch.json) as Json, origin, ['patches', i, field]);
    return { patch, origin, template, made: new WeakMap() };
  });
  const extras = extrasOf(bundle);
  const helmValues =
    'helm' in content && content.helm.values
      ? templateOf(content.helm.values, { file: 'bundle.yaml' }, ['content', 'helm', 'values'])
      : undefined;
  const made: CompiledBundle = {
    units,
    extras,
    patches: compiledPatches,
    ...(helmValues ? { helmValues } : {}),
    facts: factsUsed(
      [
        ...[...units, ...extras].flatMap((u) => u.references),
        ...compiledPatches.flatMap((p) => referencesOf(p.template)),
        ...(helmValues ? referencesOf(helmValues) : []),
      ],
      expressions,
    ),
  };
  known.set(bundle, made);
  return made;
}

function manifestFiles(bundle: BundleContent, folder: string): string[] {
  const files = filesIn(bundle.files, folder, ['.yaml', '.yml', '.json']);
  if (files.length === 0)
    throw new BundleError('BrokenBundle', { file: folder, message: 'holds no .yaml file: put the manifests there' });
  return files;
}

/** The conditions of a document's objects. They are the bundle's own: nothing is ever filled in, since values are not expressions. */
function whensIn(value: Json, origin: Origin): string[] {
  if (!isObject(value)) return [];
  if (value.kind === 'List' && Array.isArray(value.items)) return value.items.flatMap((i) => whensIn(i, origin));
  const annotations = isObject(value.metadata) ? value.metadata.annotations : undefined;
  const when = isObject(annotations) && Object.hasOwn(annotations, WHEN) ? annotations[WHEN] : undefined;
  if (when === undefined) return [];
  const problem =
    typeof when !== 'string'
      ? 'is no string'
      : when.includes('{{')
        ? 'no placeholders here: name facts and values as they are'
        : celProblem(when, 'render');
  if (problem)
    throw new BundleError('BrokenExpression', {
      ...origin,
      path: `metadata.annotations["${WHEN}"]`,
      message: `not an expression that can be used: ${problem}`,
    });
  return [when as string];
}

function factsUsed(references: string[], expressions: (string | undefined)[]): ReadonlySet<string> | 'all' {
  const used = new Set<string>();
  for (const reference of references) {
    const [root, fact] = reference.split('.', 2);
    if (root === 'facts') used.add(fact!);
  }
  for (const e of expressions)
    for (const [, fact] of e?.matchAll(/\bfacts\b(?:\.([A-Za-z_]\w*))?/g) ?? []) {
      if (fact === undefined) return 'all';
      used.add(fact);
    }
  return used;
}
