import { BundleError, type BundleProblem } from '../errors.ts';
import type { BundleManifest } from './manifest.ts';
import { parseBundleManifest } from './parse.ts';

/** A bundle in memory. Not changed once it is made: what is computed from it is kept by its identity. */
export interface BundleContent {
  readonly manifest: BundleManifest;
  /** Every file by its path inside the bundle (`/` between folders), `bundle.yaml` too. In order of the paths' code units. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** What a bundle may be at most. */
export const LIMITS = {
  /** All files together, in bytes. */
  unpackedBytes: 64 * 1024 * 1024,
  /** As the layer of an OCI artifact, in bytes. */
  packedBytes: 16 * 1024 * 1024,
  /** Of the configuration of an artifact: bundle.yaml as JSON. */
  configBytes: 1024 * 1024,
  files: 4096,
  pathLength: 240,
} as const;

/** Why a path may not be one of a bundle; undefined where it may. */
export function pathProblem(path: string): string | undefined {
  if (path.length > LIMITS.pathLength) return `a path may have ${LIMITS.pathLength} characters`;
  if (path.startsWith('/') || /^[A-Za-z]:/.test(path)) return 'a path must be relative to the bundle';
  if (/[\\\0]/.test(path)) return 'a path may hold no backslash and no NUL';
  if (path.split('/').some((s) => s === '' || s === '.' || s === '..')) return 'a path may not lead outside the bundle';
  return undefined;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });

/** A file as text. @throws {BundleError} `BrokenBundle` where it is not there, or no UTF-8 */
export function textOf(files: ReadonlyMap<string, Uint8Array>, file: string): string {
  const bytes = files.get(file);
  if (!bytes) throw new BundleError('BrokenBundle', { file, message: 'is not in the bundle' });
  try {
    return utf8.decode(bytes);
  } catch {
    throw new BundleError('BrokenBundle', { file, message: 'is not UTF-8' });
  }
}

/** Files directly in a folder (`''` is the bundle itself) with one of these endings, in order of their names. */
export function filesIn(files: ReadonlyMap<string, Uint8Array>, folder: string, endings: string[]): string[] {
  const prefix = folder === '' ? '' : `${folder.replace(/\/+$/, '')}/`;
  return [...files.keys()].filter(
    (f) => f.startsWith(prefix) && !f.slice(prefix.length).includes('/') && endings.some((e) => f.endsWith(e)),
  );
}

/**
 * Makes a bundle of its files: checks paths and sizes, reads `bundle.yaml`.
 *
 * @throws {BundleError} `BrokenBundle`, `BrokenYaml`, `InvalidManifest`
 */
export function bundleOf(given: Iterable<readonly [string, Uint8Array | string]>): BundleContent {
  const encoder = new TextEncoder();
  const entries = [...given].map(([path, data]): [string, Uint8Array] => [
    path,
    typeof data === 'string' ? encoder.encode(data) : data,
  ]);
  const problems: BundleProblem[] = entries.flatMap(([file]) => {
    const message = pathProblem(file);
    return message ? [{ file, message }] : [];
  });
  const files = new Map(entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  if (files.size !== entries.length) problems.push({ message: 'a path stands there twice' });
  if (files.size > LIMITS.files) problems.push({ message: `${files.size} files; a bundle may have ${LIMITS.files}` });
  const bytes = entries.reduce((n, [, data]) => n + data.length, 0);
  if (bytes > LIMITS.unpackedBytes) problems.push({ message: tooLarge(bytes) });
  if (problems.length > 0) throw new BundleError('BrokenBundle', problems);
  if (!files.has('bundle.yaml'))
    throw new BundleError('BrokenBundle', { file: 'bundle.yaml', message: 'is not there: this is no bundle' });
  return { manifest: parseBundleManifest(textOf(files, 'bundle.yaml')), files };
}

export const tooLarge = (bytes: number): string =>
  `${Math.ceil(bytes / 1024 / 1024)} MiB of files; a bundle may have ${LIMITS.unpackedBytes / 1024 / 1024} MiB unpacked`;
