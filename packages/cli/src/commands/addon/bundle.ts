import { type BundleContent, fits, type JsonObject, kubernetesData, pullBundle, readBundleDir } from '@shoto/bundle';
import type { Command } from 'commander';
import type { Context } from '../../context.ts';
import { CliError, EXIT } from '../../errors.ts';
import { parseValues } from '../cluster-addon.ts';
import { isReference, type RegistryOptions, referenceOf, told, withRegistry } from './registry.ts';

/** What a bundle is rendered with, as its author gives it. */
export interface RenderOptions {
  values?: string;
  facts?: string;
}

export const withRenderOptions = (command: Command): Command =>
  command
    .option('--values <file>', 'values as YAML; none: the defaults of the schema; - is standard input')
    .option('--facts <file>', 'facts of a cluster as YAML, over sample ones; - is standard input');

/**
 * Reads a bundle: in a folder, or in a registry by `oci://host/prefix/name:version`.
 *
 * @throws {CliError} with file, line, column and path of everything that is wrong
 */
export async function readBundle(c: Context, from: string, o: RegistryOptions = {}): Promise<BundleContent> {
  if (!isReference(from)) return told(readBundleDir(from));
  const { url, name, reference } = await referenceOf(from);
  return withRegistry(c, url, o, async (client) => (await pullBundle(client, name, reference)).content);
}

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
