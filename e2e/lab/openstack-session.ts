import { readFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { request } from 'undici';
import { parse } from 'yaml';

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** One cloud of a clouds.yaml. */
interface CloudEntry {
  auth: Record<string, string>;
  region_name?: string;
}

/**
 * The few OpenStack calls that the lab itself makes. On purpose not the product's client: the lab is what that one is tested on.
 */
export class Session {
  readonly #token: string;
  readonly #endpoints: Map<string, string>;

  private constructor(token: string, endpoints: Map<string, string>) {
    this.#token = token;
    this.#endpoints = endpoints;
  }

  /**
   * Logs in with a password, as a user of a clouds.yaml.
   *
   * @throws Error when the file has no such cloud, or Keystone refuses
   */
  static async open(cloudsFile: string, cloud: string): Promise<Session> {
    const { clouds } = parse(await readFile(cloudsFile, 'utf8')) as { clouds: Record<string, CloudEntry> };
    const auth = clouds[cloud]?.auth;
    if (!auth) throw new Error(`${cloudsFile} has no cloud ${cloud}; it has: ${Object.keys(clouds).join(', ')}`);
    const response = await fetch(`${auth.auth_url}/auth/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        auth: {
          identity: {
            methods: ['password'],
            password: {
              user: { name: auth.username, password: auth.password, domain: { name: auth.user_domain_name } },
            },
          },
          scope: { project: { name: auth.project_name, domain: { name: auth.project_domain_name } } },
        },
      }),
    });
    const token = response.headers.get('x-subject-token');
    if (!response.ok || !token)
      throw new Error(`Keystone at ${auth.auth_url} refused ${auth.username}: HTTP ${response.status}`);
    const body = (await response.json()) as {
      token: { catalog: { type: string; endpoints: { interface: string; url: string }[] }[] };
    };
    const endpoints = body.token.catalog.map(
      ({ type, endpoints }) => [type, endpoints.find((e) => e.interface === 'public')?.url ?? ''] as const,
    );
    return new Session(token, new Map(endpoints));
  }

  /** A call with JSON in and out; undefined when the answer has no body. @throws Error on any status above 299 */
  async json(service: string, method: Method, path: string, body?: unknown): Promise<unknown> {
    const text = await this.#call(
      service,
      method,
      path,
      body === undefined ? null : JSON.stringify(body),
      'application/json',
    );
    return text === '' ? undefined : JSON.parse(text);
  }

  /** Sends a stream as the body of a PUT. */
  async upload(service: string, path: string, content: Readable): Promise<void> {
    await this.#call(service, 'PUT', path, content, 'application/octet-stream');
  }

  async #call(
    service: string,
    method: Method,
    path: string,
    body: string | Readable | null,
    type: string,
  ): Promise<string> {
    const endpoint = this.#endpoints.get(service);
    if (!endpoint) throw new Error(`the catalog has no ${service}; it has: ${[...this.#endpoints.keys()].join(', ')}`);
    const response = await request(`${endpoint}${path}`, {
      method,
      body,
      headers: { 'x-auth-token': this.#token, ...(body === null ? {} : { 'content-type': type }) },
    });
    const text = await response.body.text();
    if (response.statusCode > 299)
      throw new Error(`${method} ${endpoint}${path}: HTTP ${response.statusCode}: ${text.slice(0, 500)}`);
    return text;
  }
}
