import type { Command } from 'commander';
import { Api, type GlobalOptions, settingsOf } from './client.ts';
import { CliError, EXIT } from './errors.ts';
import type { Screen } from './progress.ts';

/** What commands are given instead of globals. */
export interface Context {
  env: NodeJS.ProcessEnv;
  out: Screen;
  err: Screen;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** The text of a file, or of standard input for `-`. */
  read: (file: string) => string;
  /** Asks a person yes or no; absent where nobody sits at a terminal. */
  confirm?: (question: string) => Promise<boolean>;
}

/** The API and the tenant of one call. */
export interface Session {
  api: Api;
  tenant: string;
  /** Path of the tenant's clusters, or of one. */
  clusters: (name?: string) => string;
}

/** @throws {CliError} naming what is not set */
export function sessionOf(c: Context, command: Command): Session {
  const o = command.optsWithGlobals<GlobalOptions>();
  const api = new Api(settingsOf(o, c.env), (text) => c.err.write(`warning: ${text}\n`));
  const tenant = o.tenant ?? c.env.SHOTO_TENANT;
  if (!tenant)
    throw new CliError(
      EXIT.usage,
      'no tenant: set SHOTO_TENANT, or give --tenant NAME (shoto get tenants shows yours)',
    );
  const base = `/v1/tenants/${encodeURIComponent(tenant)}/clusters`;
  return { api, tenant, clusters: (name) => (name === undefined ? base : `${base}/${encodeURIComponent(name)}`) };
}

/**
 * A time such as `90s`, `15m`, `1h`, `7d`, or `0` for no limit.
 *
 * @returns milliseconds
 */
export function duration(text: string): number {
  const m = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text);
  if (!m) throw new CliError(EXIT.usage, `${JSON.stringify(text)} is no time: write 90s, 15m or 1h`);
  return Number(m[1]) * { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[(m[2] ?? 's') as 's'];
}
