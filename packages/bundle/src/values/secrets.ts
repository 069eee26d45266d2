import { isObject, type Json, pathText } from '../json.ts';

/** Names of keys whose text is a secret as a rule. */
const SECRET = /(pass(word|wd|phrase)?|token|secret|private_?-?key|api_?-?key|access_?-?key|credentials?)$/i;
/** What only names a secret, or says where it is. */
const REFERENCE = /(name|ref|file|path|mount|existing.*)$/i;

/** A value that looks like a secret in clear. */
export interface ClearSecret {
  path: string;
  message: string;
}

/**
 * Values that look like secrets in clear, by the names of their keys: everyone who may read the Cluster reads them. A warning, no verdict. Says no
 * value.
 */
export function secretsInClear(values: unknown, root = 'values'): ClearSecret[] {
  const found: ClearSecret[] = [];
  const walk = (v: unknown, path: PropertyKey[]): void => {
    if (Array.isArray(v)) for (const [i, inner] of v.entries()) walk(inner, [...path, i]);
    else if (isObject(v))
      for (const [key, inner] of Object.entries(v) as [string, Json][]) {
        const here = [...path, key];
        if (typeof inner === 'string' && inner !== '' && isSecret(key) && !inner.includes('{{'))
          found.push({
            path: pathText(here),
            message: 'looks like a secret in clear: put it in a Secret and name that in valuesFrom',
          });
        walk(inner, here);
      }
  };
  walk(values, [root]);
  return found;
}

const isSecret = (key: string): boolean => SECRET.test(key) && !REFERENCE.test(key) && !/^existing/i.test(key);
