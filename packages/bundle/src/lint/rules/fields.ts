import { isObject, type Json } from '../../json.ts';
import { nameOf } from '../../render/object.ts';
import type { LintContext } from '../context.ts';
import type { Raw } from '../finding.ts';
import type { KubernetesData } from '../kubernetes-data.ts';

interface Problem {
  path: PropertyKey[];
  message: string;
  fix: string;
}

const WORDS: Record<string, string> = { s: 'a string', i: 'an integer', n: 'a number', b: 'true or false' };
/** `s` is what quantities, times and int-or-string are too: numbers pass. */
const isScalar = (type: string, v: Json): boolean => {
  switch (type) {
    case 's':
      return typeof v === 'string' || typeof v === 'number';
    case 'i':
      return Number.isInteger(v);
    case 'n':
      return typeof v === 'number';
    default:
      return typeof v === 'boolean';
  }
};

/** The field that was meant, where one is near. */
function near(name: string, known: string[]): string | undefined {
  const plain = (s: string) => s.toLowerCase().replace(/[-_]/g, '');
  return known.find(
    (k) => plain(k) === plain(name) || plain(k) === `${plain(name)}s` || `${plain(k)}s` === plain(name),
  );
}

/** What a value has against a type. Null is what is not given. */
function problemsOf(data: KubernetesData, type: string, v: Json, path: PropertyKey[]): Problem[] {
  if (v === null || type === '*') return [];
  if (type.startsWith('[]')) {
    if (!Array.isArray(v)) return [{ path, message: 'is no list', fix: 'give a list' }];
    return v.flatMap((inner, i) => problemsOf(data, type.slice(2), inner, [...path, i]));
  }
  if (type.startsWith('{}')) {
    if (!isObject(v)) return [{ path, message: 'is no object', fix: 'give an object' }];
    return Object.entries(v).flatMap(([key, inner]) => problemsOf(data, type.slice(2), inner, [...path, key]));
  }
  if (!type.startsWith('#'))
    return isScalar(type, v) ? [] : [{ path, message: `is not ${WORDS[type]}`, fix: `give ${WORDS[type]}` }];
  const definition = data.definitions[type.slice(1)];
  if (!definition) return [];
  if (!isObject(v)) return [{ path, message: 'is no object', fix: 'give an object' }];
  const known = Object.keys(definition.fields);
  const missing = (definition.required ?? []).filter((r) => v[r] === undefined);
  return [
    ...missing.map((r): Problem => ({ path: [...path, r], message: 'is required', fix: `give ${r}` })),
    ...Object.entries(v).flatMap(([key, inner]): Problem[] => {
      const of = Object.hasOwn(definition.fields, key) ? definition.fields[key] : undefined;
      if (of !== undefined) return problemsOf(data, of, inner, [...path, key]);
      const meant = near(key, known);
      return [
        {
          path: [...path, key],
          message: 'is no field here',
          fix: meant ? `write ${meant}` : 'remove it, or mend its spelling',
        },
      ];
    }),
  ];
}

/** Fields against the OpenAPI of each Kubernetes of the range. */
export function fields(c: LintContext): Raw[] {
  const found = new Map<string, Raw>();
  for (const { data, subjects } of c.minors)
    for (const s of subjects) {
      const served = data.kinds.find((k) => k.apiVersion === s.object.apiVersion && k.kind === s.object.kind);
      if (!served?.definition) continue;
      for (const p of problemsOf(data, `#${served.definition}`, s.object as Json, [])) {
        const key = JSON.stringify([nameOf(s.object), p.path]);
        if (found.has(key)) continue;
        const minor = data.version.split('.').slice(0, 2).join('.');
        found.set(key, {
          rule: 'fields',
          severity: 'error',
          at: s.at,
          path: p.path,
          message: `${nameOf(s.object)}: ${p.message} (Kubernetes ${minor.slice(1)})`,
          fix: p.fix,
        });
      }
    }
  return [...found.values()];
}
