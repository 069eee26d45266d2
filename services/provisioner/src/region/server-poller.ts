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
  /** `namespace/name` of its Machine. */
  machineKey: string;
  machineUid: string;
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
  }) {
    this.#cloud = o.cloud;
    this.#clock = o.clock;
    this.#log = o.log;
    this.#times = o.times;
    this.#installation = o.installation;
    this.#onChange = o.onChange;
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
  }

  #seen(server: Server): void {
    const machineKey = server.metadata[METADATA.machine];
    const machineUid = server.metadata[METADATA.machineUid];
    if (!machineKey || !machineUid || server.metadata[METADATA.installation] !== this.#installation) return;
    const before = this.#known.get(server.id);
    if (before && before.updated === server.updated && before.status === server.status) return;
    const view: ServerView = {
      id: server.id,
      name: server.name,
      status: server.status,
      updated: server.updated,
      zone: server['OS-EXT-AZ:availability_zone'] || undefined,
      machineKey,
      machineUid,
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
    while (!this.#stop.signal.aborted) {
      const began = this.#clock.now();
      let failed = false;
      try {
        await this.poll();
      } catch (err) {
        failed = true;
        this.#log.debug({ err }, 'servers could not be listed');
      }
      const pause = this.#pause(this.#clock.now() - began);
      await this.#sleep(failed ? Math.max(pause, 1_000) : pause);
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
