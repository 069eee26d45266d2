import { constants } from 'node:fs';
import { lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BundleError } from '../errors.ts';
import { type BundleContent, bundleOf, LIMITS, pathProblem, tooLarge } from './content.ts';

/** What no bundle means to hold. */
const LEFT_OUT = new Set(['.git', '.DS_Store', 'node_modules']);

/**
 * Reads a bundle from a folder. Symbolic links and special files are refused, and so is what is larger than a bundle may be, before it is read.
 *
 * @throws {BundleError} `BrokenBundle`, `BrokenYaml`, `InvalidManifest`
 */
export async function readBundleDir(dir: string): Promise<BundleContent> {
  const files: [string, Uint8Array][] = [];
  let bytes = 0;
  const walk = async (folder: string): Promise<void> => {
    const entries = await readdir(join(dir, folder), { withFileTypes: true }).catch((e: NodeJS.ErrnoException) => {
      if (folder === '' && (e.code === 'ENOENT' || e.code === 'ENOTDIR'))
        throw new BundleError('BrokenBundle', { file: dir, message: 'is no folder: give that of a bundle' });
      throw e;
    });
    for (const entry of entries) {
      if (LEFT_OUT.has(entry.name)) continue;
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      const problem = pathProblem(path);
      if (problem) throw new BundleError('BrokenBundle', { file: path, message: problem });
      if (entry.isDirectory()) {
        await walk(path);
        continue;
      }
      if (!entry.isFile())
        throw new BundleError('BrokenBundle', {
          file: path,
          message: 'is a link or a special file: give a regular file',
        });
      bytes += (await lstat(join(dir, path))).size;
      if (bytes > LIMITS.unpackedBytes) throw new BundleError('BrokenBundle', { message: tooLarge(bytes) });
      if (files.length >= LIMITS.files)
        throw new BundleError('BrokenBundle', {
          message: `more than the ${LIMITS.files} files that a bundle may have`,
        });
      files.push([path, await readFileOnly(join(dir, path))]);
    }
  };
  await walk('');
  return bundleOf(files);
}

/** Does not follow a link that came after the look. */
async function readFileOnly(path: string): Promise<Uint8Array> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}
