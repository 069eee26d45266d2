import { RegistryError } from './error.ts';

/** A user of a registry. */
export interface Credentials {
  username: string;
  password: string;
}

/** What a registry asks for, out of `WWW-Authenticate`. */
export type Challenge = { scheme: 'basic' } | { scheme: 'bearer'; realm: string; service?: string; scope?: string };

/** Reads `WWW-Authenticate`. Undefined where it asks for something that is not known here. */
export function challengeOf(header: string | undefined): Challenge | undefined {
  if (header === undefined) return undefined;
  const [, scheme, rest] = /^\s*([A-Za-z]+)\s*(.*)$/s.exec(header) ?? [];
  if (scheme?.toLowerCase() === 'basic') return { scheme: 'basic' };
  if (scheme?.toLowerCase() !== 'bearer') return undefined;
  const parameters = new Map(
    [...rest!.matchAll(/([A-Za-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))/g)].map(([, key, quoted, bare]) => [
      key!.toLowerCase(),
      quoted?.replace(/\\(.)/g, '$1') ?? bare!,
    ]),
  );
  const [realm, service, scope] = ['realm', 'service', 'scope'].map((k) => parameters.get(k));
  if (!realm) return undefined;
  return { scheme: 'bearer', realm, ...(service ? { service } : {}), ...(scope ? { scope } : {}) };
}

/** The header of basic authentication. */
export const basic = (c: Credentials): string =>
  `Basic ${Buffer.from(`${c.username}:${c.password}`).toString('base64')}`;

/**
 * Where a token is asked for (distribution's token authentication).
 *
 * @param plainHttp - whether the registry is spoken to without TLS; else the realm must have it, since it gets our password
 * @throws {RegistryError} `Unauthorized`
 */
export function tokenUrl(c: Extract<Challenge, { scheme: 'bearer' }>, host: string, plainHttp: boolean): URL {
  const url = URL.canParse(c.realm) ? new URL(c.realm) : undefined;
  if (!url || (url.protocol !== 'https:' && !(plainHttp && url.protocol === 'http:')))
    throw new RegistryError(
      'Unauthorized',
      `${host}: the registry sends us for a token to ${JSON.stringify(c.realm.slice(0, 200))}, which is not https`,
      {
        kind: 'terminal',
      },
    );
  if (c.service) url.searchParams.set('service', c.service);
  if (c.scope) url.searchParams.set('scope', c.scope);
  return url;
}

/** The token of an answer, and for how long it is good, in ms. A minute where that is not said, as the specification has it. */
export function tokenOf(answer: unknown): { token: string; forMs: number } | undefined {
  const a = answer as { token?: unknown; access_token?: unknown; expires_in?: unknown } | null;
  const token = a?.token ?? a?.access_token;
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) return undefined;
  const seconds = typeof a!.expires_in === 'number' && a!.expires_in > 0 ? a!.expires_in : 60;
  return { token, forMs: Math.min(seconds, 3600) * 1000 };
}
