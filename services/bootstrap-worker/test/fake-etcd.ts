import type { Machine } from '@shoto/api';
import type { ExecResult } from '@shoto/kube';
import { error, type FakeKube } from './fake-kube.ts';

/** A member as the test sets it. */
export interface FakeMember {
  id: bigint;
  name: string;
  address: string;
  /** It serves; false: its machine is off. */
  up: boolean;
  learner: boolean;
}

const done = (stdout: unknown): ExecResult => ({ exitCode: 0, stdout: `${toJson(stdout)}\n`, stderr: '' });
const failed = (stderr: string, stdout = ''): ExecResult => ({
  exitCode: 1,
  stdout,
  stderr: `{"level":"warn"}\n${stderr}\n`,
});

/** JSON with 64-bit numbers, as Go writes them. */
const toJson = (value: unknown): string =>
  JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? `#${v}#` : v)).replace(/"#(\d+)#"/g, '$1');

/**
 * The etcd of one cluster as `etcdctl` 3.6 tells of it: members with 64-bit ids, a leader, a majority without which nothing is decided. Seen
 * only through exec in the pods of members that are up.
 */
export class FakeEtcd {
  readonly members: FakeMember[] = [];
  /** Name of the leader. */
  leader = '';
  /** Commands that changed something, in order. */
  readonly deeds: string[] = [];
  #next = 12_000_000_000_000_000_000n;

  /** Serves in the pods of a workload cluster. */
  serve(workload: FakeKube): this {
    workload.onExec = (pod, container, command) => this.#exec(pod, container, command);
    return this;
  }

  /** A member joins and votes; the first one leads. */
  add(machine: Machine | string, o: Partial<Omit<FakeMember, 'id'>> = {}): FakeMember {
    const name = typeof machine === 'string' ? machine : machine.metadata.name;
    const address =
      typeof machine === 'string' ? `10.9.0.${this.members.length}` : (machine.status?.server.addresses?.[0] ?? '');
    const member = { id: ++this.#next, name, address, up: true, learner: false, ...o };
    this.members.push(member);
    this.leader ||= name;
    return member;
  }

  member(name: string): FakeMember | undefined {
    return this.members.find((m) => m.name === name);
  }

  get names(): string[] {
    return this.members.map((m) => m.name).sort();
  }

  get #hasQuorum(): boolean {
    const voters = this.members.filter((m) => !m.learner);
    return voters.filter((m) => m.up).length * 2 > voters.length;
  }

  /** Who leads now: another one when the leader is off. */
  get #leads(): FakeMember | undefined {
    if (!this.#hasQuorum) return undefined;
    const voters = this.members.filter((m) => m.up && !m.learner);
    const leader = voters.find((m) => m.name === this.leader) ?? voters[0];
    this.leader = leader?.name ?? '';
    return leader;
  }

  #exec(pod: string, container: string, command: readonly string[]): ExecResult {
    const beside = this.members.find((m) => pod === `kube-system/etcd-${m.name}`);
    if (!beside || container !== 'etcd') throw error(404, 'NotFound');
    if (!beside.up) throw error(500, 'InternalError');
    const words = command.slice(1).filter((w) => !w.startsWith('--') && w !== '-w' && w !== 'json');
    const endpoints = (command.find((w) => w.startsWith('--endpoints=')) ?? '').slice(12).split(',');
    const [first = '', second = '', id = ''] = words;
    const asked = endpoints.map((e) => this.members.find((m) => m.name !== '' && e === `https://${m.address}:2379`));
    if (`${first} ${second}` === 'endpoint status') return this.#status(asked);
    if (!asked[0]?.up) return failed('Error: context deadline exceeded');
    if (first === 'move-leader') return this.#move(asked[0], second);
    if (`${first} ${second}` === 'member list')
      return this.#hasQuorum || command.includes('--consistency=s')
        ? done({ header: { cluster_id: 1n, member_id: beside.id }, members: this.members.map(listed) })
        : failed('Error: context deadline exceeded');
    if (`${first} ${second}` === 'member remove') return this.#remove(id);
    return failed(`Error: unknown command "${words.join(' ')}" for "etcdctl"`);
  }

  #status(asked: readonly (FakeMember | undefined)[]): ExecResult {
    const leader = this.#leads;
    const up = asked.filter((m) => m?.up) as FakeMember[];
    const said = up.map((m) => ({
      Endpoint: `https://${m.address}:2379`,
      Status: {
        header: { member_id: m.id },
        version: '3.6.6',
        ...(leader ? { leader: leader.id } : { errors: ['etcdserver: no leader'] }),
        ...(m.learner ? { isLearner: true } : {}),
      },
    }));
    if (up.length === asked.length) return done(said);
    return failed(
      'Failed to get the status of an endpoint (context deadline exceeded)',
      toJson(said.length ? said : null),
    );
  }

  #remove(hex: string): ExecResult {
    const at = this.members.findIndex((m) => m.id.toString(16) === hex);
    const member = this.members[at];
    if (!member) return failed('Error: etcdserver: member not found');
    if (!this.#hasQuorum) return failed('Error: context deadline exceeded');
    this.members.splice(at, 1);
    this.deeds.push(`remove ${member.name || member.address}`);
    return done({ header: {} });
  }

  #move(asked: FakeMember, hex: string): ExecResult {
    const to = this.members.find((m) => m.id.toString(16) === hex);
    if (this.#leads !== asked) return failed('Error: no leader endpoint given at [..]');
    if (!to?.up || to.learner) return failed('Error: etcdserver: bad leader transferee');
    this.leader = to.name;
    this.deeds.push(`lead ${to.name}`);
    return done({ header: {} });
  }
}

const listed = (m: FakeMember): object => ({
  ID: m.id,
  ...(m.name ? { name: m.name, clientURLs: [`https://${m.address}:2379`] } : {}),
  peerURLs: [`https://${m.address}:2380`],
  ...(m.learner ? { isLearner: true } : {}),
});
