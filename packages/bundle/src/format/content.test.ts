import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bundleOf } from './content.ts';
import { readBundleDir } from './read-dir.ts';

const MANIFEST =
  'apiVersion: bundle.shoto.dev/v1alpha1\nkind: Bundle\nname: a\nversion: 1.0.0\nkubernetes: ">=1.35"\ncontent: { manifests: manifests }\n';
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bundle-'));
  await writeFile(join(dir, 'bundle.yaml'), MANIFEST);
  await mkdir(join(dir, 'manifests', 'deep'), { recursive: true });
  await writeFile(join(dir, 'manifests', 'deep', 'a.yaml'), 'a: 1');
  await writeFile(join(dir, 'README.md'), '# a');
});
afterEach(() => rm(dir, { recursive: true }));

describe('a folder', () => {
  it('is read with all its files, in order of their paths', async () => {
    await mkdir(join(dir, '.git'));
    await writeFile(join(dir, '.git', 'HEAD'), '');
    const b = await readBundleDir(dir);
    expect(b.manifest.name).toBe('a');
    expect([...b.files.keys()]).toEqual(['README.md', 'bundle.yaml', 'manifests/deep/a.yaml']);
  });
  it('with a link is refused, wherever that leads', async () => {
    await symlink('/etc/passwd', join(dir, 'manifests', 'b.yaml'));
    await expect(readBundleDir(dir)).rejects.toThrow('manifests/b.yaml: is a link or a special file');
  });
  it('that is too large is refused before it is read', async () => {
    await writeFile(join(dir, 'large'), '');
    await truncate(join(dir, 'large'), 200 * 1024 * 1024);
    await expect(readBundleDir(dir)).rejects.toThrow(/20\d MiB of files; a bundle may have 64 MiB unpacked/);
  });
  it('without bundle.yaml is none, and neither is what is no folder', async () => {
    await rm(join(dir, 'bundle.yaml'));
    await expect(readBundleDir(dir)).rejects.toThrow('bundle.yaml: is not there: this is no bundle');
    await expect(readBundleDir(join(dir, 'nope'))).rejects.toThrow('is no folder');
  });
});

describe('files', () => {
  it.each(['../a', '/etc/a', 'a/../../b', 'a//b', './a', 'a\\b', 'C:/a', `${'a'.repeat(241)}`])(
    'at %j are refused',
    (path) => {
      expect(() =>
        bundleOf([
          ['bundle.yaml', MANIFEST],
          [path, ''],
        ]),
      ).toThrow(/a path m/);
    },
  );
  it('that are no UTF-8 are refused where text is asked for', () => {
    expect(() => bundleOf([['bundle.yaml', new Uint8Array([0xff, 0xfe, 0x41])]])).toThrow('bundle.yaml: is not UTF-8');
  });
});
