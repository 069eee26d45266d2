import { appendFileSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually, serve } from './test-support.ts';

let s: Awaited<ReturnType<typeof serve>>;
beforeEach(async () => {
  s = await serve();
});
afterEach(() => s.close());

const configMaps = '/api/v1/namespaces/default/configmaps';
const configMap = (name: string, data: Record<string, string> = { a: '1' }) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data,
});

const widgets = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.demo.dev' },
  spec: {
    group: 'demo.dev',
    scope: 'Namespaced',
    names: { plural: 'widgets', kind: 'Widget', shortNames: ['wg'] },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        selectableFields: [{ jsonPath: '.spec.color' }],
        additionalPrinterColumns: [{ name: 'Color', type: 'string', jsonPath: '.spec.color' }],
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                required: ['color'],
                properties: { color: { type: 'string' }, count: { type: 'integer', default: 2 } },
              },
              status: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
            },
          },
        },
      },
    ],
  },
};
const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const widgetPath = '/apis/demo.dev/v1/namespaces/default/widgets';
const widget = (name: string, spec: object = { color: 'red' }) => ({
  apiVersion: 'demo.dev/v1',
  kind: 'Widget',
  metadata: { name },
  spec,
});

describe('objects', () => {
  it('refuses an update with an outdated resourceVersion', async () => {
    const { body: first } = await s.call('POST', configMaps, configMap('c'));
    await s.call('PUT', `${configMaps}/c`, { ...first, data: { a: '2' } });

    const late = await s.call('PUT', `${configMaps}/c`, { ...first, data: { a: '3' } });

    expect(late.status).toBe(409);
    expect(late.body.reason).toBe('Conflict');
    expect(late.body.message).toBe(
      'Operation cannot be fulfilled on configmaps "c": the object has been modified; please apply your changes to the latest version and try again',
    );
  });

  it('does not raise the resourceVersion when nothing changes', async () => {
    const { body: first } = await s.call('POST', configMaps, configMap('c'));

    const same = await s.call('PUT', `${configMaps}/c`, first);

    expect(same.body.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
  });

  it('names what is missing, and what is there already', async () => {
    await s.call('POST', configMaps, configMap('c'));
    expect((await s.call('GET', `${configMaps}/x`)).body).toMatchObject({
      code: 404,
      reason: 'NotFound',
      message: 'configmaps "x" not found',
    });
    expect((await s.call('POST', configMaps, configMap('c'))).body).toMatchObject({
      code: 409,
      reason: 'AlreadyExists',
    });
    expect((await s.call('POST', '/api/v1/namespaces/nope/configmaps', configMap('c'))).body.message).toBe(
      'namespaces "nope" not found',
    );
    expect((await s.call('GET', '/apis/nope.dev/v1/things')).status).toBe(404);
  });

  it('stores nothing on a dry run', async () => {
    expect((await s.call('POST', `${configMaps}?dryRun=All`, configMap('c'))).status).toBe(201);
    expect((await s.call('GET', `${configMaps}/c`)).status).toBe(404);
  });

  it('refuses unknown fields when asked to be strict, and warns otherwise', async () => {
    const odd = { ...configMap('c'), colour: 'red' };

    const strict = await s.call('POST', `${configMaps}?fieldValidation=Strict`, odd);
    const loose = await s.call('POST', configMaps, odd);

    expect(strict.body.message).toBe(
      'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "colour"',
    );
    expect(loose.headers.get('warning')).toBe('299 - "unknown field \\"colour\\""');
  });

  it('keeps an object with finalizers until the last one is removed', async () => {
    await s.call('POST', configMaps, { ...configMap('c'), metadata: { name: 'c', finalizers: ['demo.dev/hold'] } });

    const deleted = await s.call('DELETE', `${configMaps}/c`);
    expect(deleted.body.metadata.deletionTimestamp).toBeDefined();
    await s.call(
      'PATCH',
      `${configMaps}/c`,
      { metadata: { finalizers: null } },
      { 'content-type': 'application/merge-patch+json' },
    );

    expect((await s.call('GET', `${configMaps}/c`)).status).toBe(404);
  });

  it('refuses a delete whose precondition names another object', async () => {
    await s.call('POST', configMaps, configMap('c'));
    const refused = await s.call('DELETE', `${configMaps}/c`, { preconditions: { uid: 'other' } });
    expect(refused.status).toBe(409);
  });

  it('answers 422 to a JSON patch whose test fails', async () => {
    await s.call('POST', configMaps, configMap('c'));
    const patch = [{ op: 'test', path: '/data/a', value: 'x' }];
    const refused = await s.call('PATCH', `${configMaps}/c`, patch, { 'content-type': 'application/json-patch+json' });
    expect(refused.body).toMatchObject({ code: 422, reason: 'Invalid' });
  });

  it('deletes dependents when their owner is gone', async () => {
    const { body: owner } = await s.call('POST', configMaps, configMap('owner'));
    const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: owner.metadata.uid }];
    await s.call('POST', configMaps, { ...configMap('dependent'), metadata: { name: 'dependent', ownerReferences } });

    await s.call('DELETE', `${configMaps}/owner`);

    await eventually(async () => (await s.call('GET', `${configMaps}/dependent`)).status === 404);
  });

  it('empties a namespace before it goes', async () => {
    await s.call('POST', '/api/v1/namespaces', { metadata: { name: 'team' } });
    await s.call('POST', '/api/v1/namespaces/team/configmaps', configMap('c'));

    await s.call('DELETE', '/api/v1/namespaces/team');

    await eventually(async () => (await s.call('GET', '/api/v1/namespaces/team')).status === 404);
    expect(s.api.store.count('configmaps', 'team')).toBe(0);
  });
});

it('takes a Node as a kubelet posts it, with a status that says little', async () => {
  const node = { metadata: { name: 'n' }, status: { conditions: [{ type: 'Ready', status: 'True' }] } };
  const { status, body } = await s.call('POST', '/api/v1/nodes', node);
  expect(status).toBe(201);
  expect(body.status).toEqual(node.status);
});

describe('lists', () => {
  it('shows one moment over all pages', async () => {
    for (const name of ['a', 'b', 'c']) await s.call('POST', configMaps, configMap(name, {}));
    const first = await s.call('GET', `${configMaps}?limit=2`);
    await s.call('DELETE', `${configMaps}/c`);

    const second = await s.call('GET', `${configMaps}?limit=2&continue=${String(first.body.metadata.continue)}`);

    const names = [
      ...(first.body.items as { metadata: { name: string } }[]),
      ...(second.body.items as { metadata: { name: string } }[]),
    ];
    expect(names.map((i) => i.metadata.name)).toEqual(['a', 'b', 'c']);
    expect(second.body.metadata.resourceVersion).toBe(first.body.metadata.resourceVersion);
  });

  it('answers 410 with a token to go on, once that moment is forgotten', async () => {
    for (const name of ['a', 'b', 'c']) await s.call('POST', configMaps, configMap(name, {}));
    const first = await s.call('GET', `${configMaps}?limit=1`);
    s.api.compact();
    await s.call('POST', configMaps, configMap('d'));
    s.api.compact();

    const gone = await s.call('GET', `${configMaps}?limit=1&continue=${String(first.body.metadata.continue)}`);
    const on = await s.call('GET', `${configMaps}?continue=${String(gone.body.metadata.continue)}`);

    expect(gone.body).toMatchObject({ code: 410, reason: 'Expired' });
    expect((on.body.items as unknown[]).length).toBe(3);
  });

  it('selects by labels and fields', async () => {
    await s.call('POST', configMaps, { ...configMap('a'), metadata: { name: 'a', labels: { tier: 'front' } } });
    await s.call('POST', configMaps, { ...configMap('b'), metadata: { name: 'b', labels: { tier: 'back' } } });
    const names = async (query: string) =>
      ((await s.call('GET', `${configMaps}?${query}`)).body.items as { metadata: { name: string } }[]).map(
        (i) => i.metadata.name,
      );

    expect(await names('labelSelector=tier in (front,side)')).toEqual(['a']);
    expect(await names('labelSelector=tier notin (front)')).toEqual(['b']);
    expect(await names('fieldSelector=metadata.name!=a')).toEqual(['b']);
    expect((await s.call('GET', `${configMaps}?fieldSelector=data.a=1`)).status).toBe(400);
  });

  it('gives tables with the columns of the kind', async () => {
    await s.call('POST', configMaps, configMap('c'));
    const table = await s.call('GET', configMaps, undefined, {
      accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json',
    });
    expect((table.body.columnDefinitions as { name: string }[]).map((c) => c.name)).toEqual(['Name', 'Data', 'Age']);
    expect((table.body.rows as { cells: unknown[] }[])[0]?.cells).toEqual(['c', 1, '0s']);
  });
});

describe('watches', () => {
  /** Reads events until `count` came or the stream ends. */
  async function events(
    query: string,
    count: number,
  ): Promise<{ type: string; object: { metadata: Record<string, unknown>; code?: number } }[]> {
    const answer = await fetch(`${s.base}${configMaps}?watch=true&${query}`, {
      headers: { authorization: 'Bearer admin' },
    });
    const found: Awaited<ReturnType<typeof events>> = [];
    let rest = '';
    const decoder = new TextDecoder();
    for await (const chunk of answer.body ?? []) {
      const lines = (rest + decoder.decode(chunk as Uint8Array)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) found.push(JSON.parse(line));
      if (found.length >= count) break;
    }
    return found;
  }

  it('resumes after a resourceVersion, and shows what leaves a selection as DELETED', async () => {
    const { body: before } = await s.call('POST', configMaps, {
      ...configMap('a'),
      metadata: { name: 'a', labels: { on: 'yes' } },
    });
    const patch = { metadata: { labels: { on: 'no' } } };
    await s.call('PATCH', `${configMaps}/a`, patch, { 'content-type': 'application/merge-patch+json' });
    await s.call('POST', configMaps, { ...configMap('b'), metadata: { name: 'b', labels: { on: 'yes' } } });

    const seen = await events(`resourceVersion=${String(before.metadata.resourceVersion)}&labelSelector=on=yes`, 2);

    expect(seen.map((e) => `${e.type} ${String(e.object.metadata.name)}`)).toEqual(['DELETED a', 'ADDED b']);
  });

  it('ends a list by watch with the bookmark that says so', async () => {
    await s.call('POST', configMaps, configMap('a'));
    const seen = await events('sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan', 2);
    expect(seen.map((e) => e.type)).toEqual(['ADDED', 'BOOKMARK']);
    expect(seen[1]?.object.metadata.annotations).toEqual({ 'k8s.io/initial-events-end': 'true' });
  });

  it('says 410 in the stream for a version that is forgotten', async () => {
    await s.call('POST', configMaps, configMap('a'));
    s.api.compact();
    const seen = await events('resourceVersion=3', 1);
    expect(seen[0]).toMatchObject({ type: 'ERROR', object: { code: 410 } });
  });
});

describe('custom resources', () => {
  it('are served at once, defaulted, selected by their own fields, and gone with their definition', async () => {
    await s.call('POST', crds, widgets);
    const { body: made } = await s.call('POST', widgetPath, widget('a'));
    await s.call('POST', widgetPath, widget('b', { color: 'blue' }));

    expect(made.spec).toEqual({ color: 'red', count: 2 });
    expect(((await s.call('GET', `${widgetPath}?fieldSelector=spec.color=blue`)).body.items as unknown[]).length).toBe(
      1,
    );

    await s.call('DELETE', `${crds}/widgets.demo.dev`);
    await eventually(async () => (await s.call('GET', widgetPath)).status === 404);
  });

  it('keep spec and status apart, and count generations of the spec only', async () => {
    await s.call('POST', crds, widgets);
    await s.call('POST', widgetPath, { ...widget('a'), status: { ready: true } });
    const merge = { 'content-type': 'application/merge-patch+json' };

    const status = await s.call(
      'PATCH',
      `${widgetPath}/a/status`,
      { status: { ready: false }, spec: { color: 'green' }, metadata: { labels: { x: 'y' } } },
      merge,
    );
    const spec = await s.call('PATCH', `${widgetPath}/a`, { spec: { color: 'green' }, status: { ready: true } }, merge);

    expect(status.body).toMatchObject({ spec: { color: 'red' }, status: { ready: false } });
    expect(status.body.metadata).toMatchObject({ generation: 1 });
    expect(status.body.metadata.labels).toBeUndefined();
    expect(spec.body).toMatchObject({
      spec: { color: 'green' },
      status: { ready: false },
      metadata: { generation: 2 },
    });
  });
});

describe('kept on disk', () => {
  it('has everything again after a kill, with a torn last line', async () => {
    await s.close();
    const directory = mkdtempSync(join(tmpdir(), 'api-'));
    s = await serve({ directory });
    await s.call('POST', crds, widgets);
    await s.call('POST', configMaps, configMap('gone'));
    const { body: made } = await s.call('POST', widgetPath, widget('a'));
    await s.call('DELETE', `${configMaps}/gone`);
    // As after SIGKILL: the file as it is, never closed.
    appendFileSync(join(directory, 'objects.jsonl'), '{"t":"configmaps","o":{"meta');

    const again = await serve({ directory });

    expect((await again.call('GET', `${widgetPath}/a`)).body.metadata).toMatchObject({
      uid: made.metadata.uid,
      resourceVersion: made.metadata.resourceVersion,
    });
    expect((await again.call('GET', `${configMaps}/gone`)).status).toBe(404);
    await again.close();
  });
});
