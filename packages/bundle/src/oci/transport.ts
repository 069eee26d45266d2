import { Agent, type Dispatcher, request } from 'undici';
import { basic, type Challenge, type Credentials, challengeOf, tokenOf, tokenUrl } from './auth.ts';
import { RegistryError, refusal } from './error.ts';

export interface TransportOptions {
  /** `registry.example.com:5000` */
  host: string;
  /** Without TLS. Default false. */
  plainHttp?: boolean | undefined;
  credentials?: Credentials | undefined;
  /** PEM; used in place of the authorities that Node knows. */
  caBundle?: string | undefined;
  /** How long nothing may come, in ms. Default 30 s. */
  timeoutMs?: number | undefined;
  /** How long a whole answer may take, in ms. Default 10 minutes. */
  totalTimeoutMs?: number | undefined;
  userAgent?: string | undefined;
  /** Milliseconds since the epoch. */
  now?: (() => number) | undefined;
  signal?: AbortSignal | undefined;
}

export interface Ask {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path on the registry, or an address that the registry gave. */
  url: string;
  headers?: Record<string, string>;
  body?: Uint8Array;
  /** For messages: what is asked for. */
  what: string;
  /** Statuses that are no refusal. */
  ok: readonly number[];
}

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Dispatcher.ResponseData['body'];
  /** Where it came from, after redirects. */
  url: string;
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** Of an error's body. */
const LARGEST_ERROR = 16 * 1024;

/** HTTP to one registry: who we are, redirects, time-outs, and refusals as errors. */
export class Transport {
  readonly host: string;
  readonly #o: TransportOptions;
  readonly #agent: Agent;
  readonly #base: string;
  readonly #now: () => number;
  /** What the registry asked for last, by scope; and the token for it. */
  readonly #tokens = new Map<string, { authorization: string; until: number }>();
  #basic = false;

  constructor(o: TransportOptions) {
    this.#o = o;
    this.host = o.host;
    this.#base = `${o.plainHttp ? 'http' : 'https'}://${o.host}`;
    this.#now = o.now ?? Date.now;
    const idle = o.timeoutMs ?? 30_000;
    this.#agent = new Agent({
      headersTimeout: idle,
      bodyTimeout: idle,
      connections: 4,
      // On HTTP/2 undici throws, where nobody can catch it, when it is destroyed with requests under way.
      allowH2: false,
      connect: { timeout: Math.min(idle, 10_000), ...(o.caBundle === undefined ? {} : { ca: o.caBundle }) },
    });
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  /** @throws {RegistryError} */
  async send(ask: Ask): Promise<Answer> {
    let url = new URL(ask.url, `${this.#base}/`);
    if (!this.#isSafe(url))
      throw this.#bad(
        ask,
        `the registry sends us to ${url.protocol}//${url.host}, which is not https: mend its own address`,
      );
    const scope = scopeOf(ask);
    let authorization = this.#known(scope);
    let asked = false;
    for (let hops = 0; hops <= 5; ) {
      const home = url.origin === new URL(this.#base).origin;
      const answer = await this.#once(ask, url, home ? authorization : undefined);
      if (ask.ok.includes(answer.status)) return answer;
      if (
        REDIRECTS.has(answer.status) &&
        typeof answer.headers.location === 'string' &&
        (ask.method === 'GET' || ask.method === 'HEAD')
      ) {
        await discard(answer);
        const next = new URL(answer.headers.location, url);
        if (!this.#isSafe(next))
          throw this.#bad(ask, `the registry sends us to ${next.protocol}//${next.host}, which is not https`);
        url = next;
        hops += 1;
        continue;
      }
      const challenge =
        answer.status === 401 && home && !asked ? challengeOf(first(answer.headers['www-authenticate'])) : undefined;
      const credential = challenge ? await this.#answerTo(challenge, scope, ask.what, authorization) : undefined;
      if (credential !== undefined) {
        await discard(answer);
        authorization = credential;
        asked = true;
        continue;
      }
      throw await this.#refused(ask, answer);
    }
    throw this.#bad(ask, 'the registry sends us on and on');
  }

  /** @throws {RegistryError} `BadAnswer` where it is larger, or no JSON */
  async json(answer: Answer, what: string, max = 4 * 1024 * 1024): Promise<unknown> {
    const bytes = await this.bytes(answer, what, max);
    try {
      return JSON.parse(Buffer.from(bytes).toString('utf8'));
    } catch {
      throw new RegistryError('BadAnswer', `${this.host}: ${what}: the answer is no JSON`, { kind: 'terminal' });
    }
  }

  /** The body of an answer, as a whole. @throws {RegistryError} `TooLarge`, `RegistryUnreachable` where it breaks off */
  async bytes(answer: Answer, what: string, max: number): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    let size = 0;
    try {
      for await (const piece of answer.body as AsyncIterable<Uint8Array>) {
        size += piece.length;
        if (size > max)
          throw new RegistryError('TooLarge', `${this.host}: ${what}: more than ${max} bytes`, { kind: 'terminal' });
        pieces.push(piece);
      }
    } catch (e) {
      throw this.failure(e, what);
    }
    return Buffer.concat(pieces);
  }

  /** What a connection that fails becomes. */
  failure(e: unknown, what: string): RegistryError {
    if (e instanceof RegistryError) return e;
    const { code, name, message } = e as NodeJS.ErrnoException;
    const timedOut = /TIMEOUT/.test(code ?? '') || name === 'TimeoutError';
    if (name === 'AbortError' && this.#o.signal?.aborted) throw e;
    if (/CERT|SELF_SIGNED|LEAF_SIGNATURE/.test(code ?? ''))
      return new RegistryError(
        'Untrusted',
        `${this.host}: ${what}: its certificate is not trusted (${code}): give the authority that issued it as caBundle`,
        { kind: 'terminal', cause: e },
      );
    return timedOut
      ? new RegistryError('TimedOut', `${this.host}: ${what}: no answer in time`, { kind: 'retryable', cause: e })
      : new RegistryError('RegistryUnreachable', `${this.host}: ${what}: ${code ?? message}`, {
          kind: 'retryable',
          cause: e,
        });
  }

  async #once(ask: Ask, url: URL, authorization: string | undefined): Promise<Answer> {
    const total = AbortSignal.timeout(this.#o.totalTimeoutMs ?? 600_000);
    try {
      const r = await request(url, {
        method: ask.method,
        headers: {
          'user-agent': this.#o.userAgent ?? 'shoto',
          ...ask.headers,
          ...(authorization === undefined ? {} : { authorization }),
        },
        body: ask.body ?? null,
        dispatcher: this.#agent,
        signal: this.#o.signal ? AbortSignal.any([this.#o.signal, total]) : total,
      });
      return { status: r.statusCode, headers: r.headers, body: r.body, url: url.href };
    } catch (e) {
      throw this.failure(e, ask.what);
    }
  }

  #isSafe = (url: URL): boolean =>
    url.protocol === 'https:' || (this.#o.plainHttp === true && url.protocol === 'http:');

  #known(scope: string): string | undefined {
    if (this.#basic && this.#o.credentials) return basic(this.#o.credentials);
    const token = this.#tokens.get(scope);
    return token && token.until > this.#now() ? token.authorization : undefined;
  }

  /**
   * What to come with the next time; undefined where we have nothing that the registry asks for.
   *
   * @param sent - what we came with; others may have learnt meanwhile what the registry wants
   */
  async #answerTo(
    challenge: Challenge,
    scope: string,
    what: string,
    sent: string | undefined,
  ): Promise<string | undefined> {
    const { credentials, plainHttp = false } = this.#o;
    if (challenge.scheme === 'basic') {
      if (!credentials || sent !== undefined) return undefined;
      this.#basic = true;
      return basic(credentials);
    }
    const url = tokenUrl(challenge, this.host, plainHttp);
    const ask: Ask = { method: 'GET', url: url.href, what: `token for ${what}`, ok: [200] };
    const answer = await this.#once(ask, url, credentials ? basic(credentials) : undefined);
    if (answer.status !== 200) throw await this.#refused(ask, answer);
    const got = tokenOf(await this.json(answer, ask.what, 256 * 1024));
    if (!got) throw this.#bad(ask, 'the answer holds no token');
    const authorization = `Bearer ${got.token}`;
    // A token is not used in its last seconds: it could end on the way.
    this.#tokens.set(scope, { authorization, until: this.#now() + got.forMs - 5000 });
    return authorization;
  }

  async #refused(ask: Ask, answer: Answer): Promise<RegistryError> {
    return refusal(this.host, ask.what, answer.status, await wordsOf(answer), this.#retryAfter(answer));
  }

  #retryAfter(answer: Answer): number | undefined {
    const text = first(answer.headers['retry-after']);
    if (text === undefined) return undefined;
    if (/^\d{1,6}$/.test(text)) return Number(text) * 1000;
    const at = Date.parse(text);
    return Number.isNaN(at) ? undefined : Math.max(0, at - this.#now());
  }

  #bad = (ask: Ask, message: string): RegistryError =>
    new RegistryError('BadAnswer', `${this.host}: ${ask.what}: ${message}`, { kind: 'terminal' });
}

/** Tokens are for a repository and for reading or writing. */
const scopeOf = (ask: Ask): string => {
  const path = ask.url.replace(/^https?:\/\/[^/]+/, '');
  const repository = /^\/v2\/(.+?)\/(?:blobs|manifests|tags|referrers)\//.exec(path)?.[1] ?? '';
  return `${repository} ${ask.method === 'GET' || ask.method === 'HEAD' ? 'pull' : 'push'}`;
};

/** A header's text. */
export const first = (h: string | string[] | undefined): string | undefined => (Array.isArray(h) ? h[0] : h);

/** Lets a connection be used again. */
export async function discard(answer: Answer): Promise<void> {
  await answer.body.dump({ limit: LARGEST_ERROR }).catch(() => undefined);
}

/** What a refusal says, in a line. */
async function wordsOf(answer: Answer): Promise<string> {
  try {
    let text = '';
    for await (const piece of answer.body as AsyncIterable<Uint8Array>) {
      text += Buffer.from(piece).toString('utf8');
      if (text.length > LARGEST_ERROR) break;
    }
    const body = JSON.parse(text) as { errors?: { code?: unknown; message?: unknown }[] };
    const said =
      body.errors?.map((e) => [e.code, e.message].filter((s) => typeof s === 'string').join(': ')).join('; ') ?? '';
    return said.replace(/[^\x20-\x7e]+/g, ' ').slice(0, 200);
  } catch {
    return '';
  }
}
