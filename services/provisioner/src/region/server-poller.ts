import type { Clock, Logger } from '@shoto/service';
import type { Server } from 'openstack-client-ts';
import type { RegionCloud } from '../cloud/region-cloud.ts';
import { METADATA } from '../names.ts';

/** What a list of servers tells of one of ours. */
export interface ServerView {
  id: string;
  name: string;
  status: string;
  updated: string;
  zone: string | undefined;
  /** Nova's hostId: the same for servers of one project on one host. */
  hostId: string | undefined;
  /** `namespace/name` of its Machine. */
  machineKey: string;
  machineUid: string;
  clusterUid: string | undefined;
}

/** Times of the poller, in milliseconds. */
export interface PollTimes {
  /** Longest pause while a server is changing: `Region.spec.pollSeconds`. */
  activeMs: number;
  /** Pause just after a change was begun; it grows from here. */
  eagerMs: number;
  /** Pause while nothing changes. */
  idleMs: number;
  /** How far back each list looks: Nova's clocks and cells are not one. */
  overlapMs: number;
  /** A list of everything. */
  fullMs: number;
}

export const POLL_TIMES: Omit<PollTimes, 'activeMs'> = {
  eagerMs: 300,
  idleMs: 60_000,
  overlapMs: 120_000,
  fullMs: 1_800_000,
};

/** Statuses in which a server stays until somebody does something. */
const SETTLED = new Set([
  'ACTIVE',
  'SHUTOFF',
  'ERROR',
  'DELETED',
  'PAUSED',
  'SUSPENDED',
  'SHELVED',
  'SHELVED_OFFLOADED',
]);
/** A server that was expected to change and did not for this long no longer hurries us. */
const EXPECTED_MS = 900_000;
const PAGE = 500;
/** So many lists in a row that fail are no accident. */
const FAILING = 3;
/** Longest pause after a list that failed. */
const AGAIN_MS = 15_000;

/**
 * Lists the servers of a region's project, and says what changed: one call for all servers, often while some of them change, seldom
 * otherwise. What a list lacks means nothing: a cell may be down.
 */
export class ServerPoller {
  readonly #cloud: RegionCloud;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #times: PollTimes;
  readonly #installation: string;
  readonly #onChange: (server: ServerView) => void;
  readonly #onFull: (ids: ReadonlySet<string>) => void;
  readonly #onFailing: () => void;
  readonly #known = new Map<string, ServerView>();
  /** Servers that somebody asked to change, with when. */
  readonly #expected = new Map<string, number>();
  readonly #stop = new AbortController();
  #wake: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #since: number | undefined;
  #fullAt = Number.NEGATIVE_INFINITY;

  constructor(o: {
    cloud: RegionCloud;
    clock: Clock;
    log: Logger;
    times: PollTimes;
    installation: string;
    onChange: (server: ServerView) => void;
    /** After each full list, with the ids of all servers in it. What it lacks is no proof: it is a reason to look. */
    onFull?: (ids: ReadonlySet<string>) => void;
    /** Several lists in a row failed, and again with each further one: the cloud may not work as it should. */
    onFailing?: () => void;
  }) {
    this.#cloud = o.cloud;
    this.#clock = o.clock;
    this.#log = o.log;
    this.#times = o.times;
    this.#installation = o.installation;
    this.#onChange = o.onChange;
    this.#onFull = o.onFull ?? (() => {});
    this.#onFailing = o.onFailing ?? (() => {});
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#wake?.();
    await this.#running;
  }

  /** The last that was seen of a server. Undefined says nothing. */
  get(serverId: string): ServerView | undefined {
    return this.#known.get(serverId);
  }

  /** Somebody asked this server to change: look often until it has. */
  expect(serverId: string): void {
    this.#known.delete(serverId);
    this.#expected.set(serverId, this.#clock.now());
    this.#wake?.();
  }

  /** It is gone for good. */
  forget(serverId: string): void {
    this.#known.delete(serverId);
    this.#expected.delete(serverId);
  }

  /** One round, at once. Exposed for tests and for the first look of a region. */
  async poll(): Promise<void> {
    const now = this.#clock.now();
    const full = this.#since === undefined || now - this.#fullAt >= this.#times.fullMs;
    const query = full ? {} : { 'changes-since': new Date((this.#since ?? 0) - this.#times.overlapMs) };
    const servers = await this.#cloud.call('list servers', (c, o) =>
      c.compute.servers.list({ ...query, limit: PAGE }, o).all(),
    );
    if (full) this.#fullAt = now;
    this.#since = now;
    for (const server of servers) this.#seen(server);
    if (full) this.#onFull(new Set(servers.map((s) => s.id)));
  }

  /**
   * Names of the servers that a cluster has in this cloud, those included that no Machine knows: after a restore of the management cluster they may still
   * be nodes, and a new Machine of that name would be the same node. Undefined until everything was listed once.
   */
  namesOf(clusterUid: string): ReadonlySet<string> | undefined {
    if (this.#fullAt === Number.NEGATIVE_INFINITY) return undefined;
    const names = new Set<string>();
    for (const s of this.#known.values()) if (s.clusterUid === clusterUid && s.status !== 'DELETED') names.add(s.name);
    return names;
  }

  #seen(server: Server): void {
    const machineKey = server.metadata[METADATA.machine];
    const machineUid = server.metadata[METADATA.machineUid];
    if (!machineKey || !machineUid || server.metadata[METADATA.installation] !== this.#installation) return;
    const before = this.#known.get(server.id);
    if (
      before &&
      before.updated === server.updated &&
      before.status === server.status &&
      before.hostId === (server.hostId || undefined)
    )
      return;
    const view: ServerView = {
      id: server.id,
      name: server.name,
      status: server.status,
      updated: server.updated,
      zone: server['OS-EXT-AZ:availability_zone'] || undefined,
      hostId: server.hostId || undefined,
      machineKey,
      machineUid,
      clusterUid: server.metadata[METADATA.clusterUid],
    };
    this.#known.set(server.id, view);
    if (SETTLED.has(server.status)) this.#expected.delete(server.id);
    else if (!this.#expected.has(server.id)) this.#expected.set(server.id, this.#clock.now());
    this.#onChange(view);
  }

  /** Pause until the next list, by how long ago the youngest change was asked for and how long a list takes. */
  #pause(tookMs: number): number {
    const now = this.#clock.now();
    let youngest = Number.POSITIVE_INFINITY;
    for (const [id, at] of this.#expected) {
      if (now - at > EXPECTED_MS) this.#expected.delete(id);
      else youngest = Math.min(youngest, now - at);
    }
    if (youngest === Number.POSITIVE_INFINITY) return this.#times.idleMs;
    const eager = Math.max(this.#times.eagerMs, youngest / 10, tookMs * 10);
    return Math.min(Math.max(this.#times.activeMs, this.#times.eagerMs), eager);
  }

  async #run(): Promise<void> {
    let failures = 0;
    while (!this.#stop.signal.aborted) {
      const began = this.#clock.now();
      try {
        await this.poll();
        failures = 0;
      } catch (err) {
        failures++;
        this.#log.debug({ err }, 'servers could not be listed');
        if (failures >= FAILING) this.#onFailing();
      }
      const pause = this.#pause(this.#clock.now() - began);
      // A cloud that fails is asked again sooner than one where nothing changes: whether it works is news too.
      await this.#sleep(failures > 0 ? Math.min(Math.max(pause, 1_000), AGAIN_MS) : pause);
    }
  }

  /**
   * Sleeps, but not longer than a change that is asked for meanwhile allows. Later ones never put off the next list: while machines are made
   * without a break, it would not come.
   */
  async #sleep(ms: number): Promise<void> {
    let end = this.#clock.now() + ms;
    for (;;) {
      const now = this.#clock.now();
      if (this.#expected.size > 0) end = Math.min(end, now + this.#pause(0));
      if (end <= now || this.#stop.signal.aborted) return;
      const woken = new AbortController();
      let early = false;
      this.#wake = () => {
        early = true;
        woken.abort();
      };
      await this.#clock.sleep(end - now, woken.signal);
      this.#wake = undefined;
      if (!early) return;
    }
  }
}
