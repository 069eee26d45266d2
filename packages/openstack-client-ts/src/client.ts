import { readFileSync } from 'node:fs';
import { Agent, type Dispatcher } from 'undici';
import { BlockStorage } from './block-storage/index.ts';
import { Compute } from './compute/index.ts';
import { type LoadOptions, loadConfig } from './config/load.ts';
import type { CloudConfig } from './config/types.ts';
import { ConfigError } from './errors.ts';
import { type Clock, systemClock } from './http/clock.ts';
import { DEFAULT_RETRY, type RetryOptions } from './http/retry.ts';
import { Transport } from './http/transport.ts';
import { Auth } from './identity/auth.ts';
import { Identity } from './identity/index.ts';
import { Image } from './image/index.ts';
import { LoadBalancer } from './load-balancer/index.ts';
import { Network } from './network/index.ts';
import { Placement } from './placement/index.ts';
import type { Session } from './service-client.ts';
import type { RequestEvent } from './types.ts';

export interface ClientOptions {
  /** Milliseconds for a whole call, waiting and retries included. Default 30,000. Each call may set its own. */
  timeoutMs?: number | undefined;
  retry?: Partial<RetryOptions> | undefined;
  /** Goes before this package's own name in User-Agent. */
  userAgent?: string | undefined;
  /** Told of every HTTP exchange. Must not throw. */
  onRequest?: ((event: RequestEvent) => void) | undefined;
  /** Sockets per address at most. Default 32. Not with a dispatcher. */
  connections?: number | undefined;
  /** undici's; then TLS settings of the configuration are not used, and `close` leaves it open. */
  dispatcher?: Dispatcher | undefined;
  clock?: Clock | undefined;
  /** Like Math.random, which is the default. */
  random?: (() => number) | undefined;
}

/** A cloud, as one user in one project and region. Make it with `createClient` or `connect`; `close` it at the end. */
export class OpenStack {
  readonly config: CloudConfig;
  readonly identity: Identity;
  readonly compute: Compute;
  readonly network: Network;
  readonly image: Image;
  readonly blockStorage: BlockStorage;
  readonly loadBalancer: LoadBalancer;
  readonly placement: Placement;
  readonly #session: Session;
  readonly #ownAgent: Agent | undefined;

  constructor(config: CloudConfig, options: ClientOptions = {}) {
    this.config = config;
    this.#ownAgent = options.dispatcher ? undefined : agentOf(config, options.connections ?? 32);
    const clock = options.clock ?? systemClock;
    const transport = new Transport({
      // Type-checked: one of both is there.
      dispatcher: options.dispatcher ?? (this.#ownAgent as Agent),
      clock,
      random: options.random ?? Math.random,
      retry: { ...DEFAULT_RETRY, ...options.retry },
      timeoutMs: options.timeoutMs ?? 30_000,
      userAgent: [options.userAgent, 'openstack-client-ts'].filter(Boolean).join(' '),
      onRequest: options.onRequest,
    });
    this.#session = { config, transport, auth: new Auth(config, transport, clock) };
    this.identity = new Identity(this.#session);
    this.compute = new Compute(this.#session);
    this.network = new Network(this.#session);
    this.image = new Image(this.#session);
    this.blockStorage = new BlockStorage(this.#session);
    this.loadBalancer = new LoadBalancer(this.#session);
    this.placement = new Placement(this.#session);
  }

  /** The project of the token in use, logging in if needed; undefined for a token of another scope. */
  async projectId(): Promise<string | undefined> {
    return (await this.#session.auth.info()).project?.id;
  }

  /** Logs in unless there is a good token; to learn early that the credentials are right. */
  async authenticate(): Promise<void> {
    await this.#session.auth.token();
  }

  /** Waits for running calls, then closes the sockets. */
  async close(): Promise<void> {
    await this.#ownAgent?.close();
  }
}

/** A client for this configuration; nothing is sent until the first call. Throws ConfigError when a TLS file cannot be read. */
export function createClient(config: CloudConfig, options?: ClientOptions): OpenStack {
  return new OpenStack(config, options);
}

/** Reads the configuration as openstacksdk does (`loadConfig`), logs in, and gives the client. */
export async function connect(options: LoadOptions & ClientOptions = {}): Promise<OpenStack> {
  const client = createClient(loadConfig(options), options);
  try {
    await client.authenticate();
  } catch (error) {
    await client.close();
    throw error;
  }
  return client;
}

function agentOf(config: CloudConfig, connections: number): Agent {
  const connect: Record<string, unknown> = { timeout: 10_000 };
  const ca = config.ca ?? readPem(config.caFile, 'cacert', config);
  const cert = config.cert ?? readPem(config.certFile, 'cert', config);
  const key = config.key ?? readPem(config.keyFile, 'key', config);
  if (ca !== undefined) connect.ca = ca;
  if (cert !== undefined) connect.cert = cert;
  // openstacksdk takes a file with both.
  if (cert !== undefined) connect.key = key ?? cert;
  if (config.verify === false) connect.rejectUnauthorized = false;
  return new Agent({ connections, connect });
}

function readPem(file: string | undefined, what: string, config: CloudConfig): string | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ConfigError(`cloud '${config.name ?? ''}': ${what} '${file}' cannot be read`, { cause });
  }
}
