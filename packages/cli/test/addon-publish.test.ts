import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRegistry, RegistryFaults } from '@shoto/simulator';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { startWorld, type World } from './world.ts';

let w: World;
let dir: string;
let hello: string;
let registry: Awaited<ReturnType<typeof createRegistry>>;
let faults: RegistryFaults;
let url: string;
let oci: string;

const clock = { now: Date.now, setTimeout: () => ({ cancel() {} }), sleep: async () => {} };
beforeEach(async () => {
  w = await startWorld();
  dir = await mkdtemp(join(tmpdir(), 'shoto-addon-'));
  hello = join(dir, 'hello');
  faults = new RegistryFaults(clock, { next: () => 0 });
  registry = await createRegistry({ faults });
  url = (await registry.listen('127.0.0.1', 0)).url;
  oci = `${url.replace('http:', 'oci:')}/team/addons`;
  expect((await shoto(['init', hello])).code).toBe(0);
});
afterEach(async () => {
  await w.close();
  await registry.close();
  await rm(dir, { recursive: true, force: true });
});

async function shoto(line: string[], o: Parameters<World['shoto']>[1] = {}) {
  const files: Record<string, string> = { ...o.files };
  // What lies in the test's own folder may be read.
  for (const [i, word] of line.entries())
    if (line[i - 1] === '--key' || line[i - 1] === '--ca') files[word] ??= await readFile(word, 'utf8');
  return w.shoto(['addon', ...line], { env: { HOME: dir }, ...o, files });
}
const plain = (line: string[], o: Parameters<World['shoto']>[1] = {}) => shoto([...line, '--plain-http'], o);
const digestIn = (out: string) => out.split('\n')[0]!;
async function edited(from: string, to: string): Promise<void> {
  const file = join(hello, 'bundle.yaml');
  await writeFile(file, (await readFile(file, 'utf8')).replace(from, to));
}
async function keys(name = join(dir, 'addons'), password = ''): Promise<string> {
  const made = await shoto(['keygen', name], {
    env: { HOME: dir, ...(password ? { COSIGN_PASSWORD: password } : {}) },
  });
  expect(made.code).toBe(0);
  return name;
}

describe('addon pack', () => {
  it('gives the same digest for the same files, in a layout that other tools read', async () => {
    const [a, b] = [join(dir, 'a.oci'), join(dir, 'b.oci')];
    const first = await shoto(['pack', hello, '--output', a]);
    expect(first).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^sha256:[0-9a-f]{64}\naddon\/hello 0\.1\.0 packed in .*a\.oci \([\d.]+ (B|KiB)\)\n$/),
    });
    expect(digestIn((await shoto(['pack', hello, '--output', b])).out)).toBe(digestIn(first.out));
    expect(JSON.parse(await readFile(join(a, 'oci-layout'), 'utf8'))).toEqual({ imageLayoutVersion: '1.0.0' });
    const index = JSON.parse(await readFile(join(a, 'index.json'), 'utf8'));
    expect(index.manifests).toMatchObject([
      {
        digest: digestIn(first.out),
        artifactType: 'application/vnd.shoto.bundle.v1+json',
        annotations: { 'org.opencontainers.image.ref.name': '0.1.0' },
      },
    ]);
    expect(await readdir(join(a, 'blobs/sha256'))).toHaveLength(3);
    expect(await shoto(['pack', hello, '--output', a])).toMatchObject({
      code: 2,
      err: expect.stringContaining('is not empty'),
    });
  });

  it('asks registries for digests that are not known, and leaves the rest of bundle.yaml as it is', async () => {
    const manifest = JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: [],
    });
    const answer = await fetch(`${url}/v2/images/agent/manifests/v1`, {
      method: 'PUT',
      headers: { 'content-type': 'application/vnd.oci.image.index.v1+json' },
      body: manifest,
    });
    const digest = answer.headers.get('docker-content-digest');
    const image = `${url.slice('http://'.length)}/images/agent`;
    await edited('images:', `# what it runs\nimages:\n  - { name: "${image}", tag: v1 }`);
    const packed = await plain(['pack', hello, '--resolve', '--output', join(dir, 'a.oci')]);
    expect(packed.err).toBe('');
    expect(packed.out).toContain(`${image}:v1: ${digest}\n`);
    expect(packed.out).toContain("pause:3.10.1: left as it is, since its registry is the cluster's");
    const text = await readFile(join(hello, 'bundle.yaml'), 'utf8');
    expect(text).toContain('# what it runs');
    expect(parse(text).images[0]).toEqual({ name: image, tag: 'v1', digest });
    await edited('tag: v1,', 'tag: v2,');
    await edited(`, digest: ${digest}`, '');
    expect(await plain(['pack', hello, '--resolve'])).toMatchObject({
      code: 3,
      err: expect.stringContaining(`${image}:v2 is not in its registry`),
    });
  });
});

describe('addon push', () => {
  it('publishes once; the same again is nothing new, other content is refused', async () => {
    const first = await plain(['push', hello, oci]);
    expect(first.code).toBe(0);
    expect(first.out).toMatch(/^sha256:[0-9a-f]{64}\naddon\/hello 0\.1\.0 published: [\d.]+ KiB sent in 0\.0 s\n$/);
    expect(first.err).toMatch(/^sending [\d.]+ KiB to 127\.0\.0\.1:\d+\/team\/addons\/hello:0\.1\.0\n$/);
    const again = await plain(['push', hello, oci]);
    expect(again.out).toContain('is there already, with this content');
    await edited('What hello is for, in a line', 'Something else');
    const other = await plain(['push', hello, oci]);
    expect([other.code, other.err]).toEqual([4, expect.stringContaining('VersionExists')]);
    await edited('version: 0.1.0', 'version: 0.1.1');
    expect((await plain(['push', hello, oci])).code).toBe(0);
    const tags = await (await fetch(`${url}/v2/team/addons/hello/tags/list`)).json();
    expect(tags).toEqual({ name: 'team/addons/hello', tags: ['0.1.0', '0.1.1'] });
  });

  it('takes what was packed, and tells programs in JSON', async () => {
    const packed = await shoto(['pack', hello, '--output', join(dir, 'p.oci')]);
    const { out, code } = await plain(['push', join(dir, 'p.oci'), oci, '-o', 'json']);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      name: 'hello',
      version: '0.1.0',
      digest: digestIn(packed.out),
      isNew: true,
    });
  });

  it('goes on where a connection broke, and ends with 6 where the registry is away', async () => {
    await writeFile(join(hello, 'dashboards.bin'), randomBytes(300_000));
    faults.add({ match: { operation: 'upload.put' }, count: 2, action: { type: 'cut', afterBytes: 100_000 } });
    expect(await plain(['push', hello, oci])).toMatchObject({ code: 0 });
    expect(faults.list()[0]?.hits).toBe(2);
    const fetched = join(dir, 'fetched');
    expect((await plain(['pull', `${oci}/hello:0.1.0`, '--output', fetched])).code).toBe(0);
    expect(await readFile(join(fetched, 'dashboards.bin'))).toEqual(await readFile(join(hello, 'dashboards.bin')));
    await registry.close();
    const away = await plain(['inspect', `${oci}/hello:0.1.0`]);
    expect([away.code, away.err]).toEqual([6, expect.stringContaining('RegistryUnreachable')]);
  });

  it('logs in by environment or as docker left it, and says no password', async () => {
    await registry.close();
    registry = await createRegistry({ users: [{ name: 'author', password: 'hunter2' }] });
    url = (await registry.listen('127.0.0.1', 0)).url;
    oci = `${url.replace('http:', 'oci:')}/addons`;
    const nobody = await plain(['push', hello, oci]);
    expect(nobody.code).toBe(5);
    const env = { HOME: dir, SHOTO_REGISTRY_USER: 'author', SHOTO_REGISTRY_PASSWORD: 'hunter3' };
    const wrong = await plain(['push', hello, oci], { env });
    expect(wrong.code).toBe(5);
    expect(`${wrong.out}${wrong.err}`).not.toContain('hunter');
    const config = JSON.stringify({ auths: { [new URL(url).host]: { auth: btoa('author:hunter2') } } });
    const files = { [join(dir, '.docker/config.json')]: config };
    expect((await plain(['push', hello, oci], { files })).code).toBe(0);
  });
});

describe('addon keygen, sign, pull, inspect', () => {
  it('make keys that only their owner reads, and never write over one', async () => {
    const name = await keys();
    expect((await stat(`${name}.key`)).mode & 0o777).toBe(0o600);
    expect(await readFile(`${name}.pub`, 'utf8')).toMatch(/^-----BEGIN PUBLIC KEY-----/);
    const again = await shoto(['keygen', name]);
    expect([again.code, again.err]).toEqual([2, expect.stringContaining('is there already')]);
    const sealed = await keys(join(dir, 'sealed'), 'pass');
    expect(await readFile(`${sealed}.key`, 'utf8')).toMatch(/^-----BEGIN ENCRYPTED (COSIGN|SIGSTORE) PRIVATE KEY-----/);
  });

  it('let only what was signed with a given key come in', async () => {
    const [ours, theirs] = [await keys(), await keys(join(dir, 'others'))];
    const reference = `${oci}/hello:0.1.0`;
    await plain(['push', hello, oci]);
    const fetched = join(dir, 'fetched');
    const unsigned = await plain(['pull', reference, '--output', fetched, '--key', `${ours}.pub`]);
    expect([unsigned.code, unsigned.err]).toEqual([1, expect.stringContaining('NotSigned')]);
    await expect(readdir(fetched)).rejects.toThrow();
    const signed = await plain(['sign', reference, '--key', `${ours}.key`]);
    expect(signed.out).toMatch(/^addon\/hello 0\.1\.0 \(sha256:\w+\) signed by sha256:\w+\n$/);
    expect(await plain(['pull', reference, '--output', fetched, '--key', `${theirs}.pub`])).toMatchObject({
      code: 1,
      err: expect.stringContaining('BadSignature'),
    });
    const { code, out } = await plain([
      'pull',
      reference,
      '--output',
      fetched,
      '--key',
      `${theirs}.pub`,
      '--key',
      `${ours}.pub`,
    ]);
    expect([code, out]).toEqual([0, expect.stringContaining('signed by sha256:')]);
    expect((await readdir(fetched)).sort()).toEqual((await readdir(hello)).sort());
  });

  it('sign while publishing, with a sealed key', async () => {
    const sealed = await keys(join(dir, 'sealed'), 'pass');
    const line = ['push', hello, oci, '--key', `${sealed}.key`];
    expect(await plain(line)).toMatchObject({ code: 2, err: expect.stringContaining('sealed.key') });
    const { out } = await plain(line, { env: { HOME: dir, COSIGN_PASSWORD: 'pass' } });
    expect(out).toMatch(/signed by sha256:\w+\n$/);
    const told = await plain(['inspect', `${oci}/hello:0.1.0`, '--key', `${sealed}.pub`]);
    expect(parse(told.out)).toMatchObject({
      name: 'hello',
      version: '0.1.0',
      kubernetes: '>=1.35 <1.37',
      signedBy: expect.stringMatching(/^sha256:/),
      images: ['{{facts.imageRepository}}/pause:3.10.1'],
    });
  });

  it('tell the same of a folder, of what was packed, and of what is published', async () => {
    await shoto(['pack', hello, '--output', join(dir, 'p.oci')]);
    await plain(['push', hello, oci]);
    const all = await Promise.all(
      [hello, join(dir, 'p.oci'), `${oci}/hello:0.1.0`].map((from) => plain(['inspect', from, '-o', 'json'])),
    );
    const [a, b, c] = all.map((r) => JSON.parse(r.out));
    expect(a).toEqual(b);
    expect(b).toEqual(c);
    expect(await plain(['inspect', `${oci}/hello:9.9.9`])).toMatchObject({ code: 3 });
    expect(await plain(['inspect', 'oci://no'])).toMatchObject({ code: 2 });
  });

  it('refuse what comes with other bytes than its digest says', async () => {
    await plain(['push', hello, oci]);
    faults.add({ match: { operation: 'blob.get' }, action: { type: 'corrupt' } });
    const fetched = join(dir, 'fetched');
    expect(await plain(['pull', `${oci}/hello:0.1.0`, '--output', fetched])).toMatchObject({
      code: 1,
      err: expect.stringContaining('DigestMismatch'),
    });
    await expect(readdir(fetched)).rejects.toThrow();
  });
});

it('addon lint and diff take the version before out of a registry', async () => {
  await plain(['push', hello, oci]);
  const file = join(hello, 'manifests/10-hello.yaml');
  await writeFile(file, (await readFile(file, 'utf8')).replace('cpu: 10m', 'cpu: 20m'));
  const { out } = await plain(['diff', hello, '--against', `${oci}/hello:0.1.0`]);
  expect(out).toContain('requests.cpu: "10m" -> "20m"');
  expect((await plain(['lint', hello, '--against', `${oci}/hello:0.1.0`])).code).toBe(0);
});
