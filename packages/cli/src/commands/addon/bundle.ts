import { type BundleContent, BundleError, fits, type JsonObject, kubernetesData, readBundleDir } from '@shoto/bundle';
import type { Command } from 'commander';
import type { Context } from '../../context.ts';
import { CliError, EXIT } from '../../errors.ts';
import { parseValues } from '../cluster-addon.ts';

/** What a bundle is rendered with, as its author gives it. */
export interface RenderOptions {
  values?: string;
  facts?: string;
}

export const withRenderOptions = (command: Command): Command =>
  command
    .option('--values <file>', 'values as YAML; none: the defaults of the schema; - is standard input')
    .option('--facts <file>', 'facts of a cluster as YAML, over sample ones; - is standard input');

/** Lets errors of a bundle be told as they are: each problem in a line of its own. */
export async function told<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (e) {
    if (!(e instanceof BundleError)) throw e;
    throw new CliError(EXIT.failed, `${e.reason}\n  ${e.message.split('; ').join('\n  ')}`);
  }
}

/** Reads the bundle in a folder. @throws {CliError} with file, line, column and path of everything that is wrong */
export const readBundle = (dir: string): Promise<BundleContent> => told(readBundleDir(dir));

/** Reads a file of values, or of facts. */
export const mapping = (c: Context, file: string | undefined): JsonObject =>
  file === undefined ? {} : (parseValues(file, c.read(file)) as JsonObject);

/** Kubernetes versions that are known and that a bundle fits, oldest first. */
export async function versionsOf(bundle: BundleContent): Promise<string[]> {
  return (await kubernetesData()).map((k) => k.version).filter((v) => fits(bundle.manifest.kubernetes, v));
}

/** The Kubernetes version that is meant: as given, or the newest known one that the bundle fits. */
export async function versionMeant(bundle: BundleContent, given: string | undefined): Promise<string> {
  if (given !== undefined) {
    const version = given.startsWith('v') ? given : `v${given}`;
    if (/^v1\.\d+$/.test(version)) return `${version}.0`;
    if (/^v1\.\d+\.\d+/.test(version)) return version;
    throw new CliError(EXIT.usage, `--kubernetes ${given}: write a version, such as 1.35 or v1.35.4`);
  }
  const newest = (await versionsOf(bundle)).at(-1);
  if (newest !== undefined) return newest;
  throw new CliError(
    EXIT.usage,
    `no Kubernetes that is known here is in ${bundle.manifest.kubernetes}: say one with --kubernetes`,
  );
}
