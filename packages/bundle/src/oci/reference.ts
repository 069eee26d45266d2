import { RegistryError } from './error.ts';

const PART = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const HOST = '[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\\[[0-9a-fA-F:.]+\\]';
const LOCATION = new RegExp(`^(?:oci://)?((?:${HOST})(?::[0-9]{1,5})?)((?:/${PART})*)/?$`);
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** A registry, and the path under which its bundles are. */
export interface RegistryLocation {
  /** `registry.example.com:5000` */
  host: string;
  /** `shoto/addons`; empty at the root. */
  prefix: string;
}

export const badReference = (text: string, right: string) =>
  new RegistryError('BadReference', `${JSON.stringify(text)} is not right: give ${right}`, { kind: 'terminal' });

/** Reads `oci://host[:port][/prefix]`. @throws {RegistryError} `BadReference` */
export function parseLocation(url: string): RegistryLocation {
  const [, host, path] = LOCATION.exec(url) ?? [];
  if (!host) throw badReference(url, 'oci://host[:port]/prefix, in lower case');
  return { host, prefix: path!.slice(1) };
}

/** A bundle in a registry. */
export interface BundleReference extends RegistryLocation {
  name: string;
  /** Tag or digest. */
  reference: string;
}

/** Reads `oci://host[:port]/prefix/name:version` or `...@sha256:...`. @throws {RegistryError} `BadReference` */
export function parseReference(text: string): BundleReference {
  const right = 'oci://host[:port]/prefix/name:version, or name@sha256:<digest>';
  const at = text.indexOf('@');
  const colon = at < 0 ? text.lastIndexOf(':') : at;
  const reference = text.slice(colon + 1);
  const isRight = at < 0 ? colon > text.lastIndexOf('/') && TAG.test(tagOf(reference)) : DIGEST.test(reference);
  const [, host, path] = colon < 0 || !isRight ? [] : (LOCATION.exec(text.slice(0, colon)) ?? []);
  if (!host || !path) throw badReference(text, right);
  const parts = path.slice(1).split('/');
  return { host, name: parts.pop()!, prefix: parts.join('/'), reference: at < 0 ? tagOf(reference) : reference };
}

/** The tag of a version: a tag cannot have a plus. */
export const tagOf = (version: string): string => version.replace(/\+/g, '_');

/** The version that a tag stands for; undefined where it stands for none (a signature, `latest`). */
export function versionOfTag(tag: string): string | undefined {
  const version = tag.replace(/_/g, '+');
  return /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/.test(version) ? version : undefined;
}

/** Whether text may stand for a manifest: a tag or a digest. */
export const isReference = (text: string): boolean => TAG.test(text) || DIGEST.test(text);

const NAME = new RegExp(`^${PART}$`);

/** The path of an addon's repository. @throws {RegistryError} `BadReference` */
export function repositoryOf(l: RegistryLocation, name: string): string {
  if (!NAME.test(name)) throw badReference(name, 'the name of an addon');
  return l.prefix ? `${l.prefix}/${name}` : name;
}
