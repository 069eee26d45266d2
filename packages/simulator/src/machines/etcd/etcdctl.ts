import type { Clock } from '../../core/clock.ts';
import { rfc3339Micro } from '../../kubernetes/types.ts';
import { clientUrl, type Etcd, EtcdError, type EtcdMember } from './etcd.ts';
import { type EtcdctlArgs, readEtcdctlArgs, UsageError } from './etcdctl-args.ts';
import { membersHexJson, membersJson, membersSimple, statusJson } from './etcdctl-print.ts';

/** Where etcdctl runs: in the container of a member. */
export interface EtcdctlHost {
  clock: Clock;
  etcd: Etcd;
  /** The machine of the member. */
  serverId: string;
  /** Whether a file is in the container. */
  hasFile(path: string): boolean;
}

/** What a command printed, and how it ended. */
export interface CommandResult {
  stdout: string;
  stderr: string;
  exitCode: number;
}

const BAD_ARGS = 128;
const LOCAL = ['127.0.0.1', 'localhost', '[::1]'];
const CLIENT_PORT = '2379';
/** How long a member without a leader looks for one before it gives up. */
const REQUEST_MS = 7000;

/** Ends a command with an exit code. */
class Exit extends Error {
  readonly exitCode: number;
  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Runs `etcdctl` as version 3.6 would; never throws. Nothing but the sub-commands of membership and health is there. */
export async function etcdctl(args: readonly string[], host: EtcdctlHost): Promise<CommandResult> {
  const run = new Run(host);
  try {
    const parsed = readEtcdctlArgs(args);
    await run.command(parsed);
    return run.result(0);
  } catch (error) {
    if (!(error instanceof Exit) && !(error instanceof UsageError)) throw error;
    if (error.message !== '') run.complain(`Error: ${error.message}`);
    return run.result(error.exitCode);
  }
}

class Run {
  readonly #host: EtcdctlHost;
  readonly #out: string[] = [];
  readonly #err: string[] = [];

  constructor(host: EtcdctlHost) {
    this.#host = host;
  }

  complain(line: string): void {
    this.#err.push(line);
  }

  result(exitCode: number): CommandResult {
    const text = (lines: string[]): string => lines.map((l) => `${l}\n`).join('');
    return { stdout: text(this.#out), stderr: text(this.#err), exitCode };
  }

  async command(a: EtcdctlArgs): Promise<void> {
    for (const file of [a.cert, a.key, a.cacert])
      if (file !== '' && !this.#host.hasFile(file)) throw new Exit(`open ${file}: no such file or directory`, BAD_ARGS);
    const [verb = '', sub = '', ...rest] = a.words;
    if (verb === 'member' && sub === 'list') return this.#memberList(a);
    if (verb === 'member' && sub === 'remove') return this.#memberRemove(a, rest);
    if (verb === 'endpoint' && sub === 'status') return this.#endpointStatus(a);
    if (verb === 'endpoint' && sub === 'health') return this.#endpointHealth(a);
    if (verb === 'move-leader') return this.#moveLeader(a, a.words.slice(1));
    throw new Exit(`unknown command "${verb}" for "etcdctl"`);
  }

  async #memberList(a: EtcdctlArgs): Promise<void> {
    const { etcd } = this.#host;
    const by = await this.#one(a, 'Cluster/MemberList', a.linearizable);
    if (a.output === 'json') this.#out.push(a.hex ? membersHexJson(etcd, by) : membersJson(etcd, by));
    else this.#out.push(membersSimple(etcd));
  }

  async #memberRemove(a: EtcdctlArgs, words: string[]): Promise<void> {
    const { etcd } = this.#host;
    if (words.length !== 1) throw new Exit('member ID is not provided', BAD_ARGS);
    const id = idOf(words[0]!, (why) => `bad member ID arg (${why}), expecting ID in Hex`);
    const by = await this.#one(a, 'Cluster/MemberRemove', true);
    this.#attempt(a, by, 'Cluster/MemberRemove', () => etcd.remove(id));
    if (a.output === 'json') this.#out.push(membersJson(etcd, by));
    else this.#out.push(`Member ${hex(id)} removed from cluster ${hex(etcd.clusterId)}`);
  }

  async #moveLeader(a: EtcdctlArgs, words: string[]): Promise<void> {
    const { etcd } = this.#host;
    if (words.length !== 1) throw new Exit('move-leader command needs 1 argument', BAD_ARGS);
    const id = idOf(words[0]!, (why) => why);
    for (const endpoint of a.endpoints) {
      const member = this.#at(a, endpoint);
      if (!member) return this.#timeOut(a, endpoint, 'Maintenance/Status');
      if (member.id !== etcd.leader?.id) continue;
      const target = etcd.members.find((m) => m.id === id);
      if (target && !target.isLearner && !target.running) await this.#host.clock.sleep(a.commandTimeoutMs);
      this.#attempt(a, member, 'Maintenance/MoveLeader', () => etcd.moveLeader(id));
      this.#out.push(
        a.output === 'json' ? '{}' : `Leadership transferred from ${member.id.toString(16)} to ${id.toString(16)}`,
      );
      return;
    }
    throw new Exit(`no leader endpoint given at [${a.endpoints.join(' ')}]`, BAD_ARGS);
  }

  async #endpointStatus(a: EtcdctlArgs): Promise<void> {
    const found: { endpoint: string; member: EtcdMember }[] = [];
    let failed = false;
    for (const endpoint of await this.#endpoints(a)) {
      const member = this.#at(a, endpoint);
      if (member) {
        found.push({ endpoint, member });
        continue;
      }
      failed = true;
      await this.#host.clock.sleep(a.commandTimeoutMs);
      this.#warn(a, endpoint, 'Maintenance/Status', 'DeadlineExceeded', unreachable(endpoint));
      this.complain(`Failed to get the status of endpoint ${endpoint} (context deadline exceeded)`);
    }
    if (a.output === 'json') this.#out.push(statusJson(this.#host.etcd, found));
    else for (const f of found) this.#out.push(simpleStatus(this.#host.etcd, f));
    if (failed) throw new Exit('');
  }

  async #endpointHealth(a: EtcdctlArgs): Promise<void> {
    const { etcd, clock } = this.#host;
    const endpoints = await this.#endpoints(a);
    const reached = (e: string): boolean => {
      const member = this.#at(a, e);
      return member !== undefined && !member.isLearner && etcd.hasQuorum;
    };
    // All are asked at once, and listed as they answer.
    const well = endpoints.filter(reached);
    const sick = endpoints.filter((e) => !reached(e));
    if (sick.length > 0) await clock.sleep(a.commandTimeoutMs);
    const timedOut = `${a.commandTimeoutMs / 1000}.001s`;
    for (const e of sick) {
      const why = this.#at(a, e) ? 'context deadline exceeded' : unreachable(e);
      this.#warn(a, e, 'KV/Range', 'DeadlineExceeded', why, 'client');
    }
    if (a.output === 'json') {
      const all = [
        ...well.map((endpoint, i) => ({ endpoint, health: true, took: `${i + 2}.31154ms` })),
        ...sick.map((endpoint) => ({ endpoint, health: false, took: timedOut, error: 'context deadline exceeded' })),
      ];
      this.#out.push(JSON.stringify(all));
    } else {
      for (const e of well) this.#out.push(`${e} is healthy: successfully committed proposal: took = 2.31154ms`);
      for (const e of sick) this.complain(`${e} is unhealthy: failed to commit proposal: context deadline exceeded`);
    }
    if (sick.length > 0) throw new Exit('unhealthy cluster');
  }

  /** The endpoints that were given, or with `--cluster` those of all started members. */
  async #endpoints(a: EtcdctlArgs): Promise<string[]> {
    if (!a.cluster) return a.endpoints;
    await this.#one(a, 'Cluster/MemberList', true);
    return this.#host.etcd.members.filter((m) => m.name !== '').map(clientUrl);
  }

  /** The member that answers for all endpoints: the client leaves out those that it cannot reach. @throws {Exit} after the time-out */
  async #one(a: EtcdctlArgs, method: string, needsQuorum: boolean): Promise<EtcdMember> {
    const found = a.endpoints.map((e) => this.#at(a, e)).filter((m) => m !== undefined);
    const member = found.find((m) => !m.isLearner) ?? found[0];
    if (!member) return this.#timeOut(a, a.endpoints[0] ?? '', method);
    if (member.isLearner && needsQuorum) {
      this.#warn(a, clientUrl(member), method, 'Unavailable', 'etcdserver: rpc not supported for learner');
      throw new Exit('etcdserver: rpc not supported for learner');
    }
    if (needsQuorum && !this.#host.etcd.hasQuorum) {
      await this.#host.clock.sleep(a.commandTimeoutMs);
      if (!this.#host.etcd.hasQuorum) {
        if (a.commandTimeoutMs > REQUEST_MS)
          this.#warn(a, clientUrl(member), method, 'Unavailable', 'etcdserver: request timed out');
        this.#warn(a, clientUrl(member), method, 'DeadlineExceeded', 'context deadline exceeded');
        throw new Exit('context deadline exceeded');
      }
    }
    return member;
  }

  async #timeOut(a: EtcdctlArgs, endpoint: string, method: string): Promise<never> {
    await this.#host.clock.sleep(a.commandTimeoutMs);
    this.#warn(a, endpoint, method, 'DeadlineExceeded', unreachable(endpoint));
    throw new Exit('context deadline exceeded');
  }

  #attempt(a: EtcdctlArgs, by: EtcdMember, method: string, deed: () => void): void {
    try {
      deed();
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      this.#warn(a, clientUrl(by), method, error.code, error.message);
      throw new Exit(error.message);
    }
  }

  /** What the client logs of a call that failed, as JSON on standard error. */
  #warn(a: EtcdctlArgs, endpoint: string, method: string, code: string, desc: string, logger = 'etcd-client'): void {
    const at = a.endpoints.includes(endpoint) ? endpoint : (a.endpoints[0] ?? endpoint);
    this.complain(
      JSON.stringify({
        level: 'warn',
        ts: rfc3339Micro(this.#host.clock.now()),
        logger,
        caller: 'v3@v3.6.6/retry_interceptor.go:65',
        msg: 'retrying of unary invoker failed',
        target: `etcd-endpoints://0xc000416000/${at.replace(/^https?:\/\//, '')}`,
        method: `/etcdserverpb.${method}`,
        attempt: 0,
        error: `rpc error: code = ${code} desc = ${desc}`,
      }),
    );
  }

  /** The member at an endpoint, when it can be reached with these certificates. */
  #at(a: EtcdctlArgs, endpoint: string): EtcdMember | undefined {
    const [, host = '', port] = /^https:\/\/(\[[^\]]+\]|[^:/]+):(\d+)\/?$/.exec(endpoint) ?? [];
    if (port !== CLIENT_PORT || a.cacert === '' || a.cert === '' || a.key === '') return undefined;
    const { etcd, serverId } = this.#host;
    const member = LOCAL.includes(host)
      ? etcd.on(serverId)
      : etcd.members.find((m) => m.address === host.replace(/^\[|\]$/g, ''));
    return member?.running ? member : undefined;
  }
}

const hex = (id: bigint): string => id.toString(16).padStart(16, ' ');

const unreachable = (endpoint: string): string =>
  `latest balancer error: connection error: desc = "transport: Error while dialing: dial tcp ${endpoint.replace(/^https?:\/\//, '')}: connect: connection refused"`;

function simpleStatus(etcd: Etcd, f: { endpoint: string; member: EtcdMember }): string {
  const { member } = f;
  const isLeader = etcd.leader?.id === member.id;
  const errors = etcd.leader ? '' : 'etcdserver: no leader';
  return [
    f.endpoint,
    member.id.toString(16),
    member.version,
    member.version.replace(/\.\d+$/, '.0'),
    '20 kB',
    '16 kB',
    '20%',
    '2.1 GB',
    isLeader,
    member.isLearner,
    etcd.term,
    etcd.index,
    etcd.index,
    errors,
    '',
    'false',
  ].join(', ');
}

/** An id out of its hexadecimal text. @throws {Exit} */
function idOf(text: string, complaint: (why: string) => string): bigint {
  if (!/^[0-9a-fA-F]{1,16}$/.test(text))
    throw new Exit(complaint(`strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`), BAD_ARGS);
  return BigInt(`0x${text}`);
}
