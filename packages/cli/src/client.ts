import { readFileSync } from 'node:fs';
import { request } from 'undici';
import { CliError, EXIT } from './errors.ts';

/** How the API is reached. */
export interface Settings {
  url: string;
  token: string;
}

/** What the server says when it refuses (RFC 9457). */
interface Problem {
  status: number;
  reason: string;
  detail: string;
  errors?: { field: string; message: string }[];
}

/** The global options of the command line, which win over the environment. */
export interface GlobalOptions {
  server?: string;
  token?: string;
  tenant?: string;
}

/** @throws {CliError} naming what is not set, and how to set it */
export function settingsOf(o: GlobalOptions, env: NodeJS.ProcessEnv): Settings {
  const url = o.server ?? env.SHOTO_API_URL;
  if (!url) throw new CliError(EXIT.usage, 'no server: set SHOTO_API_URL, or give --server https://...');
  if (!/^https?:\/\//.test(url))
    throw new CliError(EXIT.usage, `the server ${JSON.stringify(url)} is no URL: it begins with https://`);
  const file = env.SHOTO_TOKEN_FILE;
  let token = o.token ?? env.SHOTO_TOKEN;
  if (!token && file) {
    try {
      token = readFileSync(file, 'utf8').trim();
    } catch (e) {
      throw new CliError(EXIT.usage, `SHOTO_TOKEN_FILE: ${(e as Error).message}`);
    }
  }
  if (!token) throw new CliError(EXIT.denied, 'no token: set SHOTO_TOKEN or SHOTO_TOKEN_FILE');
  return { url: url.replace(/\/$/, ''), token };
}

const exitOf = (status: number): number =>
  status === 404
    ? EXIT.notFound
    : status === 401 || status === 403
      ? EXIT.denied
      : status === 429 || status >= 500
        ? EXIT.unavailable
        : EXIT.invalid;

/** What went wrong, as the user reads it: the detail, or each field with its own line. */
export function wordsOf(problem: Problem): string {
  if (!problem.errors?.length) return problem.detail;
  const lines = problem.errors.map((e) => (e.field ? `  ${e.field}: ${e.message}` : `  ${e.message}`));
  return ['refused:', ...new Set(lines)].join('\n');
}

/** Speaks with cluster-api. */
export class Api {
  readonly #o: Settings;
  readonly #onWarning: (text: string) => void;

  /** @param onWarning - told what the server says of a request that it carried out all the same */
  constructor(o: Settings, onWarning: (text: string) => void = () => {}) {
    this.#o = o;
    this.#onWarning = onWarning;
  }

  /**
   * @param path - under the base URL, with query
   * @throws {CliError} what the server refused, or that it cannot be reached
   */
  async call<T>(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<T> {
    const answer = await this.#send(method, path, { 'content-type': 'application/json', ...headers }, body);
    const text = await answer.body.text();
    if (answer.statusCode >= 400) throw refused(answer.statusCode, text);
    for (const warning of warningsIn(answer.headers.warning)) this.#onWarning(warning);
    return JSON.parse(text) as T;
  }

  /** Every object of a list, page by page. */
  async all<T>(path: string): Promise<T[]> {
    const items: T[] = [];
    let token: string | undefined;
    do {
      const query = token ? `${path.includes('?') ? '&' : '?'}continue=${encodeURIComponent(token)}` : '';
      const page = await this.call<{ items: T[]; continue?: string }>('GET', `${path}${query}`);
      items.push(...page.items);
      token = page.continue;
    } while (token);
    return items;
  }

  /** Server-sent events of a path, until the stream ends or the signal is given. */
  async *events(path: string, signal: AbortSignal): AsyncGenerator<{ event: string; data: string }> {
    const answer = await this.#send('GET', path, { accept: 'text/event-stream' }, undefined, signal);
    if (answer.statusCode >= 400) throw refused(answer.statusCode, await answer.body.text());
    const decoder = new TextDecoder();
    let rest = '';
    for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
      rest += decoder.decode(chunk, { stream: true });
      for (let end = rest.indexOf('\n\n'); end >= 0; end = rest.indexOf('\n\n')) {
        const lines = rest.slice(0, end).split('\n');
        rest = rest.slice(end + 2);
        const field = (name: string) =>
          lines
            .filter((l) => l.startsWith(`${name}: `))
            .map((l) => l.slice(name.length + 2))
            .join('\n');
        const event = field('event');
        if (event) yield { event, data: field('data') };
      }
    }
  }

  async #send(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    headers: Record<string, string>,
    body?: unknown,
    signal?: AbortSignal,
  ) {
    try {
      return await request(`${this.#o.url}${path}`, {
        method,
        headers: { authorization: `Bearer ${this.#o.token}`, ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal ? { signal, bodyTimeout: 0 } : {}),
      });
    } catch (e) {
      if (signal?.aborted) throw e;
      throw new CliError(
        EXIT.unavailable,
        `${this.#o.url} cannot be reached: ${(e as Error).message || (e as { code?: string }).code}`,
      );
    }
  }
}

/** The texts of `Warning` headers of code 299 (RFC 7234). */
function warningsIn(header: string | string[] | undefined): string[] {
  const all = [header ?? []].flat().join(', ');
  return [...all.matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)].map((m) => m[1]!.replace(/\\(.)/g, '$1'));
}

function refused(status: number, text: string): CliError {
  try {
    return new CliError(exitOf(status), wordsOf(JSON.parse(text) as Problem), status);
  } catch {
    return new CliError(exitOf(status), `the server answered ${status}: ${text.slice(0, 200)}`, status);
  }
}
