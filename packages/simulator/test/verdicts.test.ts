import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { type Verdict, verdicts } from '../../api/test/verdicts.ts';
import {
  type ApiServer,
  createApiServer,
  type KubeObject,
  type LocalResource,
  StatusError,
} from '../src/kubernetes/index.ts';

const CRDS = new URL('../../../crds/', import.meta.url);
const NAMESPACE = 'tenant-blue';

let api: ApiServer;
const kinds = new Map<string, LocalResource>();

beforeAll(() => {
  api = createApiServer({ authz: 'AlwaysAllow' });
  const definitions = api.resource({
    group: 'apiextensions.k8s.io',
    version: 'v1',
    plural: 'customresourcedefinitions',
  });
  for (const file of readdirSync(CRDS).filter((f) => f.endsWith('.yaml')))
    for (const document of parseAllDocuments(readFileSync(new URL(file, CRDS), 'utf8'))) {
      const crd = document.toJS() as KubeObject & {
        spec: { group: string; names: { kind: string; plural: string }; versions: { name: string }[] };
      };
      definitions.create(crd);
      const { group, names, versions } = crd.spec;
      kinds.set(names.kind, api.resource({ group, version: versions[0]!.name, plural: names.plural }));
    }
  api.resource({ group: '', version: 'v1', plural: 'namespaces' }).create({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: NAMESPACE },
  });
});
afterAll(() => api.close());

const copy = (object: Record<string, unknown>): KubeObject => JSON.parse(JSON.stringify(object)) as KubeObject;

/** What the simulated API server says to an object: the fields that it blames, none where it takes it. */
function blamed(v: Verdict): string[] {
  const kind = kinds.get(v.kind)!;
  const object = copy(v.object);
  const { namespace, name } = object.metadata;
  const ref = namespace === undefined ? { name } : { namespace, name };
  try {
    if (v.before) {
      kind.create(copy(v.before));
      kind.update(ref, (stored) => {
        const { metadata, ...rest } = object;
        const old = stored.metadata;
        for (const field of Object.keys(stored)) delete stored[field];
        Object.assign(stored, rest, { metadata: { ...old, ...metadata } });
      });
    } else kind.create(object);
    return [];
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    return ((error.details.causes ?? []) as { field?: string }[]).map((c) => c.field ?? '');
  } finally {
    kind.delete(ref);
  }
}

describe('the simulated management cluster gives the verdict of the parser', () => {
  for (const v of verdicts)
    it(`${v.blames ? `refuses ${v.title} and blames ${v.blames}` : `takes ${v.title}`}`, () => {
      const fields = blamed(v);
      if (v.blames) expect(fields).toContain(v.blames);
      else expect(fields).toEqual([]);
    });
});
