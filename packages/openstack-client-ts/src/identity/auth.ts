import type { CloudConfig } from '../config/types.ts';
import { ConnectionError } from '../errors.ts';
import type { Clock } from '../http/clock.ts';
import type { TokenSource, Transport } from '../http/transport.ts';
import type { Fields } from '../types.ts';
import { authRequest } from './auth-request.ts';
import type { CatalogEntry } from './catalog.ts';

/** A token's content, as Keystone names it; without the token itself. */
export interface TokenInfo extends Fields {
  methods: string[];
  /** RFC 3339. */
  expires_at: string;
  issued_at: string;
  user: { id: string; name: string; domain: { id: string; name: string } };
  project?: { id: string; name: string; domain: { id: string; name: string } };
  domain?: { id: string; name: string };
  system?: { all?: boolean };
  roles?: { id: string; name: string }[];
  catalog?: CatalogEntry[];
  application_credential?: { id: string; name: string; restricted: boolean };
}

/** Between two tries to renew a token that is still good. */
const RENEWAL_PAUSE_MS = 5_000;

/** Keystone's v3 root for a configured auth_url: `/v2.0` and nothing at all mean `/v3`. */
export function keystoneRoot(authUrl: string): string {
  const bare = authUrl.replace(/\/+$/, '');
  return /\/v\d[\d.]*$/.test(bare) ? bare.replace(/\/v\d[\d.]*$/, '/v3') : `${bare}/v3`;
}

/** Logs in when needed, keeps the token, and gets a new one before it ends. Calls that come together share one log-in. */
export class Auth implements TokenSource {
  readonly #config: CloudConfig;
  readonly #transport: Transport;
  readonly #clock: Clock;
  #current: { token: string; info: TokenInfo; renewAt: number; endsAt: number } | undefined;
  #pending: Promise<{ token: string; info: TokenInfo }> | undefined;

  constructor(config: CloudConfig, transport: Transport, clock: Clock) {
    this.#config = config;
    this.#transport = transport;
    this.#clock = clock;
  }

  async token(): Promise<string> {
    return (await this.#valid()).token;
  }

  /** Content of the token in use: project, roles, catalog, expiry. */
  async info(): Promise<TokenInfo> {
    return (await this.#valid()).info;
  }

  invalidate(token: string): void {
    // Another caller may have renewed it meanwhile.
    if (this.#current?.token === token) this.#current = undefined;
  }

  async #valid(): Promise<{ token: string; info: TokenInfo }> {
    const current = this.#current;
    if (current && this.#clock.now() < current.renewAt) return current;
    this.#pending ??= this.#logIn().finally(() => {
      this.#pending = undefined;
    });
    try {
      return await this.#pending;
    } catch (error) {
      // Keystone is away for a moment, and the old token is still good: go on with it.
      if (current && current === this.#current && this.#clock.now() < current.endsAt) {
        current.renewAt = this.#clock.now() + RENEWAL_PAUSE_MS;
        return current;
      }
      throw error;
    }
  }

  async #logIn(): Promise<{ token: string; info: TokenInfo }> {
    const url = new URL(`${keystoneRoot(this.#config.authUrl)}/auth/tokens`);
    const answer = await this.#transport.send({
      service: 'identity',
      method: 'POST',
      url,
      body: authRequest(this.#config.auth),
      // A second token does no harm; it ends by itself.
      idempotent: true,
    });
    const token = answer.headers['x-subject-token'];
    const body = answer.body;
    if (token === undefined || typeof body !== 'object' || body === null || !('token' in body)) {
      throw new ConnectionError(`identity: POST ${url}: the answer is not Keystone's; check auth_url`, {
        service: 'identity',
        method: 'POST',
        url: url.toString(),
        status: answer.status,
      });
    }
    const info = body.token as TokenInfo;
    const now = this.#clock.now();
    const endsAt = Date.parse(info.expires_at);
    // A tenth of its life, at most two minutes: a call that starts now must end before the token does.
    const margin = Math.min(120_000, Math.max(0, (endsAt - now) / 10));
    const renewAt = Number.isNaN(endsAt) ? Number.POSITIVE_INFINITY : endsAt - margin;
    this.#current = { token, info, renewAt, endsAt };
    return this.#current;
  }
}
