import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bundleOf } from '../format/content.ts';
import { packBundle, partsOf, readConfig, readOciManifest, unpackBundle } from './pack.ts';
import { parseLocation, parseReference, versionOfTag } from './reference.ts';
import { tar, untar } from './tar.ts';

const MANIFEST =
  'apiVersion: bundle.shoto.dev/v1alpha1\nkind: Bundle\nname: agent\nversion: 1.0.0\nkubernetes: ">=1.35"\ncontent: { manifests: m }\n';
const LONG = `${'folder/'.repeat(20)}${'n'.repeat(90)}.yaml`;
const FILES: [string, string][] = [
  ['bundle.yaml', MANIFEST],
  ['m/ä.yaml', 'a: 1\n'],
  ['m/empty', ''],
  [LONG, 'x'.repeat(512)],
];

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'pack-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

describe('a packed bundle', () => {
  it('is the same for the same files, in whatever order they come', () => {
    const one = packBundle(bundleOf(FILES));
    expect(packBundle(bundleOf([...FILES].reverse())).digest).toBe(one.digest);
    expect(packBundle(bundleOf([...FILES, ['x', '']])).digest).not.toBe(one.digest);
  });
  it('comes out as it went in', () => {
    const before = bundleOf(FILES);
    const packed = packBundle(before);
    const after = unpackBundle(packed.layer, readConfig(packed.config));
    expect([...after.files].map(([p, b]) => [p, Buffer.from(b).toString()])).toEqual(
      [...before.files].map(([p, b]) => [p, Buffer.from(b).toString()]),
    );
    const { config, layer } = partsOf(readOciManifest(packed.manifest));
    expect([config.size, layer.size]).toEqual([packed.config.length, packed.layer.length]);
  });
  it('is what tar reads, without times and owners', () => {
    const file = join(dir, 'a.tgz');
    writeFileSync(file, packBundle(bundleOf(FILES)).layer);
    const listed = execFileSync('tar', ['--utc', '--numeric-owner', '-tvzf', file], { encoding: 'utf8' });
    expect(listed.split('\n')[0]).toMatch(/^-rw-r--r-- 0\/0 +\d+ 1970-01-01 00:00 bundle\.yaml$/);
    execFileSync('tar', ['-xzf', file, '-C', dir]);
    expect(readFileSync(join(dir, 'm/ä.yaml'), 'utf8')).toBe('a: 1\n');
    expect(readFileSync(join(dir, LONG), 'utf8')).toHaveLength(512);
  });
  it('that somebody else packed with tar is read too', () => {
    const inside = join(dir, 'b');
    execFileSync('mkdir', ['-p', join(inside, 'm')]);
    for (const [path, text] of FILES.slice(0, 1)) writeFileSync(join(inside, path), text);
    const archive = execFileSync('tar', ['-czf', '-', '--format=ustar', '-C', inside, '.']);
    expect(unpackBundle(archive).manifest.name).toBe('agent');
  });
  it('whose configuration says something else is refused', () => {
    const packed = packBundle(bundleOf(FILES));
    const other = packBundle(bundleOf([['bundle.yaml', MANIFEST.replace('1.0.0', '2.0.0')]]));
    expect(() => unpackBundle(packed.layer, readConfig(other.config))).toThrow(
      'bundle.yaml: is not what the configuration of the artifact says',
    );
  });
});

describe('an archive', () => {
  const archive = (make: (block: Buffer) => void): Uint8Array => {
    const made = Buffer.from(tar(new Map([['bundle.yaml', Buffer.from(MANIFEST)]])));
    make(made);
    made.fill(' ', 148, 156);
    const sum = made.subarray(0, 512).reduce((a, b) => a + b, 0);
    made.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return made;
  };
  it.each<[string, (b: Buffer) => void, string]>([
    ['a symbolic link', (b) => b.write('2', 156), 'only regular files may be in a bundle'],
    ['a hard link', (b) => b.write('1', 156), 'only regular files may be in a bundle'],
    ['a device', (b) => b.write('3', 156), 'only regular files may be in a bundle'],
    ['a path to the outside', (b) => b.write('../../etc/pass\0', 0), 'may not lead outside'],
    ['an absolute path', (b) => b.write('/etc/passwd\0', 0), 'must be relative'],
    [
      'a folder on the outside',
      (b) => {
        b.write('../x\0', 0);
        b.write('5', 156);
      },
      'may not lead outside',
    ],
    ['a size that is not there', (b) => b.write('77777777777', 124), 'MiB of files; a bundle may have 64'],
    ['a size that is no number', (b) => b.write('x'.repeat(11), 124), 'a header has no numbers'],
  ])('with %s is refused', (_what, make, message) => {
    expect(() => untar(archive(make))).toThrow(message);
  });
  it('that is damaged or cut off is refused', () => {
    const good = Buffer.from(tar(new Map([['bundle.yaml', Buffer.from(MANIFEST)]])));
    expect(() => untar(good.subarray(0, 600))).toThrow('ends in the middle');
    expect(() => untar(good.subarray(0, 1024))).toThrow('ends in the middle');
    good[0]! ^= 1;
    expect(() => untar(good)).toThrow('another checksum');
  });
  it('with a path twice is refused', () => {
    const one = Buffer.from(tar(new Map([['bundle.yaml', Buffer.from(MANIFEST)]]))).subarray(0, 1024);
    expect(() => untar(Buffer.concat([one, one, Buffer.alloc(1024)]))).toThrow(
      'bundle.yaml: the path stands there twice',
    );
  });
  it('that grows without end is not unpacked', () => {
    expect(() => unpackBundle(gzipSync(Buffer.alloc(200 * 1024 * 1024)))).toThrow('larger than the 64 MiB');
    expect(() => unpackBundle(Buffer.from('no gzip'))).toThrow('cannot be unpacked');
  });
});

describe('a manifest', () => {
  const packed = packBundle(bundleOf(FILES));
  const changed = (change: object): Uint8Array =>
    Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(packed.manifest).toString()), ...change }));
  it.each([
    [
      {
        config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: `sha256:${'0'.repeat(64)}`, size: 1 },
      },
      'is no bundle: its configuration is application/vnd.oci.image.config.v1+json',
    ],
    [{ layers: [] }, 'must have one layer'],
    [{ layers: [{ mediaType: 'a', digest: '../x', size: 1 }] }, 'is no OCI image manifest'],
    [{ config: undefined }, 'is no OCI image manifest'],
    [{ schemaVersion: 1 }, 'is no OCI image manifest'],
  ])('with %j is refused', (change, message) => {
    expect(() => partsOf(readOciManifest(changed(change)))).toThrow(message);
  });
});

describe('a reference', () => {
  it.each([
    [
      'oci://registry.example.com/shoto/addons/agent:1.0.0',
      { host: 'registry.example.com', prefix: 'shoto/addons', name: 'agent', reference: '1.0.0' },
    ],
    ['127.0.0.1:5000/agent:1.0.0+b', { host: '127.0.0.1:5000', prefix: '', name: 'agent', reference: '1.0.0_b' }],
    [
      `oci://[::1]:5000/a/agent@sha256:${'a'.repeat(64)}`,
      { host: '[::1]:5000', prefix: 'a', name: 'agent', reference: `sha256:${'a'.repeat(64)}` },
    ],
  ])('%s is read', (text, expected) => {
    expect(parseReference(text)).toEqual(expected);
  });
  it.each([
    '',
    'agent',
    'oci://host/agent',
    'oci://host:5000/agent',
    'oci://host:1.0.0',
    'oci://host/../agent:1',
    'oci://host/Agent:1',
    'https://host/agent:1',
    'oci://host/agent@sha256:12',
    'oci://u:p@host/agent:1',
  ])('%j is refused with what would be right', (text) => {
    expect(() => parseReference(text)).toThrow('give oci://host[:port]/prefix/name:version');
  });
  it('of a registry may end with a slash', () => {
    expect(parseLocation('oci://host:5000/a/b/')).toEqual({ host: 'host:5000', prefix: 'a/b' });
    expect(parseLocation('oci://host')).toEqual({ host: 'host', prefix: '' });
    expect(() => parseLocation('oci://host/a b')).toThrow('give oci://host[:port]/prefix');
  });
  it('is a version, or another tag', () => {
    expect(['1.0.0', '1.0.0-rc.1_b', 'latest', `sha256-${'a'.repeat(64)}.sig`, '1.0'].map(versionOfTag)).toEqual([
      '1.0.0',
      '1.0.0-rc.1+b',
      undefined,
      undefined,
      undefined,
    ]);
  });
});
