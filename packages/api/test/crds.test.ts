import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { crdOf, GROUP, KINDS } from '../src/index.ts';

type Json = Record<string, unknown>;

/** Every property of a schema without a description, by its path. */
function undescribed(schema: Json, at: string): string[] {
  const inner = Object.entries((schema.properties ?? {}) as Record<string, Json>);
  const items = schema.items as Json | undefined;
  return [
    ...inner.flatMap(([name, s]) => [
      ...(s.description || at === '.metadata' || name === 'metadata' ? [] : [`${at}.${name}`]),
      ...undescribed(s, `${at}.${name}`),
    ]),
    ...(items ? undescribed(items, `${at}[]`) : []),
  ];
}

describe.each(KINDS.map((k) => ({ kind: k.kind, k })))('the CRD of $kind', ({ k }) => {
  const crd = crdOf(k);
  it('is what crds/ holds', () => {
    const file = new URL(`../../../crds/${GROUP}_${k.plural}.yaml`, import.meta.url);
    expect(parse(readFileSync(file, 'utf8'))).toEqual(JSON.parse(JSON.stringify(crd)));
  });
  it('describes every field', () => {
    const versions = (crd.spec as { versions: { schema: { openAPIV3Schema: Json } }[] }).versions;
    expect(undescribed(versions[0]!.schema.openAPIV3Schema, '')).toEqual([]);
  });
});
