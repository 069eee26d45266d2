import { KubeClient, WorkloadPool } from '@shoto/kube';
import { LocalEngine, type LocalPass, LocalQueues } from '@shoto/reconciler/testing';
import { createLogger, createMetrics, type Logger, systemClock } from '@shoto/service';
import { wire as wireAddonManager } from '../../services/addon-manager/src/wire.ts';
import { wire as wireBootstrapWorker } from '../../services/bootstrap-worker/src/wire.ts';
import { bootstrapClient } from '../../services/provisioner/src/bootstrap-client.ts';
import { TIMES } from '../../services/provisioner/src/deps.ts';
import { POLL_TIMES } from '../../services/provisioner/src/region/server-poller.ts';
import { wire as wireProvisioner } from '../../services/provisioner/src/wire.ts';
import { wire as wireSelfHealing } from '../../services/self-healing/src/wire.ts';
import { Life } from './life.ts';

export const SERVICES = ['provisioner', 'bootstrap-worker', 'self-healing', 'addon-manager'] as const;
export type ServiceName = (typeof SERVICES)[number];

/** What all services of a world share. */
export interface ServicesOptions {
  /** The management cluster's API, plain. */
  managementUrl: string;
  installation: string;
  systemNamespace: string;
  /** Ports of the bootstrap-worker: the same after each start, since machines know them. */
  ports: { checkIn: number; internal: number };
  /** PEM texts of the CA between services, and certificate and key by service. */
  internal: { ca: string; of: (service: ServiceName) => { certificate: string; key: string } };
  onPass: (service: ServiceName, pass: LocalPass) => void;
  /** Log level; `silent` by default. */
  logLevel?: string;
}

interface Running {
  life: Life;
  engine: LocalEngine;
  kube: KubeClient;
}

/** How long after its end a service is started again, in milliseconds, as a Deployment would. */
const RESTART_MS = 1_000;
/** Passes at once; as the services' own defaults. */
const CONCURRENCY = 10;

/** The services, wired as in their `main.ts`, each in a life of its own. */
export class Services {
  readonly #o: ServicesOptions;
  readonly #running = new Map<ServiceName, Running>();
  readonly #queues = new Map<ServiceName, LocalQueues>();
  /** How often each was killed. */
  readonly kills = new Map<ServiceName, number>();
  #closed = false;

  constructor(o: ServicesOptions) {
    this.#o = o;
  }

  /** Starts all; each is ready a moment of virtual time later. */
  startAll(): void {
    for (const name of SERVICES) this.start(name);
  }

  start(name: ServiceName): void {
    if (this.#closed || this.#running.has(name)) return;
    const life: Life = new Life(name, () => this.#ended(name));
    const queues = this.#queues.get(name) ?? new LocalQueues();
    this.#queues.set(name, queues);
    life.run(() => {
      const engine = new LocalEngine({
        clock: systemClock,
        queues,
        onPass: (pass) => this.#o.onPass(name, pass),
      });
      const kube = new KubeClient({
        connection: { server: this.#o.managementUrl, token: name },
        userAgent: `shoto-${name}`,
      });
      this.#running.set(name, { life, engine, kube });
      const log = createLogger({ service: name, level: this.#o.logLevel ?? 'silent' });
      // A service that cannot start ends, and is started again.
      this.#wire(name, kube, engine, log).catch((err: unknown) => {
        log.error({ err }, 'cannot start');
        life.kill();
      });
    });
  }

  /** Ends a service at once, wherever it is; it comes again by itself. */
  kill(name: ServiceName): void {
    this.#running.get(name)?.life.kill();
  }

  /** The queue's keys and timers of all services are lost. */
  flush(): void {
    for (const { engine, life } of this.#running.values()) life.run(() => engine.flush());
  }

  /** The queue is away. */
  disconnect(): void {
    for (const { engine, life } of this.#running.values()) life.run(() => engine.disconnect());
  }

  /** The queue is back, empty. */
  reconnect(): void {
    for (const { engine, life } of this.#running.values()) life.run(() => engine.reconnect());
  }

  /** Ends all for good. */
  close(): void {
    this.#closed = true;
    for (const { life } of [...this.#running.values()]) life.kill();
  }

  #ended(name: ServiceName): void {
    this.#running.delete(name);
    this.kills.set(name, (this.kills.get(name) ?? 0) + 1);
    if (!this.#closed) setTimeout(() => this.start(name), RESTART_MS);
  }

  async #wire(name: ServiceName, kube: KubeClient, local: LocalEngine, log: Logger): Promise<void> {
    const { installation, systemNamespace, ports, internal } = this.#o;
    const engine = local.engine;
    const clock = systemClock;
    const common = { engine, systemNamespace, concurrency: CONCURRENCY, clock, log };
    const own = internal.of(name);
    const pool = () => new WorkloadPool({ userAgent: `shoto-${name}` });
    switch (name) {
      case 'provisioner': {
        const bootstrap = bootstrapClient({
          url: `https://127.0.0.1:${ports.internal}`,
          tls: { ca: internal.ca, cert: own.certificate, key: own.key },
        });
        await local.start();
        await wireProvisioner({
          ...common,
          kube,
          bootstrap,
          installation,
          times: TIMES,
          pollTimes: POLL_TIMES,
        }).start();
        return;
      }
      case 'bootstrap-worker':
        await wireBootstrapWorker({
          ...common,
          kube,
          pool: pool(),
          checkIn: { host: '127.0.0.1', port: ports.checkIn, rate: 10_000, burst: 10_000 },
          internal: { host: '127.0.0.1', port: ports.internal, ca: internal.ca, ...own },
          metrics: createMetrics(name, { ofProcess: false }),
        }).start();
        return;
      case 'self-healing':
        await wireSelfHealing({ ...common, client: kube }).start();
        return;
      case 'addon-manager':
        await wireAddonManager({ ...common, client: kube, pool: pool() }).start();
        return;
      default:
        return name satisfies never;
    }
  }
}
