import { KubeError } from '@shoto/kube';
import { describe, expect, it } from 'vitest';
import { clientUrl, Etcdctl, EtcdctlError } from './etcdctl.ts';

/** Word for word what etcdctl 3.6.6 said of three members, of which the third was off. */
const LIST =
  '{"header":{"cluster_id":7777643909492853269,"member_id":4770581671248638506,"raft_term":2},"members":[{"ID":4770581671248638506,"name":"web-cp-1","peerURLs":["https://10.8.0.21:2380"],"clientURLs":["https://10.8.0.21:2379"]},{"ID":10209600441542065159,"name":"web-cp-2","peerURLs":["https://10.8.0.22:2380"],"clientURLs":["https://10.8.0.22:2379"]},{"ID":11766639358743489222,"name":"web-cp-3","peerURLs":["https://10.8.0.23:2380"],"clientURLs":["https://10.8.0.23:2379"]}]}\n';
const HEX =
  '{"header":{"cluster_id":"6befbded8ecd4a15","member_id":"8dafc98240c93c07","raft_term":2},"members":[{"ID":"423482c11ec3b22a","name":"web-cp-1","peerURLs":["https://10.8.0.21:2380"],"clientURLs":["https://10.8.0.21:2379"]}]}\n';
const STATUS =
  '[{"Endpoint":"https://10.8.0.21:2379","Status":{"header":{"cluster_id":7777643909492853269,"member_id":4770581671248638506,"revision":1,"raft_term":2},"version":"3.6.6","dbSize":20480,"leader":4770581671248638506,"raftIndex":8,"raftTerm":2,"raftAppliedIndex":8,"dbSizeInUse":16384,"storageVersion":"3.6.0","dbSizeQuota":2147483648,"downgradeInfo":{}}},{"Endpoint":"https://10.8.0.22:2379","Status":{"header":{"cluster_id":7777643909492853269,"member_id":10209600441542065159,"revision":1,"raft_term":2},"version":"3.6.6","dbSize":20480,"leader":4770581671248638506,"raftIndex":8,"raftTerm":2,"raftAppliedIndex":8,"dbSizeInUse":16384,"storageVersion":"3.6.0","dbSizeQuota":2147483648,"downgradeInfo":{}}}]\n';
const STATUS_WITHOUT_LEADER =
  '[{"Endpoint":"https://10.8.0.21:2379","Status":{"header":{"cluster_id":7777643909492853269,"member_id":4770581671248638506,"revision":1,"raft_term":2},"version":"3.6.6","dbSize":20480,"raftIndex":10,"raftTerm":2,"raftAppliedIndex":10,"errors":["etcdserver: no leader"],"dbSizeInUse":16384,"storageVersion":"3.6.0","dbSizeQuota":2147483648,"downgradeInfo":{}}}]\n';
const LOG =
  '{"level":"warn","ts":"2026-11-30T02:10:12.333688Z","logger":"etcd-client","caller":"v3@v3.6.6/retry_interceptor.go:65","msg":"retrying of unary invoker failed"}\n';
const NO_STATUS = `${LOG}Failed to get the status of endpoint https://10.8.0.23:2379 (context deadline exceeded)\n`;
const TOO_LATE = `${LOG}Error: context deadline exceeded\n`;

type Answer = { exitCode?: number; stdout?: string; stderr?: string };

/** Answers in this order, and what was asked. */
function told(...answers: Answer[]): { etcdctl: Etcdctl; asked: string[] } {
  const asked: string[] = [];
  const etcdctl = new Etcdctl(async (command) => {
    asked.push(command.filter((w) => !/^--(cacert|cert|key|command-timeout)=/.test(w)).join(' '));
    const { exitCode = 0, stdout = '', stderr = '' } = answers.shift() ?? { exitCode: 1, stderr: 'asked too often' };
    return { exitCode, stdout, stderr };
  }, 'https://10.8.0.21:2379');
  return { etcdctl, asked };
}

describe('the members of etcd', () => {
  it('are told with ids to the last bit, who leads, and who does not answer', async () => {
    const { etcdctl, asked } = told({ stdout: LIST }, { exitCode: 1, stdout: STATUS, stderr: NO_STATUS });
    expect(await etcdctl.members()).toEqual([
      {
        id: '423482c11ec3b22a',
        name: 'web-cp-1',
        peers: ['10.8.0.21'],
        clientUrls: ['https://10.8.0.21:2379'],
        learner: false,
        answers: true,
        healthy: true,
        leader: true,
      },
      expect.objectContaining({ id: '8dafc98240c93c07', name: 'web-cp-2', healthy: true, leader: false }),
      expect.objectContaining({ id: 'a34b80278a092ac6', name: 'web-cp-3', answers: false, healthy: false }),
    ]);
    expect(asked).toEqual([
      'etcdctl --endpoints=https://10.8.0.21:2379 -w json member list',
      'etcdctl --endpoints=https://10.8.0.21:2379,https://10.8.0.22:2379,https://10.8.0.23:2379 -w json endpoint status',
    ]);
  });

  it('are read from hexadecimal ids as well', async () => {
    const { etcdctl } = told({ stdout: HEX }, { stdout: STATUS });
    expect((await etcdctl.members())[0]).toMatchObject({ id: '423482c11ec3b22a', leader: true });
  });

  it('are told without a majority too: none of them is healthy', async () => {
    const { etcdctl, asked } = told(
      { exitCode: 1, stderr: TOO_LATE },
      { stdout: LIST },
      { exitCode: 1, stdout: STATUS_WITHOUT_LEADER, stderr: NO_STATUS },
    );
    const members = await etcdctl.members();
    expect(members.map((m) => [m.answers, m.healthy])).toEqual([
      [true, false],
      [false, false],
      [false, false],
    ]);
    expect(asked[1]).toContain('member list --consistency=s');
  });

  it('have no name until they have started, and learners have no vote', async () => {
    const stdout =
      '{"members":[{"ID":1,"name":"a","peerURLs":["https://[fd00::1]:2380"],"clientURLs":["https://[fd00::1]:2379"],"isLearner":true},{"ID":2,"peerURLs":["https://10.8.0.24:2380"]}]}';
    const { etcdctl } = told({ stdout }, { exitCode: 1, stdout: 'null\n', stderr: NO_STATUS });
    expect(await etcdctl.members()).toEqual([
      expect.objectContaining({ id: '1', name: 'a', peers: ['fd00::1'], learner: true }),
      expect.objectContaining({ id: '2', name: '', peers: ['10.8.0.24'], clientUrls: [], answers: false }),
    ]);
  });

  it('are unknown where etcdctl says nothing of use; its log is left out', async () => {
    const silent = told({ exitCode: 1, stderr: TOO_LATE }, { exitCode: 1, stderr: TOO_LATE });
    await expect(silent.etcdctl.members()).rejects.toThrow(
      new EtcdctlError('etcd does not say who its members are: context deadline exceeded'),
    );
    await expect(told({ stdout: 'OCI runtime exec failed' }).etcdctl.members()).rejects.toThrow(/is not JSON/);
    await expect(told({ stdout: LIST }, { exitCode: 127, stderr: 'not found' }).etcdctl.members()).rejects.toThrow(
      'etcd does not say how its members are: not found',
    );
  });
});

describe('a change of the members', () => {
  const member = (id: string, url: string) => ({
    id,
    name: 'web-cp-1',
    peers: [],
    clientUrls: [url],
    learner: false,
    answers: true,
    healthy: true,
    leader: true,
  });

  it('is asked for by hexadecimal id, and done where it was done before', async () => {
    const gone = told({ exitCode: 1, stderr: `${LOG}Error: etcdserver: member not found\n` });
    await gone.etcdctl.remove({ id: 'a34b80278a092ac6' });
    expect(gone.asked).toEqual(['etcdctl --endpoints=https://10.8.0.21:2379 -w json member remove a34b80278a092ac6']);
    const refused = told({ exitCode: 1, stderr: `${LOG}Error: etcdserver: unhealthy cluster\n` });
    await expect(refused.etcdctl.remove({ id: 'abc' })).rejects.toThrow(
      'etcd does not let member abc go: etcdserver: unhealthy cluster',
    );
  });

  it('of the leader is asked of the leader alone', async () => {
    const moved = told({});
    await moved.etcdctl.moveLeader(member('1', 'https://10.8.0.23:2379'), member('2f', 'https://10.8.0.22:2379'));
    expect(moved.asked).toEqual(['etcdctl --endpoints=https://10.8.0.23:2379 -w json move-leader 2f']);
    const refused = told({ exitCode: 1, stderr: 'Error: etcdserver: bad leader transferee' });
    await expect(refused.etcdctl.moveLeader(member('1', 'x'), member('2', 'y'))).rejects.toThrow(
      /bad leader transferee/,
    );
  });

  it('says what the API says when that does not carry it', async () => {
    const down = new KubeError({ status: 500, reason: 'InternalError', method: 'GET', path: '/', message: 'dialing' });
    const etcdctl = new Etcdctl(() => Promise.reject(down), 'https://10.8.0.21:2379');
    await expect(etcdctl.members()).rejects.toBe(down);
  });
});

it('IPv6 stands in brackets in a URL', () => {
  expect([clientUrl('10.8.0.5'), clientUrl('fd00::5')]).toEqual(['https://10.8.0.5:2379', 'https://[fd00::5]:2379']);
});
