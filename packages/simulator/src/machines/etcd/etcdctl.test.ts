import { describe, expect, it } from 'vitest';
import { SimulatorClock } from '../../core/clock.ts';
import { Random } from '../../core/random.ts';
import { Etcd } from './etcd.ts';
import { etcdctl } from './etcdctl.ts';
import recorded from './fixtures/etcdctl-3.6.6.json' with { type: 'json' };

const version = '3.6.6';
const pki = '/etc/kubernetes/pki/etcd';
const tls = [`--cacert=${pki}/ca.crt`, `--cert=${pki}/healthcheck-client.crt`, `--key=${pki}/healthcheck-client.key`];
const endpoints = (...nodes: number[]) => `--endpoints=${nodes.map((n) => `https://10.0.0.${n}:2379`).join(',')}`;

/** Members m1 to m3 on 10.0.0.1 to 3. */
function three(): Etcd {
  const etcd = new Etcd(new Random(1));
  etcd.bootstrap({ serverId: 's1', name: 'm1', address: '10.0.0.1', version });
  for (const n of [2, 3]) {
    const m = etcd.addLearner({ serverId: `s${n}`, address: `10.0.0.${n}`, version });
    etcd.start(`s${n}`, `m${n}`);
    etcd.promote(m.id);
  }
  return etcd;
}

const idOf = (etcd: Etcd, n: number): string => etcd.on(`s${n}`)!.id.toString(16);

/** Runs it in the pod of m1, on a clock that is moved past every time-out. */
async function run(etcd: Etcd, ...args: string[]) {
  const clock = new SimulatorClock({ mode: 'manual' });
  const done = etcdctl([...tls, ...args], { clock, etcd, serverId: 's1', hasFile: (path) => path.startsWith(pki) });
  await clock.advance(60_000);
  return done;
}

/** A JSON text with everything that differs from run to run put to one value: what is left is the shape. */
const shapeOf = (json: string): string =>
  json
    .replaceAll(
      /"(cluster_id|member_id|ID|leader)":("[0-9a-f]+"|\d+)/g,
      (_, k, v) => `"${k}":${v[0] === '"' ? '"x"' : 0}`,
    )
    .replaceAll(/"(raft_term|raftTerm|raftIndex|raftAppliedIndex|revision|dbSize\w*)":\d+/g, '"$1":0')
    .replaceAll(/https?:\/\/[\d.]+:/g, 'url:')
    .replaceAll(/"name":"m\d"/g, '"name":"m"')
    .replaceAll(/"took":"[^"]+"/g, '"took":"t"');

describe('what etcdctl prints', () => {
  const learning = (): Etcd => {
    const etcd = three();
    etcd.addLearner({ serverId: 's4', address: '10.0.0.4', version });
    return etcd;
  };
  it.each([
    ['memberList', three, ['member', 'list', '-w', 'json']],
    ['memberListHex', three, ['member', 'list', '-w', 'json', '--hex']],
    ['endpointStatus', three, ['endpoint', 'status', '-w', 'json', '--hex']],
    ['endpointHealth', three, ['endpoint', 'health', '-w', 'json', '--hex']],
  ] as const)('is in the shape of the real one: %s', async (name, make, words) => {
    const { stdout, stderr, exitCode } = await run(make(), endpoints(1, 2, 3), ...words);
    expect(shapeOf(stdout)).toBe(shapeOf(`${recorded[name]}\n`));
    expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
  });

  it('tells of a learner only without --hex, as the real one does', async () => {
    const etcd = learning();
    const members = async (...more: string[]) =>
      JSON.parse(
        (await run(etcd, endpoints(1), 'member', 'list', '-w', 'json', ...more)).stdout.replaceAll(
          /"ID":(\d+)/g,
          '"ID":"$1"',
        ),
      ).members.find((m: { peerURLs: string[] }) => m.peerURLs[0] === 'https://10.0.0.4:2380');
    const { id } = etcd.on('s4')!;
    const peerURLs = ['https://10.0.0.4:2380'];
    expect(await members()).toEqual({ ID: String(id), peerURLs, isLearner: true });
    expect(await members('--hex')).toEqual({ ID: id.toString(16), name: '', peerURLs, clientURLs: null });
  });

  it.each([
    ['memberRemove', three, (e: Etcd) => ['member', 'remove', idOf(e, 3), '-w', 'json', '--hex']],
    ['moveLeader', three, (e: Etcd) => ['move-leader', idOf(e, 2), '-w', 'json', '--hex']],
  ] as const)('after a change is in the shape of the real one: %s', async (name, make, words) => {
    const etcd = make();
    const { stdout, exitCode } = await run(etcd, endpoints(1, 2, 3), ...words(etcd));
    expect(shapeOf(stdout)).toBe(shapeOf(`${recorded[name]}\n`));
    expect(exitCode).toBe(0);
  });
});

describe('an etcd that is not well', () => {
  it('is asked of the members that answer, and the dead one is named', async () => {
    const etcd = three();
    etcd.stop('s3');
    const { stdout, stderr, exitCode } = await run(etcd, endpoints(1, 2, 3), 'endpoint', 'health', '-w', 'json');
    expect(shapeOf(stdout)).toBe(
      '[{"endpoint":"url:2379","health":true,"took":"t"},{"endpoint":"url:2379","health":true,"took":"t"},{"endpoint":"url:2379","health":false,"took":"t","error":"context deadline exceeded"}]\n',
    );
    expect(stderr).toContain('Error: unhealthy cluster\n');
    expect(exitCode).toBe(1);
    const status = await run(etcd, endpoints(1, 2, 3), 'endpoint', 'status', '-w', 'json');
    expect(status.stdout.match(/"Endpoint"/g)).toHaveLength(2);
    expect(status.stderr).toContain(
      'Failed to get the status of endpoint https://10.0.0.3:2379 (context deadline exceeded)',
    );
    expect(status.exitCode).toBe(1);
    expect((await run(etcd, endpoints(3, 1), 'member', 'list', '-w', 'json')).exitCode).toBe(0);
  });

  it('without a quorum lists nothing in time, says that there is no leader, and changes nothing', async () => {
    const etcd = three();
    etcd.stop('s2');
    etcd.stop('s3');
    const late = { stdout: '', exitCode: 1, stderr: expect.stringMatching(/Error: context deadline exceeded\n$/) };
    expect(await run(etcd, endpoints(1, 2, 3), 'member', 'list', '-w', 'json')).toMatchObject(late);
    expect(await run(etcd, endpoints(1), 'member', 'remove', idOf(etcd, 3))).toMatchObject(late);
    const status = await run(etcd, endpoints(1), 'endpoint', 'status', '-w', 'json');
    expect(shapeOf(status.stdout)).toBe(shapeOf(`${recorded.endpointStatusNoLeader}\n`));
    expect((await run(etcd, endpoints(1), 'member', 'list', '--consistency=s')).stdout.split('\n')).toHaveLength(4);
    expect((await run(etcd, endpoints(1), 'move-leader', idOf(etcd, 2))).exitCode).toBe(128);
  });

  it('lets the dead member go, and never one that the quorum needs', async () => {
    const etcd = three();
    etcd.stop('s3');
    const healthy = await run(etcd, endpoints(1), 'member', 'remove', idOf(etcd, 2));
    expect(healthy).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('Error: etcdserver: unhealthy cluster'),
    });
    expect((await run(etcd, endpoints(1), 'member', 'remove', idOf(etcd, 3))).exitCode).toBe(0);
    expect((await run(etcd, endpoints(1), 'member', 'remove', idOf(etcd, 2))).exitCode).toBe(0);
    const last = await run(etcd, endpoints(1), 'member', 'remove', idOf(etcd, 1));
    expect(last.stderr).toContain('re-configuration failed due to not enough started members');
    expect(etcd.members.map((m) => m.name)).toEqual(['m1']);
  });

  it('refuses what the real one refuses, in its words', async () => {
    const etcd = three();
    const says = async (words: string, ...args: string[]) => {
      const { stderr, exitCode } = await run(etcd, ...args);
      expect(stderr).toContain(words);
      return exitCode;
    };
    expect(await says('Error: etcdserver: member not found', endpoints(1), 'member', 'remove', '1234')).toBe(1);
    expect(await says('expecting ID in Hex', endpoints(1), 'member', 'remove', 'zz')).toBe(128);
    expect(await says('Error: etcdserver: bad leader transferee', endpoints(1, 2, 3), 'move-leader', '1234')).toBe(1);
    const followers = [1, 2, 3].filter((n) => etcd.leader?.serverId !== `s${n}`);
    const alone = await says(
      'Error: no leader endpoint given at [https',
      endpoints(...followers),
      'move-leader',
      idOf(etcd, followers[0]!),
    );
    expect(alone).toBe(128);
    expect(await says('Error: open /none: no such file or directory', '--cacert=/none', 'member', 'list')).toBe(128);
    expect(await says('unknown flag: --bogus', 'member', 'list', '--bogus')).toBe(1);
    expect(await says('unsupported output format', endpoints(1), 'member', 'list', '-w', 'yaml')).toBe(4);
    expect(await says('context deadline exceeded', '--endpoints=http://10.0.0.1:2379', 'member', 'list')).toBe(1);
  });
});

describe('membership', () => {
  it('takes one learner at a time, and none while a voter is down', () => {
    const etcd = three();
    etcd.addLearner({ serverId: 's4', address: '10.0.0.4', version });
    expect(() => etcd.addLearner({ serverId: 's5', address: '10.0.0.5', version })).toThrow('too many learner members');
    etcd.remove(etcd.on('s4')!.id);
    etcd.stop('s1');
    expect(() => etcd.addLearner({ serverId: 's5', address: '10.0.0.5', version })).toThrow('unhealthy cluster');
  });

  it('elects another leader when the one that leads goes, and none without a quorum', () => {
    const etcd = three();
    const { leader, term } = etcd;
    etcd.stop(leader!.serverId);
    expect(etcd.leader).toBeDefined();
    expect(etcd.leader).not.toBe(leader);
    expect(etcd.term).toBeGreaterThan(term);
    etcd.stop(etcd.leader!.serverId);
    expect(etcd.leader).toBeUndefined();
    etcd.start(leader!.serverId, leader!.name);
    expect(etcd.hasQuorum).toBe(true);
  });

  it('does not let a removed member back in', () => {
    const etcd = three();
    etcd.remove(etcd.on('s3')!.id);
    expect(etcd.start('s3', 'm3')).toBe(false);
    expect(etcd.wasRemoved('s3')).toBe(true);
  });
});
