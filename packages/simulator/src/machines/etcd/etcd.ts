import type { Random } from '../../core/random.ts';

/** One member of a cluster's etcd, as `etcdctl member list` and `endpoint status` tell of it. */
export interface EtcdMember {
  /** 64 bits; never 0. */
  id: bigint;
  /** The machine that it runs on. */
  serverId: string;
  /** Empty until it has started. */
  name: string;
  /** Address of its machine. */
  address: string;
  isLearner: boolean;
  /** Whether its process runs and the others reach it. */
  running: boolean;
  /** Of etcd, such as `3.6.6`. */
  version: string;
}

/** What a new member is made of. */
export type NewEtcdMember = Pick<EtcdMember, 'serverId' | 'address' | 'version'>;

/** A refusal in etcd's own words; `code` is that of gRPC. */
export class EtcdError extends Error {
  readonly code: 'NotFound' | 'Unavailable' | 'FailedPrecondition' | 'Unknown';
  constructor(code: EtcdError['code'], message: string) {
    super(`etcdserver: ${message}`);
    this.code = code;
  }
}

export const peerUrl = (m: Pick<EtcdMember, 'address'>): string => `https://${m.address}:2380`;
export const clientUrl = (m: Pick<EtcdMember, 'address'>): string => `https://${m.address}:2379`;

/**
 * The etcd of one simulated cluster: who is a member, who leads, whether there is a quorum. It stores nothing (the API server does that); it says when a
 * real one would answer, and refuses what a real one with its strict check of reconfigurations refuses.
 */
export class Etcd {
  readonly clusterId: bigint;
  readonly #random: Random;
  readonly #members = new Map<bigint, EtcdMember>();
  readonly #removed = new Set<string>();
  readonly #onChange: () => void;
  #leader: bigint | undefined;
  #term = 1;
  #index = 4;

  /** @param onChange - told after every change of members, their state or the leader */
  constructor(random: Random, onChange: () => void = () => {}) {
    this.#random = random;
    this.#onChange = onChange;
    this.clusterId = this.#newId();
  }

  /** In order of their ids, as etcd lists them. */
  get members(): EtcdMember[] {
    return [...this.#members.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** The member that leads; undefined without a quorum. */
  get leader(): EtcdMember | undefined {
    return this.#leader === undefined ? undefined : this.#members.get(this.#leader);
  }

  /** Raft's term: grows with each election. */
  get term(): number {
    return this.#term;
  }

  /** Raft's index: grows with each change. */
  get index(): number {
    return this.#index;
  }

  /** Whether more than half of the voters run. */
  get hasQuorum(): boolean {
    return this.#leader !== undefined;
  }

  /** Whether every member runs and votes. */
  get isHealthy(): boolean {
    return this.hasQuorum && [...this.#members.values()].every((m) => m.running);
  }

  /** The member on a machine. */
  on(serverId: string): EtcdMember | undefined {
    for (const m of this.#members.values()) if (m.serverId === serverId) return m;
    return undefined;
  }

  /** Whether the member of a machine was taken out: its data are of no use any more. */
  wasRemoved(serverId: string): boolean {
    return this.#removed.has(serverId);
  }

  /** The first member: a cluster of its own. */
  bootstrap(m: NewEtcdMember & { name: string }): EtcdMember {
    return this.#put({ ...m, isLearner: false, running: true });
  }

  /**
   * Announces a member that has not started yet; it learns until it is promoted.
   * @throws {EtcdError} when a voter is down, or another still learns
   */
  addLearner(m: NewEtcdMember): EtcdMember {
    if (this.#voters().some((v) => !v.running)) throw new EtcdError('Unavailable', 'unhealthy cluster');
    if ([...this.#members.values()].some((o) => o.isLearner))
      throw new EtcdError('FailedPrecondition', 'too many learner members in cluster');
    this.#removed.delete(m.serverId);
    return this.#put({ ...m, name: '', isLearner: true, running: false });
  }

  /** The process of a machine's member starts, for the first time or again. @returns false when it is no member (any more) */
  start(serverId: string, name: string): boolean {
    const member = this.on(serverId);
    if (!member) return false;
    member.name = name;
    member.running = true;
    this.#elect();
    return true;
  }

  /** It ends, or nobody reaches it any more. */
  stop(serverId: string): void {
    const member = this.on(serverId);
    if (!member?.running) return;
    member.running = false;
    this.#elect();
  }

  /** Lets a learner vote. */
  promote(id: bigint): void {
    const member = this.#find(id);
    member.isLearner = false;
    this.#elect();
  }

  /** Takes a member out. @throws {EtcdError} when there is none of this id, or a quorum would be at risk */
  remove(id: bigint): void {
    const member = this.#find(id);
    if (!member.isLearner) this.#mayRemove(member);
    this.#members.delete(id);
    this.#removed.add(member.serverId);
    this.#elect();
  }

  /** Lets another member lead. @throws {EtcdError} when it cannot */
  moveLeader(id: bigint): void {
    const to = this.#members.get(id);
    if (!to || to.isLearner) throw new EtcdError('FailedPrecondition', 'bad leader transferee');
    if (to.id === this.#leader) return;
    if (!to.running) throw new EtcdError('Unavailable', 'request timed out, leader transfer took too long');
    this.#leader = to.id;
    this.#term++;
    this.#changed();
  }

  // etcd's mayRemoveMember: enough started members must be left, and a member that runs may only go while the others make a quorum.
  #mayRemove(member: EtcdMember): void {
    const voters = this.#voters();
    const rest = voters.filter((v) => v !== member);
    const started = rest.filter((v) => v.name !== '').length;
    if (started < Math.floor(rest.length / 2) + 1)
      throw new EtcdError('Unknown', 're-configuration failed due to not enough started members');
    if (!member.running) return;
    const active = voters.filter((v) => v.running).length;
    if (active - 1 < 1 + Math.floor((voters.length - 1) / 2)) throw new EtcdError('Unavailable', 'unhealthy cluster');
  }

  #find(id: bigint): EtcdMember {
    const member = this.#members.get(id);
    if (!member) throw new EtcdError('NotFound', 'member not found');
    return member;
  }

  #voters(): EtcdMember[] {
    return this.members.filter((m) => !m.isLearner);
  }

  #put(m: Omit<EtcdMember, 'id'>): EtcdMember {
    const member = { ...m, id: this.#newId() };
    this.#members.set(member.id, member);
    this.#elect();
    return member;
  }

  #elect(): void {
    const voters = this.#voters();
    const up = voters.filter((m) => m.running);
    const quorum = up.length > voters.length / 2;
    if (!quorum) {
      this.#leader = undefined;
    } else if (!up.some((m) => m.id === this.#leader)) {
      this.#leader = up[this.#random.int(up.length)]!.id;
      this.#term++;
    }
    this.#changed();
  }

  #changed(): void {
    this.#index++;
    this.#onChange();
  }

  #newId(): bigint {
    return BigInt(`0x${this.#random.hex(16)}`) | 1n;
  }
}
