import type { ExecResult } from '@shoto/kube';

/** One member of a cluster's etcd, as it is seen now. */
export interface Member {
  /** 64 bits in hexadecimal, as etcdctl takes it. */
  id: string;
  /** Name of its Machine; empty until it has started for the first time. */
  name: string;
  /** Hosts of its peer URLs. */
  peers: string[];
  /** Where it takes requests; none until it has started. */
  clientUrls: string[];
  /** Takes part without a vote. */
  learner: boolean;
  /** It gave an answer. */
  answers: boolean;
  /** It answers, and knows of a leader: it can serve. */
  healthy: boolean;
  leader: boolean;
}

/** Runs etcdctl with these arguments beside a member. */
export type RunEtcdctl = (args: readonly string[], timeoutMs: number) => Promise<ExecResult>;

/** etcdctl ended with an error, or said what cannot be read. */
export class EtcdctlError extends Error {}

/** kubeadm puts them there on each control-plane machine. */
const PKI = '/etc/kubernetes/pki/etcd';
/** How long one member may take to answer one question. */
const COMMAND_SECONDS = 2;
const COMMAND_MS = 6_000;
/** Members are asked one after the other, and five is the most that a cluster has. */
const STATUS_MS = 12_000;

/** The command for these endpoints. */
export const etcdctl = (endpoints: readonly string[], args: readonly string[]): string[] => [
  'etcdctl',
  `--endpoints=${endpoints.join(',')}`,
  `--cacert=${PKI}/ca.crt`,
  `--cert=${PKI}/healthcheck-client.crt`,
  `--key=${PKI}/healthcheck-client.key`,
  `--command-timeout=${COMMAND_SECONDS}s`,
  '-w',
  'json',
  ...args,
];

/** `https://host:2379`, where kubeadm's etcd takes requests. */
export const clientUrl = (address: string): string =>
  `https://${address.includes(':') ? `[${address}]` : address}:2379`;

const hostOf = (url: string): string[] => (URL.canParse(url) ? [new URL(url).hostname.replace(/^\[|\]$/g, '')] : []);

/** Whether a field holds an id. */
const IDS = new Set(['ID', 'member_id', 'cluster_id', 'leader']);

/**
 * Reads what etcdctl says. Its ids have 64 bits, more than a number here holds: they are read from the text itself. (With `--hex` the list
 * of members has them in hexadecimal, but leaves out who is a learner.)
 */
function read<T>(text: string): T {
  try {
    return JSON.parse(text, (key: string, value: unknown, context?: { source?: string }): unknown => {
      if (!IDS.has(key) || typeof value !== 'number') return value;
      return BigInt(context?.source ?? value).toString(16);
    }) as T;
  } catch (cause) {
    throw new EtcdctlError(`etcdctl said what is not JSON: ${text.slice(0, 100)}`, { cause });
  }
}

/** The last thing that etcdctl said of its failure, without its log. */
function complaint(r: ExecResult): string {
  const lines = r.stderr.split('\n').filter((l) => l.trim() && !l.startsWith('{'));
  return (lines.at(-1) ?? `exit code ${r.exitCode}`).replace(/^Error: /, '').slice(0, 200);
}

interface MemberList {
  members?: { ID: string; name?: string; peerURLs?: string[]; clientURLs?: string[]; isLearner?: boolean }[];
}
interface EndpointStatus {
  Endpoint: string;
  Status: { header: { member_id: string }; leader?: string; isLearner?: boolean; errors?: string[] };
}

/** Asks and changes the etcd of one cluster, from beside one of its members. */
export class Etcdctl {
  readonly #run: RunEtcdctl;
  readonly #own: string;

  /** @param own - client URL of the member beside which the commands run */
  constructor(run: RunEtcdctl, own: string) {
    this.#run = run;
    this.#own = own;
  }

  /**
   * All members, and which of them answer. Also where no majority does: then from what this one member remembers.
   * @throws {EtcdctlError} {@link KubeError}
   */
  async members(): Promise<Member[]> {
    const listed = await this.#list();
    const endpoints = listed.flatMap((m) => m.clientURLs?.[0] ?? []);
    const answers = endpoints.length > 0 ? await this.#statuses(endpoints) : [];
    return listed.map((m) => {
      const status = answers.find((s) => s.header.member_id === m.ID);
      const isLed = status?.leader !== undefined && status.leader !== '0';
      return {
        id: m.ID,
        name: m.name ?? '',
        peers: (m.peerURLs ?? []).flatMap(hostOf),
        clientUrls: m.clientURLs ?? [],
        learner: m.isLearner === true || status?.isLearner === true,
        answers: status !== undefined,
        healthy: isLed,
        leader: isLed && status.leader === m.ID,
      };
    });
  }

  /** Takes a member out. Safe to repeat. @throws {EtcdctlError} etcd refuses; {@link KubeError} */
  async remove(m: Pick<Member, 'id'>): Promise<void> {
    const result = await this.#run(etcdctl([this.#own], ['member', 'remove', m.id]), COMMAND_MS);
    if (result.exitCode !== 0 && !/member not found/i.test(result.stderr))
      throw new EtcdctlError(`etcd does not let member ${m.id} go: ${complaint(result)}`);
  }

  /** Lets another member lead. Only the leader itself is asked: a dead member before it would end the command. @throws {EtcdctlError} {@link KubeError} */
  async moveLeader(from: Member, to: Member): Promise<void> {
    const result = await this.#run(etcdctl(from.clientUrls.slice(0, 1), ['move-leader', to.id]), COMMAND_MS);
    if (result.exitCode !== 0)
      throw new EtcdctlError(`etcd does not move its leadership to ${to.name}: ${complaint(result)}`);
  }

  async #list(): Promise<NonNullable<MemberList['members']>> {
    const list = (...more: string[]): Promise<ExecResult> =>
      this.#run(etcdctl([this.#own], ['member', 'list', ...more]), COMMAND_MS);
    let result = await list();
    // Without a majority nobody may say what is so, but a member may say what it knows.
    if (result.exitCode !== 0) result = await list('--consistency=s');
    if (result.exitCode !== 0) throw new EtcdctlError(`etcd does not say who its members are: ${complaint(result)}`);
    return read<MemberList>(result.stdout).members ?? [];
  }

  /** Those that answer. The command ends with an error where one does not, and says the others' all the same. */
  async #statuses(endpoints: readonly string[]): Promise<EndpointStatus['Status'][]> {
    const result = await this.#run(etcdctl(endpoints, ['endpoint', 'status']), STATUS_MS);
    if (result.exitCode !== 0 && !result.stdout.trim())
      throw new EtcdctlError(`etcd does not say how its members are: ${complaint(result)}`);
    return (read<EndpointStatus[] | null>(result.stdout) ?? []).map((s) => s.Status);
  }
}
