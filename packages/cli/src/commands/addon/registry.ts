import { homedir } from 'node:os';
import { join } from 'node:path';
import {
  BundleError,
  type BundleReference,
  type Credentials,
  parseReference,
  problemText,
  RegistryClient,
  RegistryError,
  type RegistryReason,
  readPrivateKey,
  readPublicKey,
} from '@shoto/bundle';
import type { Command } from 'commander';
import type { Context } from '../../context.ts';
import { CliError, EXIT } from '../../errors.ts';

/** How a registry is reached. */
export interface RegistryOptions {
  plainHttp?: boolean;
  ca?: string;
}

export const withRegistryOptions = (command: Command): Command =>
  command
    .option('--plain-http', 'the registry has no TLS')
    .option('--ca <file>', 'PEM of the authority of its certificate');

const EXITS: Partial<Record<RegistryReason, number>> = {
  RegistryUnreachable: EXIT.unavailable,
  TimedOut: EXIT.unavailable,
  RegistryFailed: EXIT.unavailable,
  TooManyRequests: EXIT.unavailable,
  Unauthorized: EXIT.denied,
  Forbidden: EXIT.denied,
  NotFound: EXIT.notFound,
  VersionExists: EXIT.invalid,
  BadReference: EXIT.usage,
};

/** Lets errors of bundles and registries be told as they are: each problem in a line of its own. */
export async function told<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (e) {
    if (e instanceof BundleError)
      throw new CliError(EXIT.failed, `${e.reason}\n  ${e.problems.map(problemText).join('\n  ')}`);
    if (e instanceof RegistryError) throw new CliError(EXITS[e.reason] ?? EXIT.failed, `${e.reason}: ${e.message}`);
    throw e;
  }
}

/** Who we are at a registry: by environment, or as `docker login` left it. @throws {CliError} for a file that is broken */
export function credentialsFor(c: Context, host: string): Credentials | undefined {
  const { SHOTO_REGISTRY_USER: username, SHOTO_REGISTRY_PASSWORD: password } = c.env;
  if (username && password) return { username, password };
  const dir = c.env.DOCKER_CONFIG ?? join(c.env.HOME ?? homedir(), '.docker');
  const file = join(dir, 'config.json');
  let text: string;
  try {
    text = c.read(file);
  } catch {
    return undefined;
  }
  let auth: unknown;
  try {
    auth = (JSON.parse(text) as { auths?: Record<string, { auth?: unknown }> }).auths?.[host]?.auth;
  } catch {
    throw new CliError(
      EXIT.usage,
      `${file} is no JSON: log in anew, or set SHOTO_REGISTRY_USER and SHOTO_REGISTRY_PASSWORD`,
    );
  }
  if (typeof auth !== 'string') return undefined;
  const pair = Buffer.from(auth, 'base64').toString('utf8');
  const at = pair.indexOf(':');
  return at < 0 ? undefined : { username: pair.slice(0, at), password: pair.slice(at + 1) };
}

/** Uses a registry, and lets its connections go. @param url - `oci://host[:port]/prefix` */
export async function withRegistry<T>(
  c: Context,
  url: string,
  o: RegistryOptions,
  work: (client: RegistryClient) => Promise<T>,
): Promise<T> {
  return told(
    (async () => {
      const host = /^oci:\/\/([^/]+)/.exec(url)?.[1] ?? '';
      const client = new RegistryClient({
        url,
        plainHttp: o.plainHttp,
        credentials: credentialsFor(c, host),
        ...(o.ca === undefined ? {} : { caBundle: c.read(o.ca) }),
        userAgent: 'shoto',
      });
      try {
        return await work(client);
      } finally {
        await client.close();
      }
    })(),
  );
}

/** Whether text names a bundle in a registry, and not a folder. */
export const isReference = (text: string): boolean => text.startsWith('oci://');

/** Reads `oci://host/prefix/name:version`. @throws {CliError} */
export async function referenceOf(text: string): Promise<BundleReference & { url: string }> {
  return told(
    (async () => {
      const r = parseReference(text);
      return { ...r, url: `oci://${r.host}${r.prefix ? `/${r.prefix}` : ''}` };
    })(),
  );
}

/** Keys that may have signed, from files. */
export const publicKeysOf = (c: Context, files: string[]): ReturnType<typeof readPublicKey>[] =>
  files.map((file) => key(file, () => readPublicKey(c.read(file))));

/** The key that signs, from a file; its password comes by environment, as cosign's does. */
export function privateKeyOf(c: Context, file: string): ReturnType<typeof readPrivateKey> {
  return key(file, () => readPrivateKey(c.read(file), passwordOf(c)));
}

/** The password of private keys; empty where there is none. */
export const passwordOf = (c: Context): string => c.env.COSIGN_PASSWORD ?? '';

function key<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (e) {
    if (e instanceof BundleError) throw new CliError(EXIT.usage, `${file}: ${e.message}`);
    throw e;
  }
}
