import { BundleError } from '../../errors.ts';
import { filesIn, textOf } from '../../format/content.ts';
import { isObject, type Json, type JsonObject, pathText } from '../../json.ts';
import { valuesSchemaOf } from '../../values/schema.ts';
import { secretsInClear } from '../../values/secrets.ts';
import { readYaml } from '../../yaml.ts';
import type { LintContext } from '../context.ts';
import type { Raw } from '../finding.ts';

const FIX = 'take it from a value (teams give it by valuesFrom, out of a Secret), or let the addon make it';

/** Looks as a secret does in a map of names and values, and in a list of `{ name, value }` too. */
function clearIn(v: Json, path: PropertyKey[]): PropertyKey[][] {
  if (Array.isArray(v)) return v.flatMap((inner, i) => clearIn(inner, [...path, i]));
  if (!isObject(v)) return [];
  if (typeof v.name === 'string' && typeof v.value === 'string')
    return secretsInClear({ [v.name]: v.value }).length > 0 ? [[...path, 'value']] : [];
  return Object.entries(v).flatMap(([key, inner]) => clearIn(inner, [...path, key]));
}

function ofDocument(o: JsonObject): { path: PropertyKey[]; message: string }[] {
  if (o.kind === 'List' && Array.isArray(o.items)) return o.items.flatMap((i) => (isObject(i) ? ofDocument(i) : []));
  const name = isObject(o.metadata) ? String(o.metadata.name) : '';
  if (o.kind === 'Secret')
    return ['data', 'stringData'].flatMap((field) =>
      Object.entries(isObject(o[field]) ? o[field] : {})
        .filter(([, v]) => typeof v === 'string' && v !== '' && !v.includes('{{'))
        .map(([key]) => ({ path: [field, key], message: `Secret ${name} holds ${key} in clear` })),
    );
  return clearIn(o, []).map((path) => ({ path, message: `${o.kind} ${name} looks as if it held a secret in clear` }));
}

/** Secrets that everybody reads who reads the bundle. Values are in no message. */
export function secrets(c: LintContext): Raw[] {
  const found: Raw[] = [];
  const { content } = c.bundle.manifest;
  const files = 'manifests' in content ? filesIn(c.bundle.files, content.manifests, ['.yaml', '.yml', '.json']) : [];
  for (const file of files) {
    let documents: ReturnType<typeof readYaml>;
    try {
      documents = readYaml(textOf(c.bundle.files, file), file);
    } catch (e) {
      if (e instanceof BundleError) continue;
      throw e;
    }
    for (const { document, value } of documents)
      for (const { path, message } of isObject(value) ? ofDocument(value) : [])
        found.push({ rule: 'secret-in-clear', severity: 'error', at: { file, document }, path, message, fix: FIX });
  }
  let schema: JsonObject | undefined;
  try {
    schema = valuesSchemaOf(c.bundle)?.schema;
  } catch (e) {
    if (!(e instanceof BundleError)) throw e;
  }
  const defaults = (s: JsonObject, path: PropertyKey[]): void => {
    for (const [name, p] of Object.entries(isObject(s.properties) ? s.properties : {})) {
      if (!isObject(p)) continue;
      const at = [...path, 'properties', name];
      if (typeof p.default === 'string' && secretsInClear({ [name]: p.default }).length > 0)
        found.push({
          rule: 'secret-in-clear',
          severity: 'error',
          at: { file: 'values.schema.json' },
          path: [...at, 'default'],
          message: `${pathText(at)} has a default that everybody knows`,
          fix: FIX,
        });
      defaults(p, at);
    }
  };
  if (schema) defaults(schema, []);
  return found;
}
