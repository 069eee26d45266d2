import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { BundleError, type BundleProblem } from '../errors.ts';
import { type BundleContent, textOf } from '../format/content.ts';
import { copyOf, isObject, type Json, type JsonObject, own, pathText } from '../json.ts';
import { TimeLimitError, withTimeLimit } from '../time-limit.ts';
import { readYaml } from '../yaml.ts';
import { mergeValues } from './merge.ts';

const FILE = 'values.schema.json';
/** How long a schema may take to be read, or values to be checked: a schema comes with the bundle, which is not trusted. */
const TIME_LIMIT_MS = 500;
/** Defaults inside defaults, at most. */
const DEPTH = 32;

/** The schema of a bundle's values, ready for use. */
export interface ValuesSchema {
  schema: JsonObject;
  /** Everything that is wrong with values. Their contents stand in no message: they may be secret. */
  problemsOf: (values: JsonObject) => BundleProblem[];
}

const known = new WeakMap<BundleContent, ValuesSchema | undefined>();

/**
 * Reads the schema of a bundle, once.
 *
 * @returns undefined where the bundle has none: any values will do
 * @throws {BundleError} `InvalidSchema`
 */
export function valuesSchemaOf(bundle: BundleContent): ValuesSchema | undefined {
  if (known.has(bundle)) return known.get(bundle);
  const made = bundle.files.has(FILE) ? readValuesSchema(textOf(bundle.files, FILE)) : undefined;
  known.set(bundle, made);
  return made;
}

const OPTIONS = { allErrors: true, strict: false, validateFormats: false, logger: false } as const;

/** Knows what a JSON Schema is. Made once, and outside the time limit: that takes most of a second on a busy machine, whatever a bundle brings. */
let metaSchema: Ajv2020 | undefined;
function metaSchemaOf(): Ajv2020 {
  const ajv = new Ajv2020(OPTIONS);
  ajv.validateSchema({ $schema: 'https://json-schema.org/draft/2020-12/schema', type: 'object' });
  return ajv;
}

/** Reads a JSON Schema (2020-12) of an object. @throws {BundleError} `InvalidSchema` */
export function readValuesSchema(text: string, file = FILE): ValuesSchema {
  const invalid = (message: string) => new BundleError('InvalidSchema', { file, message });
  let schema: unknown;
  try {
    schema = JSON.parse(text);
  } catch (e) {
    throw invalid(`is no JSON: ${(e as Error).message}`);
  }
  if (!isObject(schema) || schema.type !== 'object') throw invalid('type: must be "object", since values are one');
  let validate: ValidateFunction;
  metaSchema ??= metaSchemaOf();
  try {
    validate = withTimeLimit(TIME_LIMIT_MS, () => {
      const meta = metaSchema!;
      if (!meta.validateSchema(schema)) throw new Error(meta.errorsText(meta.errors, { dataVar: 'schema' }));
      return new Ajv2020({ ...OPTIONS, validateSchema: false }).compile(schema);
    });
  } catch (e) {
    throw invalid(`is no JSON Schema (2020-12): ${(e as Error).message}`);
  }
  return {
    schema,
    problemsOf: (values) => {
      try {
        return withTimeLimit(TIME_LIMIT_MS, () => validate(values)) ? [] : (validate.errors ?? []).flatMap(ofAjv);
      } catch (e) {
        if (e instanceof TimeLimitError) throw invalid(`checking values ${e.message}`);
        throw e;
      }
    },
  };
}

const keysOf = (instancePath: string): PropertyKey[] =>
  instancePath
    .split('/')
    .slice(1)
    .map((k) => k.replace(/~1/g, '/').replace(/~0/g, '~'))
    .map((k) => (/^(0|[1-9]\d*)$/.test(k) ? Number(k) : k));

function ofAjv(e: ErrorObject): BundleProblem[] {
  const at = (keys: PropertyKey[], message: string): BundleProblem[] => [
    { path: pathText(['values', ...keysOf(e.instancePath), ...keys]), message },
  ];
  const params = e.params as Record<string, string | string[]>;
  switch (e.keyword) {
    case 'additionalProperties':
    case 'unevaluatedProperties':
      return at(
        [(params.additionalProperty ?? params.unevaluatedProperty) as string],
        'unknown value: remove it, or mend its spelling',
      );
    case 'required':
      return at([params.missingProperty as string], 'required: give one');
    case 'enum':
      return at(
        [],
        `must be one of ${(params.allowedValues as unknown as Json[]).map((v) => JSON.stringify(v)).join(', ')}`,
      );
    case 'const':
      return at([], `must be ${JSON.stringify(params.allowedValue)}`);
    // The branches of these tell by themselves.
    case 'if':
      return [];
    default:
      return at([], e.message ?? 'is not right');
  }
}

/** What a schema says by `$ref` inside itself, or itself. */
function resolved(schema: Json | undefined, root: JsonObject): JsonObject {
  let at = schema;
  for (let i = 0; i < DEPTH && isObject(at) && typeof at.$ref === 'string'; i++) {
    if (!at.$ref.startsWith('#/')) return {};
    let target: Json | undefined = root;
    for (const key of at.$ref.slice(2).split('/'))
      target = isObject(target)
        ? own(target, decodeURIComponent(key).replace(/~1/g, '/').replace(/~0/g, '~'))
        : undefined;
    at = target;
  }
  return isObject(at) ? at : {};
}

/** Fills in the defaults of a schema, those inside objects that are not given too. */
export function withDefaults(schema: JsonObject, values: JsonObject, root = schema, depth = 0): JsonObject {
  if (depth > DEPTH) return values;
  const properties = isObject(schema.properties) ? schema.properties : {};
  const result = new Map<string, Json>(Object.entries(values));
  for (const [key, raw] of Object.entries(properties)) {
    const inner = resolved(raw, root);
    let value = result.get(key);
    const fallback = isObject(raw) && raw.default !== undefined ? raw.default : inner.default;
    if (value === undefined && fallback !== undefined) value = copyOf(fallback);
    if (isObject(inner.properties) && (value === undefined || isObject(value))) {
      const filled = withDefaults(inner, isObject(value) ? value : {}, root, depth + 1);
      const required = Array.isArray(inner.required) ? (inner.required as string[]) : [];
      // An object that was not given comes to be only where its defaults make it whole.
      if (value !== undefined || (Object.keys(filled).length > 0 && required.every((r) => r in filled))) value = filled;
    }
    if (value !== undefined) result.set(key, value);
  }
  return Object.fromEntries(result);
}

const chartDefaults = new WeakMap<BundleContent, JsonObject>();
function defaultsOfChart(bundle: BundleContent): JsonObject {
  const { content } = bundle.manifest;
  const file = 'helm' in content ? `${content.helm.chart.replace(/\/+$/, '')}/values.yaml` : undefined;
  if (file === undefined || !bundle.files.has(file)) return {};
  let found = chartDefaults.get(bundle);
  if (!found) {
    const value = readYaml(textOf(bundle.files, file), file)[0]?.value ?? {};
    if (!isObject(value)) throw new BundleError('BrokenBundle', { file, message: 'is no object' });
    found = value;
    chartDefaults.set(bundle, found);
  }
  return found;
}

/**
 * The values that a bundle is rendered with: those given, with the schema's defaults filled in, over the chart's own. Given again, they come out
 * the same.
 *
 * @param given - layers laid over each other by {@link mergeValues}
 * @throws {BundleError} `InvalidValues` with the path of each, `InvalidSchema`
 */
export function resolveValues(bundle: BundleContent, given: JsonObject): JsonObject {
  const schema = valuesSchemaOf(bundle);
  const filled = schema ? withDefaults(schema.schema, given) : given;
  const problems = schema?.problemsOf(filled) ?? [];
  if (problems.length > 0) throw new BundleError('InvalidValues', problems);
  return mergeValues(defaultsOfChart(bundle), filled);
}
