import { ConfigError, MicroversionError } from './errors.ts';
import type { ServiceName } from './types.ts';

/** The microversions that a service offers; both undefined when it has none. */
export interface VersionRange {
  min: string | undefined;
  max: string | undefined;
}

/** Orders microversions by their numbers: 2.9 is before 2.10. Throws ConfigError when one is not "major.minor". */
export function compareMicroversions(a: string, b: string): number {
  const [aMajor, aMinor] = parts(a);
  const [bMajor, bMinor] = parts(b);
  return aMajor - bMajor || aMinor - bMinor;
}

function parts(version: string): [number, number] {
  const match = /^(\d+)\.(\d+)$/.exec(version);
  if (!match) throw new ConfigError(`microversion '${version}' is not of the form 2.79`);
  return [Number(match[1]), Number(match[2])];
}

/** What decides the microversion of one call. */
export interface MicroversionWish {
  service: ServiceName;
  offered: VersionRange;
  /** The newest one whose answers this package knows. */
  known: string;
  /** Asked for by the configuration or the caller; used as it is. */
  pinned?: string | undefined;
  /** The lowest one with which the call makes sense. */
  minimum?: string | undefined;
  /** What needs the minimum, for the message: "server tags". */
  what?: string | undefined;
}

/** The microversion to send: the pinned one, else the newest that both sides know; undefined for a service without any. */
export function chooseMicroversion(wish: MicroversionWish): string | undefined {
  const { offered, known, pinned, minimum, service } = wish;
  const what = wish.what ?? 'this call';
  if (offered.max === undefined || offered.min === undefined) {
    if (minimum === undefined && pinned === undefined) return undefined;
    throw new MicroversionError(
      `${service}: ${what} needs microversion ${pinned ?? minimum}; the service at this endpoint offers none`,
      { service },
    );
  }
  if (pinned !== undefined) {
    if (compareMicroversions(pinned, offered.min) < 0 || compareMicroversions(pinned, offered.max) > 0) {
      throw new MicroversionError(
        `${service}: microversion ${pinned} was asked for; the service offers ${offered.min} to ${offered.max}`,
        { service },
      );
    }
  }
  const newest = compareMicroversions(known, offered.max) < 0 ? known : offered.max;
  const chosen = pinned ?? newest;
  if (minimum !== undefined && compareMicroversions(chosen, minimum) < 0) {
    const reason =
      pinned === undefined ? `the service offers ${offered.min} to ${offered.max}` : `${pinned} was asked for`;
    throw new MicroversionError(`${service}: ${what} needs microversion ${minimum} or later; ${reason}`, { service });
  }
  if (compareMicroversions(chosen, offered.min) < 0) {
    throw new MicroversionError(
      `${service}: this package knows microversions up to ${known}; the service offers none before ${offered.min}`,
      { service },
    );
  }
  return chosen;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** Reads the microversions from a version document, `{"version": {...}}` or `{"versions": [...]}`; of many, those of `major` ("v2.1", "v3"). */
export function readVersionDocument(document: unknown, major: string | undefined): VersionRange {
  const none: VersionRange = { min: undefined, max: undefined };
  if (!isObject(document)) return none;
  const listed = document.version ?? document.versions;
  const versions = (Array.isArray(listed) ? listed : [listed]).filter(isObject);
  const wanted = major?.replace(/\.0$/, '');
  const found =
    versions.find((v) => typeof v.id === 'string' && v.id.replace(/\.0$/, '') === wanted) ??
    (versions.length === 1 ? versions[0] : undefined);
  if (!found) return none;
  const max = found.max_version ?? found.version;
  const min = found.min_version;
  if (typeof max !== 'string' || max === '' || typeof min !== 'string' || min === '') return none;
  return { min, max };
}
