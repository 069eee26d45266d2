import { describe, expect, it } from 'vitest';
import recorded from '../fixtures/crd-openapi.json' with { type: 'json' };
import validation from '../fixtures/validation.json' with { type: 'json' };
import { builtinSchema, openApiV2, openApiV3Document, openApiV3Root } from '../index.ts';
import { isObject, type JsonObject } from '../json.ts';

interface Document {
  openapi: string;
  info: object;
  paths: Record<string, JsonObject>;
  components: { schemas: Record<string, JsonObject> };
}

const crd = validation.crd;
const document = (groupVersion: string): Document => openApiV3Document(groupVersion, [crd]) as Document;

/** The recording leaves long descriptions out. */
function withoutLongDescriptions(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutLongDescriptions);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, item]) => !(key === 'description' && typeof item === 'string' && item.length > 120))
      .map(([key, item]) => [key, withoutLongDescriptions(item)]),
  );
}

describe(`the OpenAPI of a custom resource is that of ${recorded.server}`, () => {
  const ours = document('shoto.dev/v1alpha1');
  it('names the same schemas', () => {
    expect(Object.keys(ours.components.schemas).sort()).toEqual(recorded.document.schemas);
  });
  it.each(Object.keys(recorded.document.components))('publishes %s', (name) => {
    const theirs = recorded.document.components as Record<string, unknown>;
    expect(withoutLongDescriptions(ours.components.schemas[name])).toEqual(theirs[name]);
  });
  it.each(Object.keys(recorded.document.paths))('publishes %s', (path) => {
    const theirs = recorded.document.paths as Record<string, unknown>;
    expect(withoutDetails(ours.paths[path])).toEqual(withoutDetails(theirs[path]));
  });
});

/** Operations by what clients use of them: wording differs ("partially update the specified"). */
function withoutDetails(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDetails);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, item]) => !(key === 'description' && typeof item === 'string'))
      .map(([key, item]) => [key, withoutDetails(item)]),
  );
}

describe('the OpenAPI of Kubernetes itself', () => {
  it('describes fields for kubectl explain', () => {
    const pod = document('v1').components.schemas['io.k8s.api.core.v1.PodSpec'];
    expect(isObject(pod?.properties) && pod.properties.containers).toMatchObject({
      type: 'array',
      'x-kubernetes-patch-merge-key': 'name',
      'x-kubernetes-list-map-keys': ['name'],
    });
    expect(String(pod?.description)).toContain('PodSpec is a description of a pod.');
  });

  it('says for each operation what it is and of which type', () => {
    const patch = document('apps/v1').paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}']?.patch;
    expect(patch).toMatchObject({
      'x-kubernetes-action': 'patch',
      'x-kubernetes-group-version-kind': { group: 'apps', kind: 'Deployment', version: 'v1' },
    });
    expect(isObject(patch) && Array.isArray(patch.parameters) && patch.parameters).toContainEqual(
      expect.objectContaining({ name: 'fieldValidation', in: 'query' }),
    );
  });

  it('has no document for a group that nobody serves', () => {
    expect(openApiV3Document('nobody.dev/v1', [crd])).toBeUndefined();
  });
});

describe('the index', () => {
  const paths = (crds: object[]): Record<string, { serverRelativeURL: string }> =>
    (openApiV3Root(['v1', 'apps/v1'], crds) as { paths: Record<string, { serverRelativeURL: string }> }).paths;

  it('lists the groups served and those of custom resources', () => {
    const listed = Object.keys(paths([crd]));
    expect(listed).toEqual(expect.arrayContaining(['api', 'api/v1', 'apis', 'apis/apps', 'apis/apps/v1']));
    expect(listed).toContain('apis/shoto.dev/v1alpha1');
    expect(listed).not.toContain('apis/batch/v1');
  });

  it('changes the hash of a document when its custom resource changes', () => {
    const changed = structuredClone(crd);
    changed.spec.versions[0]!.schema.openAPIV3Schema.description = 'Another one.';
    const url = (crds: object[]): string => paths(crds)['apis/shoto.dev/v1alpha1']!.serverRelativeURL;
    expect(url([crd])).toMatch(/^\/openapi\/v3\/apis\/shoto\.dev\/v1alpha1\?hash=[0-9A-F]{128}$/);
    expect(url([changed])).not.toBe(url([crd]));
    expect(url([structuredClone(crd)])).toBe(url([crd]));
  });
});

describe('OpenAPI v2', () => {
  const v2 = openApiV2([crd]) as { definitions: Record<string, JsonObject>; paths: Record<string, unknown> };
  it('has the definitions that old clients look up, without what v2 does not know', () => {
    expect(v2.definitions['io.k8s.apimachinery.pkg.util.intstr.IntOrString']).toMatchObject({
      type: 'string',
      format: 'int-or-string',
    });
    expect(v2.definitions['io.k8s.api.apps.v1.Deployment']?.properties).toMatchObject({
      spec: { $ref: '#/definitions/io.k8s.api.apps.v1.DeploymentSpec' },
    });
    expect(JSON.stringify(v2.definitions['dev.shoto.v1alpha1.Cluster'])).not.toMatch(/oneOf|nullable|"default"/);
  });
  it('refers to nothing that it does not define', () => {
    const references = JSON.stringify(v2.definitions).matchAll(/"\$ref":"#\/definitions\/([^"]+)"/g);
    for (const [, name] of references) expect(v2.definitions).toHaveProperty([name!]);
  });
});

describe('schemas of built-in types', () => {
  it('are there for every version that Kubernetes has, and only those', () => {
    expect(builtinSchema('', 'v1', 'Pod')).toBe(builtinSchema('', 'v1', 'Pod'));
    expect(builtinSchema('storage.k8s.io', 'v1', 'CSINode')).toBeDefined();
    expect(builtinSchema('', 'v2', 'Pod')).toBeUndefined();
  });
  it('find missing fields and wrong types at any depth', () => {
    const pod = { spec: { containers: [{ name: 'a', ports: [{ containerPort: '80' }] }, { image: 'i' }] } };
    const fields = builtinSchema('', 'v1', 'Pod')!
      .validate(pod)
      .map(({ type, field }) => `${type} ${field}`);
    expect(fields).toEqual([
      'FieldValueTypeInvalid spec.containers[0].ports[0].containerPort',
      'FieldValueRequired spec.containers[1].name',
    ]);
  });
  it('drop unknown fields and name them', () => {
    const pod = { spec: { containers: [{ name: 'a', nope: 1 }], volumes: [{ name: 'v', emptyDir: {} }] }, extra: 1 };
    expect(builtinSchema('', 'v1', 'Pod')!.prune(pod)).toEqual(['extra', 'spec.containers[0].nope']);
    expect(pod).toEqual({ spec: { containers: [{ name: 'a' }], volumes: [{ name: 'v', emptyDir: {} }] } });
  });
  it('follow schemas that contain themselves', () => {
    const nested = {
      spec: { validation: { openAPIV3Schema: { properties: { a: { properties: { b: { nope: 1 } } } } } } },
    };
    const schema = builtinSchema('apiextensions.k8s.io', 'v1', 'CustomResourceDefinition')!;
    const path = 'spec.versions[0].schema.openAPIV3Schema.properties.a.properties.b.nope';
    const crdObject = { spec: { versions: [{ schema: { openAPIV3Schema: nested.spec.validation.openAPIV3Schema } }] } };
    expect(schema.prune(crdObject)).toEqual([path]);
  });
});
