import { BundleError } from '../../errors.ts';
import { isObject, type Json, type JsonObject } from '../../json.ts';
import { compileBundle } from '../../render/compile.ts';
import { referencesOf } from '../../render/template.ts';
import { resolveValues, valuesSchemaOf } from '../../values/schema.ts';
import type { LintContext } from '../context.ts';
import type { Raw } from '../finding.ts';

const SCHEMA = 'values.schema.json';

/** What a schema says of a path of keys: undefined where it knows none, `free` where anything goes from there. */
function inSchema(schema: JsonObject, keys: string[]): JsonObject | 'free' | undefined {
  let at = schema;
  for (const key of keys) {
    if (at.$ref !== undefined || at.allOf !== undefined || at.anyOf !== undefined || at.oneOf !== undefined)
      return 'free';
    const next: Json | undefined = isObject(at.properties) ? at.properties[key] : undefined;
    if (isObject(next)) {
      at = next;
      continue;
    }
    const more = at.additionalProperties;
    if (isObject(more)) at = more;
    else return at.properties === undefined && more === undefined && at !== schema ? 'free' : undefined;
  }
  return at;
}

/** Every reference to facts and values, with where it stands. */
function referencesIn(c: LintContext): { reference: string; at: { file: string; document?: number | undefined } }[] {
  const { units, extras, patches, helmValues } = compileBundle(c.bundle);
  const of = (references: string[], at: { file: string; document?: number | undefined }) =>
    references.map((reference) => ({ reference, at }));
  const expressions = patches.flatMap((p) =>
    [...(p.patch.when ?? '').matchAll(/\b(facts|values)((?:\.[A-Za-z_]\w*)+)/g)].map((m) => `${m[1]}${m[2]}`),
  );
  return [
    ...[...units, ...extras].flatMap((u) => of(u.references, u.origin)),
    ...patches.flatMap((p) => of(referencesOf(p.template), p.origin)),
    ...of(expressions, { file: 'bundle.yaml' }),
    ...(helmValues ? of(referencesOf(helmValues), { file: 'bundle.yaml' }) : []),
  ];
}

/** Values: what is used is in the schema, what is in the schema is used, defaults are good; facts are those that there are. */
export function values(c: LintContext): Raw[] {
  const found: Raw[] = [];
  const say = (raw: Omit<Raw, 'rule'>): void => void found.push({ rule: 'values', ...raw });
  let schema: JsonObject | undefined;
  let references: ReturnType<typeof referencesIn>;
  try {
    schema = valuesSchemaOf(c.bundle)?.schema;
    references = referencesIn(c);
  } catch (e) {
    // Said by what renders it.
    if (e instanceof BundleError) return [];
    throw e;
  }
  const isChart = 'helm' in c.bundle.manifest.content;
  const used = new Set<string>();
  const told = new Set<string>();
  for (const { reference, at } of references) {
    const [root, ...keys] = reference.split('.');
    if (told.has(`${at.file} ${reference}`)) continue;
    told.add(`${at.file} ${reference}`);
    if (root === 'values') {
      used.add(keys[0]!);
      const known = schema && inSchema(schema, keys);
      if (!known && !isChart)
        say({
          severity: 'error',
          at,
          message: `${reference} is used, and ${schema ? 'is not in' : 'there is no'} ${SCHEMA}`,
          fix: `add ${keys.join('.')} to the properties of ${SCHEMA}, with a default`,
        });
    } else if (root === 'facts' && !isFact(c, keys))
      say({
        severity: 'error',
        at,
        message: `${reference} is no fact of a cluster`,
        fix:
          keys[0] === 'openstack'
            ? 'add credentials: [openstack] to bundle.yaml'
            : `use one of ${Object.keys(c.facts).sort().join(', ')}, kubernetesVersion`,
      });
  }
  if (!schema) return found;
  const properties = isObject(schema.properties) ? schema.properties : {};
  const expressions = whensOf(c);
  for (const name of Object.keys(properties))
    if (!used.has(name) && !isChart && !expressions.includes(`values.${name}`))
      say({
        severity: 'warning',
        at: { file: SCHEMA },
        path: ['properties', name],
        message: 'nothing in the bundle uses this value',
        fix: 'use it, or remove it',
      });
  if (schema.additionalProperties !== false && !isChart)
    say({
      severity: 'warning',
      at: { file: SCHEMA },
      message: 'takes values that it does not know: a misspelt one does nothing, and nobody is told',
      fix: 'set additionalProperties to false',
    });
  try {
    resolveValues(c.bundle, {});
  } catch (e) {
    if (!(e instanceof BundleError)) throw e;
    for (const p of e.problems) {
      const isMissing = p.message.startsWith('required');
      say({
        severity: isMissing ? 'warning' : 'error',
        at: { file: SCHEMA },
        message: `without any values given: ${p.path}: ${p.message}`,
        fix: isMissing ? 'give a default, so that a cluster may have the addon without a word' : 'mend the default',
      });
    }
  }
  return found;
}

/** The text of every condition of an object. */
const whensOf = (c: LintContext): string =>
  [...c.bundle.files]
    .filter(([file]) => /\.ya?ml$/.test(file))
    .map(([, bytes]) => Buffer.from(bytes).toString('utf8'))
    .join('\n');

function isFact(c: LintContext, keys: string[]): boolean {
  let at: Json | undefined = { ...c.facts, kubernetesVersion: '' };
  for (const key of keys) at = isObject(at) ? at[key] : undefined;
  return at !== undefined;
}
