import { type Condition, type ConditionInput, type Region, RegionKind, resourceOf } from '@shoto/api';
import { isNewer, type KubeClient, KubeError, SECRETS } from '@shoto/kube';
import { backoffMs, type ReconcileError, TerminalError, toReconcileError, WaitingError } from '@shoto/reconciler';
import type { Clock, Logger } from '@shoto/service';
import type { OpenStack } from 'openstack-client-ts';
import { CALL_TIMEOUT_MS, RegionCloud } from '../cloud/region-cloud.ts';
import { CONDITIONS, good, isStated, ofError, stated } from '../conditions.ts';
import { DeletionCap } from './deletion-cap.ts';
import { type CredentialsSecret, cloudConfigOf, openCloud } from './open-cloud.ts';
import { References } from './references.ts';
import type { RegionRuntime } from './runtime.ts';
import { type PollTimes, ServerPoller, type ServerView } from './server-poller.ts';

const REGIONS = resourceOf(RegionKind);
const RETRY_MS = 1_000;
const RETRY_MAX_MS = 30_000;
/** What a person has to mend is looked at again after this, without a change being seen. */
const RECHECK_MS = 300_000;

interface Running extends RegionRuntime {
  client: OpenStack;
  servers: ServerPoller;
}

interface Entry {
  region: Region;
  /** Credentials and settings that `running` was made of. */
  madeOf: string;
  running: Running | undefined;
  problem: ReconcileError | undefined;
  failures: number;
  refreshing: Promise<void> | undefined;
  again: boolean;
  cancelTimer: (() => void) | undefined;
  gone: boolean;
}

export interface RegionsOptions {
  kube: Pick<KubeClient, 'get' | 'patchStatusMap'>;
  clock: Clock;
  log: Logger;
  installation: string;
  pollTimes: Omit<PollTimes, 'activeMs'>;
  /** Longest time of one call to a cloud, in milliseconds; default 10 000. */
  callTimeoutMs?: number;
  /** Whether this replica states the Region's condition. */
  owns: (name: string) => boolean;
  /** The region works now, and did not before: whatever waits for it may go on. */
  onReady: (name: string) => void;
  /** A server of ours changed. */
  onServer: (region: string, server: ServerView) => void;
  /** All servers of the region's project were listed: their ids. */
  onFullList: (region: string, ids: ReadonlySet<string>) => void;
}

/**
 * The regions and their clouds. Every replica holds a client of its own for each; one states the Region's Ready condition. Passes ask
 * `usable`, which says in plain words why a region is not.
 */
export class Regions {
  readonly #o: RegionsOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(o: RegionsOptions) {
    this.#o = o;
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /** The Region, whether its cloud answers or not. */
  get(name: string): Region | undefined {
    return this.#entries.get(name)?.region;
  }

  /** A region that answers. @throws {ReconcileError} why there is none */
  usable(name: string): RegionRuntime {
    const entry = this.#entries.get(name);
    if (!entry) {
      const names = [...this.#entries.keys()].sort();
      throw new TerminalError(
        'RegionNotFound',
        `spec.region: there is no Region "${name}": ${names.length ? `choose one of ${names.join(', ')}` : 'none has been made yet'}`,
      );
    }
    if (entry.running && !entry.problem) return entry.running;
    throw new WaitingError(
      'RegionNotReady',
      entry.problem
        ? `region ${name} is not usable (${entry.problem.reason}): ${entry.problem.message}`
        : `region ${name} is being connected to`,
      30_000,
    );
  }

  /** The regions that answer now. */
  running(): RegionRuntime[] {
    return [...this.#entries.values()].flatMap((e) => (e.running && !e.problem ? [e.running] : []));
  }

  /** A Region was made or changed. Looks at the cloud when its spec did. */
  set(region: Region): void {
    const { name, generation } = region.metadata;
    const entry = this.#entries.get(name);
    if (!entry) {
      this.#entries.set(name, {
        region,
        madeOf: '',
        running: undefined,
        problem: undefined,
        failures: 0,
        refreshing: undefined,
        again: false,
        cancelTimer: undefined,
        gone: false,
      });
      this.refresh(name);
      return;
    }
    const before = entry.region.metadata;
    if (!isNewer(region.metadata.resourceVersion ?? '', before.resourceVersion ?? '')) return;
    entry.region = region;
    if (entry.running) entry.running.region = region;
    if (before.generation !== generation || before.uid !== region.metadata.uid) this.refresh(name);
  }

  /** A Region is gone. */
  async delete(name: string): Promise<void> {
    const entry = this.#entries.get(name);
    if (!entry) return;
    this.#entries.delete(name);
    entry.gone = true;
    entry.cancelTimer?.();
    await entry.refreshing;
    await close(entry.running);
  }

  /** A Secret changed: the regions that name it are looked at again. */
  secretChanged(namespace: string, name: string): void {
    for (const [region, { region: r }] of this.#entries) {
      const ref = r.spec.openstack.credentialsSecretRef;
      if (ref.namespace === namespace && ref.name === name) this.refresh(region);
    }
  }

  /** Looks at the region's credentials and cloud again, soon. */
  refresh(name: string): void {
    const entry = this.#entries.get(name);
    if (!entry || entry.gone) return;
    entry.cancelTimer?.();
    entry.cancelTimer = undefined;
    if (entry.refreshing) {
      entry.again = true;
      return;
    }
    entry.refreshing = this.#refresh(name, entry).finally(() => {
      entry.refreshing = undefined;
      if (!entry.again) return;
      entry.again = false;
      this.refresh(name);
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#entries.keys()].map((name) => this.delete(name)));
  }

  async #refresh(name: string, entry: Entry): Promise<void> {
    const log = this.#o.log.child({ region: name });
    const wasUsable = entry.running !== undefined && entry.problem === undefined;
    let pause: number | undefined;
    try {
      await this.#connect(name, entry, log);
      entry.problem = undefined;
      entry.failures = 0;
    } catch (e) {
      const problem = toReconcileError(e);
      entry.problem = problem;
      pause = problem.kind === 'terminal' ? RECHECK_MS : backoffMs(entry.failures, RETRY_MS, RETRY_MAX_MS);
      entry.failures++;
      log.warn({ reason: problem.reason, problem: problem.message }, 'region is not usable');
    }
    if (entry.gone) return;
    if (pause !== undefined) entry.cancelTimer = this.#o.clock.after(pause, () => this.refresh(name));
    await this.#state(name, entry, [
      entry.problem
        ? ofError(CONDITIONS.region, entry.problem)
        : good(CONDITIONS.region, 'Answers', 'the cloud answers with these credentials'),
    ]).catch((err: unknown) => log.warn({ err }, 'condition of the region could not be written'));
    if (!entry.problem && !wasUsable) {
      log.info({}, 'region is usable');
      this.#o.onReady(name);
    }
  }

  async #connect(name: string, entry: Entry, log: Logger): Promise<void> {
    const { region } = entry;
    const ref = region.spec.openstack.credentialsSecretRef;
    const secret = await this.#o.kube.get<CredentialsSecret>(SECRETS, ref);
    const config = cloudConfigOf(region, secret);
    const madeOf = `${region.metadata.uid}/${region.metadata.generation}/${secret?.metadata.resourceVersion}`;
    if (entry.madeOf !== madeOf || !entry.running) {
      await close(entry.running);
      entry.running = this.#make(name, region, openCloud(config), log);
      entry.madeOf = madeOf;
    }
    const { cloud, servers } = entry.running;
    await cloud.call(`log in to region ${name}`, (c) => c.authenticate());
    // Proves that the token is taken, and that what every cluster needs is there.
    await new References({ cloud, region: name, clock: this.#o.clock }).externalNetwork(region.spec.externalNetwork);
    await cloud.call(`ask region ${name} for the limits of its project`, (c, o) => c.compute.limits(o));
    servers.start();
  }

  #make(name: string, region: Region, client: OpenStack, log: Logger): Running {
    const { clock, installation, pollTimes, onServer, onFullList } = this.#o;
    /** Looks again whether the cloud works: the Region says so, and passes wait until it does. */
    const doubt = () => {
      const entry = this.#entries.get(name);
      if (entry?.running?.client === client && !entry.problem) this.refresh(name);
    };
    const cloud = new RegionCloud({
      client,
      rateLimit: region.spec.rateLimit,
      clock,
      timeoutMs: this.#o.callTimeoutMs ?? CALL_TIMEOUT_MS,
      onUnauthorized: () => doubt(),
    });
    return {
      region,
      client,
      cloud,
      references: new References({ cloud, region: name, clock }),
      deletions: new DeletionCap(),
      credentialRules: {},
      servers: new ServerPoller({
        cloud,
        clock,
        log,
        installation,
        times: { ...pollTimes, activeMs: region.spec.pollSeconds * 1000 },
        onChange: (server) => onServer(name, server),
        onFull: (ids) => onFullList(name, ids),
        onFailing: doubt,
      }),
    };
  }

  /** States conditions of a Region, if they are not stated already. */
  async state(name: string, conditions: readonly ConditionInput[]): Promise<void> {
    const entry = this.#entries.get(name);
    if (entry) await this.#state(name, entry, conditions);
  }

  async #state(name: string, entry: Entry, conditions: readonly ConditionInput[]): Promise<void> {
    if (!this.#o.owns(name)) return;
    for (let tries = 1; ; tries++) {
      const have = entry.region.status?.provisioner?.conditions as Condition[] | undefined;
      if (conditions.every((c) => isStated(have, c))) return;
      const next = { conditions: stated(have, conditions, this.#o.clock.now()) };
      try {
        this.set(await this.#o.kube.patchStatusMap<Region>(REGIONS, entry.region, 'provisioner', next));
        return;
      } catch (e) {
        if (!(e instanceof KubeError && e.isConflict) || tries >= 3) throw e;
        const live = await this.#o.kube.get<Region>(REGIONS, { name });
        if (!live) return;
        entry.region = live;
      }
    }
  }
}

async function close(running: Running | undefined): Promise<void> {
  if (!running) return;
  await running.servers.stop();
  await running.client.close();
}
