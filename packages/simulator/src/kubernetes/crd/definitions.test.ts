import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually, serve } from '../test-support.ts';

let s: Awaited<ReturnType<typeof serve>>;
beforeEach(async () => {
  s = await serve();
});
afterEach(() => s.close());

const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const crd = (plural: string, kind: string, spec: object = { type: 'object' }) => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${plural}.demo.dev` },
  spec: {
    group: 'demo.dev',
    scope: 'Namespaced',
    names: { plural, kind },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', properties: { spec } } },
      },
    ],
  },
});
const conditions = async (name: string) => {
  const { body } = await s.call('GET', `${crds}/${name}`);
  const all = (body.status as { conditions: { type: string; status: string; reason: string; message: string }[] })
    .conditions;
  return Object.fromEntries(all.map((c) => [c.type, `${c.status} ${c.reason}: ${c.message}`]));
};

describe('CustomResourceDefinitions', () => {
  it('refuses a schema without types, and a rule that does not compile, and says where', async () => {
    const untyped = await s.call('POST', crds, crd('widgets', 'Widget', { properties: {} }));
    expect(untyped.status).toBe(422);
    expect(untyped.body.message).toContain('spec.validation.openAPIV3Schema.properties[spec].type: Required value');
    const rule = { type: 'object', 'x-kubernetes-validations': [{ rule: 'self.absent > 1' }] };
    const wrong = await s.call('POST', crds, crd('widgets', 'Widget', rule));
    expect(wrong.status).toBe(422);
    expect(wrong.body.message).toContain(
      'spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-validations[0].rule',
    );
  });

  it('leaves a kind to the first definition of its name, and gives it to the next when that one goes', async () => {
    await s.call('POST', crds, crd('widgets', 'Widget'));
    expect((await s.call('POST', crds, crd('gadgets', 'Widget'))).status).toBe(201);
    expect(await conditions('gadgets.demo.dev')).toEqual({
      NamesAccepted: 'False ListKindConflict: "WidgetList" is already in use',
      Established: 'False NotAccepted: not all names are accepted',
    });
    expect((await s.call('GET', '/apis/demo.dev/v1/gadgets')).status).toBe(404);

    await s.call('DELETE', `${crds}/widgets.demo.dev`);

    await eventually(async () => (await conditions('gadgets.demo.dev')).Established?.startsWith('True'));
    expect((await s.call('GET', '/apis/demo.dev/v1/gadgets')).status).toBe(200);
  });

  it('ends the watches of a definition that goes', async () => {
    await s.call('POST', crds, crd('widgets', 'Widget'));
    const watch = await fetch(`${s.base}/apis/demo.dev/v1/widgets?watch=1`, {
      headers: { authorization: 'Bearer admin' },
    });
    await s.call('DELETE', `${crds}/widgets.demo.dev`);
    // Only an ended stream has a whole text.
    expect(await watch.text()).toBe('');
  });
});
