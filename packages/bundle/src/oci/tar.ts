import { BundleError } from '../errors.ts';
import { LIMITS, pathProblem, tooLarge } from '../format/content.ts';

const BLOCK = 512;
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** A path as ustar keeps it: at most 100 bytes of name, and 155 before a slash. */
function split(path: string): [name: string, prefix: string] {
  const bytes = (s: string): number => encoder.encode(s).length;
  if (bytes(path) <= 100) return [path, ''];
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) {
    const [prefix, name] = [path.slice(0, at), path.slice(at + 1)];
    if (bytes(name) <= 100 && bytes(prefix) <= 155) return [name, prefix];
  }
  throw new BundleError('BrokenBundle', {
    file: path,
    message: 'the path is too long for an archive: shorten its names',
  });
}

function header(path: string, size: number): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const put = (at: number, text: string): void => block.set(encoder.encode(text), at);
  const octal = (at: number, length: number, n: number): void =>
    put(at, `${n.toString(8).padStart(length - 1, '0')}\0`);
  const [name, prefix] = split(path);
  put(0, name);
  octal(100, 8, 0o644);
  octal(108, 8, 0);
  octal(116, 8, 0);
  octal(124, 12, size);
  octal(136, 12, 0);
  put(148, ' '.repeat(8));
  put(156, '0');
  put(257, 'ustar\0');
  put(263, '00');
  put(345, prefix);
  const sum = block.reduce((a, b) => a + b, 0);
  put(148, `${sum.toString(8).padStart(6, '0')}\0 `);
  return block;
}

/** A tar (POSIX ustar) that is the same for the same files: in order of their paths, without times and owners. */
export function tar(files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const paths = [...files.keys()].sort();
  const pieces = paths.flatMap((path) => {
    const data = files.get(path)!;
    return [header(path, data.length), data, new Uint8Array((BLOCK - (data.length % BLOCK)) % BLOCK)];
  });
  return Buffer.concat([...pieces, new Uint8Array(2 * BLOCK)]);
}

/**
 * Reads a tar of regular files and folders. Everything else, links above all, is refused; so is a path that leads outside, and one that stands there twice.
 *
 * @throws {BundleError} `BrokenBundle`
 */
export function untar(data: Uint8Array): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  const broken = (message: string, file?: string) =>
    new BundleError('BrokenBundle', { ...(file === undefined ? {} : { file }), message });
  let bytes = 0;
  for (let at = 0; ; ) {
    if (at + BLOCK > data.length) throw broken('the archive ends in the middle');
    const block = data.subarray(at, at + BLOCK);
    at += BLOCK;
    if (block.every((b) => b === 0)) return files;
    const text = (from: number, length: number): string => {
      const field = block.subarray(from, from + length);
      const end = field.indexOf(0);
      try {
        return decoder.decode(end < 0 ? field : field.subarray(0, end));
      } catch {
        throw broken('the archive has a name that is not UTF-8');
      }
    };
    const number = (from: number, length: number): number => {
      const digits = text(from, length).trim();
      if (!/^[0-7]{1,12}$/.test(digits)) throw broken('the archive is damaged: a header has no numbers');
      return Number.parseInt(digits, 8);
    };
    const sum = block.reduce((a, b, i) => a + (i >= 148 && i < 156 ? 32 : b), 0);
    if (sum !== number(148, 8)) throw broken('the archive is damaged: a header has another checksum');
    const prefix = text(257, 5) === 'ustar' ? text(345, 155) : '';
    const path = (prefix ? `${prefix}/${text(0, 100)}` : text(0, 100)).replace(/^\.\//, '');
    const type = text(156, 1);
    const size = number(124, 12);
    if (type === '5') {
      if (path.split('/').includes('..') || path.startsWith('/'))
        throw broken('a path may not lead outside the bundle', path);
      continue;
    }
    if (type !== '0' && type !== '')
      throw broken('only regular files may be in a bundle: this is a link or something else', path);
    const problem = pathProblem(path);
    if (problem) throw broken(problem, path);
    if (files.has(path)) throw broken('the path stands there twice', path);
    if (files.size >= LIMITS.files) throw broken(`more than the ${LIMITS.files} files that a bundle may have`);
    bytes += size;
    if (bytes > LIMITS.unpackedBytes) throw broken(tooLarge(bytes));
    if (at + size > data.length) throw broken('the archive ends in the middle', path);
    files.set(path, data.subarray(at, at + size));
    at += Math.ceil(size / BLOCK) * BLOCK;
  }
}
