import { fits } from '../choose/range.ts';
import { BundleError } from '../errors.ts';
import type { BundleContent } from '../format/content.ts';
import type { JsonObject } from '../json.ts';
import { compileBundle } from '../render/compile.ts';
import { groupOf, identityOf, type Manifest } from '../render/object.ts';
import { type ChartRenderer, render } from '../render/render.ts';
import type { Unit } from '../render/unit.ts';
import { resolveValues } from '../values/schema.ts';
import type { Raw } from './finding.ts';
import type { KubernetesData } from './kubernetes-data.ts';
import { sampleFacts } from './sample-facts.ts';

/** An object of a bundle, and where it comes from. */
export interface Subject {
  object: Manifest;
  at: { file: string; document?: number | undefined };
}

/** What rules look at. */
export interface LintContext {
  bundle: BundleContent;
  /** The bundle's objects for each Kubernetes minor of its range that is known. */
  minors: { data: KubernetesData; subjects: Subject[] }[];
  /** Whether it could be rendered for each of them, and there is one: what is missing then is really missing. */
  isWhole: boolean;
  /** Every object once, also those that conditions leave out everywhere. */
  subjects: Subject[];
  facts: JsonObject;
  /** Prefixes that images must have; empty where any will do. */
  mirrors: readonly string[];
  /** Objects of the version before, by the same facts. */
  before: Manifest[] | undefined;
}

/** What to lint with. */
export interface LintOptions {
  /** What each Kubernetes minor serves. */
  kubernetes: readonly KubernetesData[];
  mirrors?: readonly string[];
  /** The version before. */
  against?: BundleContent | undefined;
  facts?: JsonObject | undefined;
  values?: JsonObject | undefined;
  helm?: ChartRenderer | undefined;
}

const keyOf = (o: Manifest): string => `${groupOf(o.apiVersion)}/${o.kind}/${o.metadata.name}`;

/** Puts objects together with where they come from. */
function originsOf(raw: Subject[]): (o: Manifest) => Subject['at'] {
  const origins = new Map(raw.map((s) => [keyOf(s.object), s.at]));
  return (o) => origins.get(keyOf(o)) ?? { file: 'bundle.yaml' };
}

function objectsOf(units: readonly Unit[], scope: { facts: JsonObject; values: JsonObject }): Subject[] {
  return units.flatMap((u) => {
    try {
      return u.make(scope).map((object): Subject => ({ object, at: u.origin }));
    } catch (e) {
      // Told by what renders it.
      if (e instanceof BundleError) return [];
      throw e;
    }
  });
}

const asFindings = (e: BundleError): Raw[] =>
  e.problems.map((p) => ({
    rule: 'render',
    severity: 'error',
    at: { file: p.file ?? 'bundle.yaml', document: p.document, line: p.line },
    message: p.path ? `${p.path}: ${p.message}` : p.message,
    fix: 'mend it: nothing is applied of a bundle that cannot be rendered',
  }));

/** Renders a bundle for every minor of its range that is known. What cannot be rendered is a finding. */
export async function contextOf(
  bundle: BundleContent,
  o: LintOptions,
): Promise<{ context: LintContext; found: Raw[] }> {
  const facts = o.facts ?? sampleFacts(bundle.manifest.credentials);
  const values = o.values ?? {};
  const found: Raw[] = [];
  const helm = o.helm ? { helm: o.helm } : {};
  const attempt = async <T>(work: () => T | Promise<T>, otherwise: T): Promise<T> => {
    try {
      return await work();
    } catch (e) {
      if (!(e instanceof BundleError)) throw e;
      for (const f of asFindings(e))
        if (!found.some((x) => x.message === f.message && x.at.file === f.at.file)) found.push(f);
      return otherwise;
    }
  };
  const raw = await attempt(() => {
    const compiled = compileBundle(bundle);
    const scope = { facts: { kubernetesVersion: 'v1.0.0', ...facts }, values: resolveValues(bundle, values) };
    return objectsOf([...compiled.units, ...compiled.extras], scope);
  }, []);
  const origin = originsOf(raw);
  const minors: LintContext['minors'] = [];
  for (const data of o.kubernetes.filter((k) => fits(bundle.manifest.kubernetes, k.version))) {
    const objects = await attempt(
      async () => (await render(bundle, { facts, values, kubernetesVersion: data.version }, helm)).objects,
      [],
    );
    minors.push({ data, subjects: objects.map((object) => ({ object, at: origin(object) })) });
  }
  const all = new Map<string, Subject>();
  for (const { subjects } of minors) for (const s of subjects) all.set(identityOf(s.object), s);
  const seen = new Set([...all.values()].map((s) => keyOf(s.object)));
  for (const s of raw) if (!seen.has(keyOf(s.object))) all.set(identityOf(s.object), s);
  const before = o.against && (await previous(o.against, values, facts, o.kubernetes, helm));
  const isWhole = minors.length > 0 && found.length === 0;
  const subjects = [...all.values()];
  return { context: { bundle, minors, isWhole, subjects, facts, mirrors: o.mirrors ?? [], before }, found };
}

/** Objects of the version before, for the newest minor that it fits. Values that it does not know are left out. */
async function previous(
  bundle: BundleContent,
  values: JsonObject,
  facts: JsonObject,
  kubernetes: readonly KubernetesData[],
  helm: { helm?: ChartRenderer },
): Promise<Manifest[]> {
  const version = kubernetes.findLast((k) => fits(bundle.manifest.kubernetes, k.version))?.version ?? 'v1.0.0';
  const all = { ...sampleFacts(bundle.manifest.credentials), ...facts };
  const rendered = async (v: JsonObject) => [
    ...(await render(bundle, { facts: all, values: v, kubernetesVersion: version }, helm)).objects,
  ];
  try {
    return await rendered(values);
  } catch (e) {
    if (e instanceof BundleError && e.reason === 'InvalidValues') return rendered({});
    throw e;
  }
}
