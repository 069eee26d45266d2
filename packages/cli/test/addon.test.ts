import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApiServer } from '@shoto/simulator';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { startWorld, type World } from './world.ts';

let w: World;
let dir: string;
let hello: string;
beforeEach(async () => {
  w = await startWorld();
  dir = await mkdtemp(join(tmpdir(), 'shoto-addon-'));
  hello = join(dir, 'hello');
});
afterEach(async () => {
  await w.close();
  await rm(dir, { recursive: true, force: true });
});

const shoto = (line: string[], o: Parameters<World['shoto']>[1] = {}) => w.shoto(['addon', ...line], { env: {}, ...o });
async function begun(name = hello, ...more: string[]): Promise<string> {
  expect((await shoto(['init', name, ...more])).code).toBe(0);
  return name;
}
async function edit(file: string, change: (text: string) => string): Promise<void> {
  await writeFile(file, change(await readFile(file, 'utf8')));
}

describe('addon init', () => {
  it('begins a bundle that nothing can be said against, and that an API server takes', async () => {
    const { out } = await shoto(['init', hello]);
    expect(out).toContain('addon/hello begun in');
    expect(await shoto(['lint', hello])).toEqual({
      code: 0,
      out: 'addon/hello 0.1.0: 0 errors, 0 warnings\n',
      err: '',
    });
    const tested = await shoto(['test', hello]);
    expect(tested).toMatchObject({ code: 0, err: '' });
    expect(tested.out).toMatch(/^Kubernetes v1\.35\.\d+: 3 objects on a simulated API server: all taken$/m);
  });

  it('takes the name from the folder around a version, and leaves what is there alone', async () => {
    await begun(join(dir, 'things', '1.2.3'), '--addon-version', '1.2.3', '--kubernetes', '>=1.35');
    const manifest = parse(await readFile(join(dir, 'things/1.2.3/bundle.yaml'), 'utf8'));
    expect(manifest).toMatchObject({ name: 'things', version: '1.2.3', kubernetes: '>=1.35' });
    const again = await shoto(['init', join(dir, 'things')]);
    expect([again.code, again.err]).toEqual([2, expect.stringContaining('is not empty')]);
    const bad = await shoto(['init', join(dir, 'A_B')]);
    expect([bad.code, bad.err]).toEqual([2, expect.stringContaining('--name A_B: write lower-case letters')]);
  });
});

describe('addon lint', () => {
  it('ends with 1 where there is an error, and says where, what, and what would be right', async () => {
    await begun();
    await edit(join(hello, 'manifests/10-hello.yaml'), (t) => t.replace('replicas: "{{', 'replica: "{{'));
    const { code, out, err } = await shoto(['lint', hello]);
    expect(code).toBe(1);
    expect(out).toContain(
      'manifests/10-hello.yaml:7: error fields: spec.replica: Deployment hello/hello: is no field here (Kubernetes 1.35)\n    write replicas\n',
    );
    expect(err).toBe(`shoto: 1 errors in ${hello}\n`);
    const json = JSON.parse((await shoto(['lint', hello, '-o', 'json'])).out);
    expect(json.findings).toMatchObject([{ rule: 'fields', severity: 'error', line: 7, path: 'spec.replica' }]);
  });

  it('names every problem of a broken bundle', async () => {
    await begun();
    await edit(join(hello, 'bundle.yaml'), (t) =>
      t.replace('version: 0.1.0', 'version: one').replace('license', 'licence'),
    );
    const { code, err } = await shoto(['lint', hello]);
    expect(code).toBe(1);
    expect(err).toMatch(/InvalidManifest\n {2}bundle\.yaml:\d+:\d+: version: .*\n {2}bundle\.yaml:\d+:\d+: licence: /);
    expect(await shoto(['lint', join(dir, 'nowhere')])).toMatchObject({
      code: 1,
      err: expect.stringContaining('is no folder'),
    });
  });

  it('knows the mirror and the version before', async () => {
    await begun();
    expect((await shoto(['lint', hello, '--mirror', 'mirror.example.com'])).code).toBe(0);
    await edit(join(hello, 'manifests/10-hello.yaml'), (t) =>
      t.replace('{{facts.imageRepository}}', 'docker.io/library'),
    );
    const { out, code } = await shoto(['lint', hello, '--mirror', 'mirror.example.com', '--against', hello]);
    expect([code, out]).toEqual([1, expect.stringContaining('error image-mirror')]);
  });
});

describe('addon render', () => {
  it('prints what is applied, for given values, facts and version', async () => {
    await begun();
    const files = { 'v.yaml': 'replicas: 3', 'f.yaml': 'imageRepository: mirror.example.com/k8s' };
    const line = ['render', hello, '--values', 'v.yaml', '--facts', 'f.yaml', '--kubernetes', '1.35'];
    const yaml = await shoto(line, { files });
    const objects = parseAllDocuments(yaml.out).map((d) => d.toJS());
    expect(objects.map((o) => o.kind)).toEqual(['Namespace', 'Deployment', 'ConfigMap']);
    expect(objects[1].spec).toMatchObject({
      replicas: 3,
      template: { spec: { containers: [{ image: 'mirror.example.com/k8s/pause:3.10.1' }] } },
    });
    expect(JSON.parse((await shoto([...line, '-o', 'json'], { files })).out).items).toEqual(objects);
  });

  it('refuses values that the schema does not take', async () => {
    await begun();
    const { code, err } = await shoto(['render', hello, '--values', 'v.yaml'], {
      files: { 'v.yaml': 'replicas: many' },
    });
    expect([code, err]).toEqual([1, expect.stringContaining('values.replicas')]);
    expect(await shoto(['render', hello, '--kubernetes', 'new'])).toMatchObject({ code: 2 });
  });
});

const CRD = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'things.example.org' },
  spec: {
    group: 'example.org',
    scope: 'Namespaced',
    names: { kind: 'Thing', plural: 'things', singular: 'thing', listKind: 'ThingList' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: { spec: { type: 'object', properties: { size: { type: 'integer' } } } },
          },
        },
      },
    ],
  },
};
const thing = (size: unknown) => ({
  apiVersion: 'example.org/v1',
  kind: 'Thing',
  metadata: { name: 't' },
  spec: { size },
});

/** A cluster, and a kubeconfig for it. */
async function startCluster() {
  const api = createApiServer({
    version: 'v1.35.4',
    authn: { staticTokens: [{ token: 't', user: 'a', groups: ['system:masters'] }] },
  });
  const server = createServer((request, response) => void api.handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const kubeconfig = stringify({
    'current-context': 'c',
    clusters: [{ name: 'c', cluster: { server: url } }],
    users: [{ name: 'a', user: { token: 't' } }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'a' } }],
  });
  const ask = async (method: string, path: string, body?: unknown, type = 'application/json') => {
    const headers = { authorization: 'Bearer t', 'content-type': type };
    const answer = await fetch(url + path, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) });
    return answer.status;
  };
  const close = async () => {
    api.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { files: { kubeconfig }, ask, close };
}

describe('addon test', () => {
  it('lets objects meet the CRDs that come with them, and ends with 1 where one is refused', async () => {
    await begun();
    await writeFile(join(hello, 'manifests/20-thing.yaml'), `${stringify(CRD)}---\n${stringify(thing(1))}`);
    expect(await shoto(['test', hello])).toMatchObject({ code: 0, out: expect.stringContaining('5 objects') });
    await writeFile(join(hello, 'manifests/20-thing.yaml'), `${stringify(CRD)}---\n${stringify(thing('big'))}`);
    const { code, out } = await shoto(['test', hello]);
    expect(code).toBe(1);
    expect(out).toMatch(/Thing hello\/t: .*spec\.size/);
  });

  it('asks a cluster by dry run, and changes nothing there', async () => {
    await begun();
    await writeFile(join(hello, 'manifests/20-thing.yaml'), `${stringify(CRD)}---\n${stringify(thing(1))}`);
    const { files, ask, close } = await startCluster();
    try {
      const { code, out, err } = await shoto(['test', hello, '--kubeconfig', 'kubeconfig'], { files });
      expect([code, err]).toEqual([0, '']);
      expect(out).toContain('5 objects on the cluster, as a dry run: all taken');
      expect(out).toContain(
        'note: Thing hello/t: its kind comes with the bundle; it was tried on a simulated API server',
      );
      expect(await ask('GET', '/api/v1/namespaces/hello')).toBe(404);
      expect(await ask('GET', '/apis/example.org/v1/things')).toBe(404);
      await edit(join(hello, 'bundle.yaml'), (t) => t.replace('>=1.35 <1.37', '>=1.36'));
      const other = await shoto(['test', hello, '--kubeconfig', 'kubeconfig'], { files });
      expect([other.code, other.err]).toEqual([4, expect.stringContaining('the cluster has Kubernetes v1.35.4')]);
    } finally {
      await close();
    }
  });
});

describe('addon diff', () => {
  it('tells what another version changes, and nothing of secrets', async () => {
    const before = await begun(join(dir, 'before'), '--name', 'hello');
    await begun();
    const secret = (key: string) =>
      stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, stringData: { key } });
    await writeFile(join(before, 'manifests/20-secret.yaml'), secret('hunter1'));
    await writeFile(join(hello, 'manifests/20-secret.yaml'), secret('hunter2'));
    await edit(join(hello, 'manifests/10-hello.yaml'), (t) => t.replace('cpu: 10m', 'cpu: 20m'));
    await rm(join(before, 'alerts'), { recursive: true });
    const { code, out } = await shoto(['diff', hello, '--against', before]);
    expect(code).toBe(0);
    expect(out).toContain(
      '~ Deployment hello/hello\n    ~ spec.template.spec.containers[hello].resources.requests.cpu: "10m" -> "20m"\n',
    );
    expect(out).toContain('~ Secret hello/s\n    ~ stringData.key: (secret)\n');
    expect(out).toMatch(/^\+ ConfigMap hello\//m);
    expect(out).not.toContain('hunter');
    expect(await shoto(['diff', hello, '--against', before, '--exit-code'])).toMatchObject({ code: 1 });
    expect(await shoto(['diff', hello, '--against', hello, '--exit-code'])).toMatchObject({
      code: 0,
      out: 'no difference\n',
    });
  });

  it('tells what would change on a cluster, and what would go', async () => {
    await begun();
    const { files, ask, close } = await startCluster();
    try {
      const objects = JSON.parse((await shoto(['render', hello, '-o', 'json'])).out).items;
      const paths: Record<string, string> = {
        Namespace: '/api/v1/namespaces/hello',
        Deployment: '/apis/apps/v1/namespaces/hello/deployments/hello',
      };
      for (const o of objects.slice(0, 2))
        await ask(
          'PATCH',
          `${paths[o.kind]}?fieldManager=shoto-addon-manager&force=true`,
          o,
          'application/apply-patch+yaml',
        );
      const old = { ...objects[1], metadata: { ...objects[1].metadata, name: 'old' } };
      await ask('POST', '/apis/apps/v1/namespaces/hello/deployments', old);
      const line = ['diff', hello, '--kubeconfig', 'kubeconfig'];
      const same = await shoto(line, { files });
      expect(same.out).toMatch(/^\+ ConfigMap hello\/\S+\n- Deployment hello\/old\n$/);
      await writeFile(join(dir, 'v.yaml'), '');
      const more = await shoto([...line, '--values', 'v.yaml', '-o', 'json'], {
        files: { ...files, 'v.yaml': 'replicas: 2' },
      });
      expect(JSON.parse(more.out).changes).toContainEqual({
        object: 'Deployment hello/hello',
        change: 'changed',
        fields: ['~ spec.replicas: 1 -> 2'],
      });
    } finally {
      await close();
    }
  });

  it('wants to know against what', async () => {
    await mkdir(hello);
    expect(await shoto(['diff', hello])).toMatchObject({
      code: 2,
      err: expect.stringContaining('--against or --kubeconfig'),
    });
  });
});
