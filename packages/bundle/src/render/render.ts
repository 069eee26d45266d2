import { createHash } from 'node:crypto';
import { celHolds, ExpressionError } from '../cel.ts';
import { BundleError } from '../errors.ts';
import type { BundleContent } from '../format/content.ts';
import type { BundleManifest, JsonPatchOperation } from '../format/manifest.ts';
import { canonicalJson, deepFreeze, isObject, type Json, type JsonObject } from '../json.ts';
import { TimeLimitError, withTimeLimit } from '../time-limit.ts';
import { mergeValues } from '../values/merge.ts';
import { resolveValues } from '../values/schema.ts';
import { readYaml } from '../yaml.ts';
import { type CompiledBundle, type CompiledPatch, compileBundle, WHEN } from './compile.ts';
import {
  BUILT_IN_NAMESPACES,
  customScopes,
  groupOf,
  identityOf,
  isNamespaced,
  type Manifest,
  nameOf,
  objectsIn,
} from './object.ts';
import { jsonPatch, mergePatch, PatchError } from './patch.ts';
import { fill, type Scope } from './template.ts';
import { staticUnit, type Unit } from './unit.ts';

/** On every object of an addon: its name. What is watched, and what may be pruned, has it. */
export const ADDON_LABEL = 'shoto.dev/addon';
const MANAGED_BY = 'app.kubernetes.io/managed-by';

/** What a bundle is rendered for. */
export interface RenderInput {
  /** What is so of the cluster: podCIDR, apiHost, region... */
  facts: JsonObject;
  /** Values of the cluster, laid over each other; defaults are filled in and all is checked here. */
  values: JsonObject;
  /** Such as v1.35.4. Is `facts.kubernetesVersion` and, in expressions, `kubernetes.version`, `.major`, `.minor`, `.patch`. */
  kubernetesVersion: string;
  /** API versions that the cluster has, `group/version` or `group/version/Kind`: what charts ask `.Capabilities` for. */
  apiVersions?: string[];
}

/** What renders a Helm chart: the effect that `render` is without. */
export type ChartRenderer = (
  bundle: BundleContent,
  input: {
    chart: string;
    releaseName: string;
    namespace: string;
    values: JsonObject;
    kubernetesVersion: string;
    apiVersions: string[];
  },
) => Promise<string>;

/** The objects of a bundle for one cluster. Frozen: those that are the same for other clusters are the same in memory. */
export interface Rendered {
  /** In order of application: Namespaces, CustomResourceDefinitions, the rest as it stands. */
  objects: readonly Manifest[];
  /** SHA-256 over the canonical JSON of the objects: `sha256:<hex>`. */
  digest: string;
  /** Length of that JSON. */
  bytes: number;
  /** Of it, what is this render's own and not the same for all clusters. */
  ownBytes: number;
}

/**
 * Renders a bundle. The same in gives the same out, byte for byte.
 *
 * @param o.helm - renders charts; needed for bundles that are one
 * @throws {BundleError} with file, document and path: `BrokenYaml`, `BrokenManifest`, `UnknownPlaceholder`, `BrokenExpression`, `BrokenPatch`,
 * `DuplicateObject`, `InvalidValues`, `InvalidSchema`, `HelmMissing`, and what the chart's renderer throws
 */
export async function render(
  bundle: BundleContent,
  input: RenderInput,
  o: { helm?: ChartRenderer } = {},
): Promise<Rendered> {
  const compiled = compileBundle(bundle);
  const scope: Scope = {
    facts: { kubernetesVersion: input.kubernetesVersion, ...input.facts },
    values: resolveValues(bundle, input.values),
  };
  const expressions = { ...scope, kubernetes: versionOf(input.kubernetesVersion) };
  const units = [...compiled.units, ...(await chartUnits(bundle, compiled, scope, input, o.helm))];
  const content = units.flatMap((u) => objectsOf(u, scope));
  const scopes = customScopes(content.map((c) => c.object));
  const kept: Located[] = [];
  const left: Manifest[] = [];
  for (const c of content) {
    const object = inNamespace(bundle.manifest, withoutWhen(c.object), scopes);
    if (isKept(c, expressions)) kept.push({ object, unit: c.unit });
    else left.push(object);
  }
  compiled.patches.forEach((p, i) => {
    const when = p.patch.when;
    if (when !== undefined && !holds(when, expressions, { file: 'bundle.yaml', path: `patches[${i}].when` })) return;
    patchAll(p, i, kept, left, scope);
  });
  const extras = compiled.extras.flatMap((u) => objectsOf(u, scope));
  const all = [...kept, ...extras];
  const namespace = namespaceOf(
    bundle.manifest,
    all.map((a) => a.object),
  );
  if (namespace) all.unshift({ object: namespace, unit: BUNDLE });
  refuseTwice(all);
  const finished = all
    .map((a) => finish(bundle.manifest.name, a.object))
    .sort((a, b) => rank(a.object) - rank(b.object));
  const hash = createHash('sha256');
  let [bytes, ownBytes] = [1, 0];
  finished.forEach(({ json, isShared }, i) => {
    const piece = `${i === 0 ? '[' : ','}${json}`;
    hash.update(piece);
    bytes += piece.length;
    if (!isShared) ownBytes += piece.length;
  });
  hash.update(finished.length === 0 ? '[]' : ']');
  return {
    objects: Object.freeze(finished.map((f) => f.object)),
    digest: `sha256:${hash.digest('hex')}`,
    bytes,
    ownBytes,
  };
}

interface Located {
  object: Manifest;
  unit: Unit;
}
const BUNDLE: Unit = { origin: { file: 'bundle.yaml' }, references: [], make: () => [] };

function versionOf(text: string): JsonObject {
  const [, major, minor, patch] = /^v?(\d+)\.(\d+)\.(\d+)/.exec(text) ?? [];
  if (patch === undefined)
    throw new BundleError('InvalidValues', {
      path: 'kubernetesVersion',
      message: `${JSON.stringify(text)} is no version: give one such as v1.35.4`,
    });
  return { version: text, major: Number(major), minor: Number(minor), patch: Number(patch) };
}

async function chartUnits(
  bundle: BundleContent,
  compiled: CompiledBundle,
  scope: Scope,
  input: RenderInput,
  helm: ChartRenderer | undefined,
): Promise<Unit[]> {
  const { content, name, namespace } = bundle.manifest;
  if (!('helm' in content)) return [];
  if (!helm)
    throw new BundleError('HelmMissing', {
      file: 'bundle.yaml',
      path: 'content.helm',
      message: 'the content is a Helm chart, and nothing here renders charts',
    });
  const over = compiled.helmValues ? fill(compiled.helmValues, scope, { file: 'bundle.yaml' }) : {};
  const text = await helm(bundle, {
    chart: content.helm.chart,
    releaseName: content.helm.releaseName ?? name,
    namespace,
    values: mergeValues(scope.values, over as JsonObject),
    kubernetesVersion: input.kubernetesVersion,
    apiVersions: input.apiVersions ?? [],
  });
  const file = `${content.helm.chart} (rendered)`;
  return readYaml(text, file).map(({ document, value }) => {
    // What a chart made is done: braces in it are its own.
    return staticUnit(value, { file, document });
  });
}

const objectsOf = (unit: Unit, scope: Scope): Located[] => unit.make(scope).map((object) => ({ object, unit }));

function holds(
  source: string,
  expressions: Record<string, unknown>,
  at: { file: string; document?: number; path: string },
): boolean {
  try {
    return celHolds(source, 'render', expressions);
  } catch (e) {
    if (e instanceof ExpressionError)
      throw new BundleError('BrokenExpression', { ...at, message: `${JSON.stringify(source)}: ${e.message}` });
    throw e;
  }
}

const whenOf = (o: Manifest): string | undefined => o.metadata.annotations?.[WHEN];

const isKept = ({ object, unit }: Located, expressions: Record<string, unknown>): boolean => {
  const when = whenOf(object);
  return when === undefined || holds(when, expressions, { ...unit.origin, path: `metadata.annotations["${WHEN}"]` });
};

/** What is made of an object that is the same for all is the same for all: frozen like that. */
const as = (o: Manifest, made: Manifest): Manifest => (Object.isFrozen(o) ? deepFreeze(made) : made);

const bare = new WeakMap<Manifest, Manifest>();
function withoutWhen(o: Manifest): Manifest {
  if (whenOf(o) === undefined) return o;
  let made = bare.get(o);
  if (!made) {
    const { annotations, ...metadata } = o.metadata;
    const { [WHEN]: _gone, ...others } = annotations!;
    made = as(o, {
      ...o,
      metadata: { ...metadata, ...(Object.keys(others).length > 0 ? { annotations: others } : {}) },
    });
    bare.set(o, made);
  }
  return made;
}

/** Objects put in a namespace, by object and namespace. */
const placed = new WeakMap<Manifest, Manifest>();
function inNamespace({ namespace }: BundleManifest, o: Manifest, scopes: Map<string, boolean>): Manifest {
  if (o.metadata.namespace !== undefined || isNamespaced(o, scopes) !== true) return o;
  let made = placed.get(o);
  if (made?.metadata.namespace !== namespace) {
    made = as(o, { ...o, metadata: { ...o.metadata, namespace } });
    placed.set(o, made);
  }
  return made;
}

const matches = (target: BundleManifest['patches'][number]['target'], o: Manifest): boolean =>
  o.kind === target.kind &&
  (target.apiVersion === undefined || o.apiVersion === target.apiVersion) &&
  (target.name === undefined || o.metadata.name === target.name) &&
  (target.namespace === undefined || o.metadata.namespace === target.namespace);

/** A patch for something that is not there is an error: it was renamed, and the patch forgotten. Not where a condition left it out. */
function patchAll(p: CompiledPatch, i: number, kept: Located[], left: Manifest[], scope: Scope): void {
  const { target } = p.patch;
  let found = left.some((o) => matches(target, o));
  for (const k of kept) {
    if (!matches(target, k.object)) continue;
    found = true;
    k.object = patched(p, i, k.object, scope);
  }
  if (!found) {
    const what = [target.apiVersion, target.kind, target.namespace, target.name].filter(Boolean).join(' ');
    throw new BundleError('BrokenPatch', {
      file: 'bundle.yaml',
      path: `patches[${i}].target`,
      message: `there is no ${what}: mend the target, or remove the patch`,
    });
  }
}

function patched(p: CompiledPatch, i: number, object: Manifest, scope: Scope): Manifest {
  const known = p.made.get(object);
  if (known) return known;
  const patch = fill(p.template, scope, p.origin);
  let result: Json;
  if (isObject(patch)) result = mergePatch(object as Json, patch);
  else
    try {
      // Copies of copies grow without end.
      result = withTimeLimit(200, () => jsonPatch(object as Json, patch as JsonPatchOperation[]));
    } catch (e) {
      if (!(e instanceof PatchError || e instanceof TimeLimitError)) throw e;
      const path = `patches[${i}].json${e instanceof PatchError ? `[${e.operation}]` : ''}`;
      throw new BundleError('BrokenPatch', {
        file: 'bundle.yaml',
        path,
        message: `on ${nameOf(object)}: ${e.message}`,
      });
    }
  const [made] = objectsIn(result, { file: `bundle.yaml: patches[${i}]` });
  if (p.template.kind === 'static' && Object.isFrozen(object)) p.made.set(object, deepFreeze(made!));
  return made!;
}

/** The namespace that the bundle names, where it is neither built in nor among its objects. */
function namespaceOf({ namespace }: BundleManifest, objects: Manifest[]): Manifest | undefined {
  const isThere = objects.some((o) => o.kind === 'Namespace' && o.metadata.name === namespace);
  if (isThere || BUILT_IN_NAMESPACES.has(namespace)) return undefined;
  if (!objects.some((o) => o.metadata.namespace === namespace)) return undefined;
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } };
}

function refuseTwice(all: Located[]): void {
  const seen = new Map<string, Located>();
  for (const a of all) {
    const id = identityOf(a.object);
    const before = seen.get(id);
    if (before)
      throw new BundleError('DuplicateObject', {
        ...a.unit.origin,
        message: `${nameOf(a.object)} stands in ${before.unit.origin.file}${before.unit.origin.document ? `, document ${before.unit.origin.document}` : ''} too: remove one`,
      });
    seen.set(id, a);
  }
}

/** An object as it is applied, and its canonical JSON. */
interface Finished {
  object: Manifest;
  json: string;
  isShared: boolean;
}
const finishedOf = new WeakMap<Manifest, Finished>();

/** Labels an object as the addon's. Of its pods nothing is touched: an update restarts only those that changed. */
function finish(addon: string, o: Manifest): Finished {
  const known = finishedOf.get(o);
  if (known?.object.metadata.labels?.[ADDON_LABEL] === addon) return known;
  const labels = { [MANAGED_BY]: 'shoto', ...o.metadata.labels, [ADDON_LABEL]: addon };
  const object = deepFreeze({ ...o, metadata: { ...o.metadata, labels } });
  const made = { object, json: canonicalJson(object), isShared: Object.isFrozen(o) };
  if (made.isShared) finishedOf.set(o, made);
  return made;
}

const rank = (o: Manifest): number => {
  const group = groupOf(o.apiVersion);
  if (group === '' && o.kind === 'Namespace') return 0;
  return group === 'apiextensions.k8s.io' && o.kind === 'CustomResourceDefinition' ? 1 : 2;
};
