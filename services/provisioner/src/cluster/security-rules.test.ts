import { describe, expect, it } from 'vitest';
import { missingRules, ruleBody, type StoredRule, wantedRules } from './security-rules.ts';

const groups = { controlPlane: 'cp', worker: 'w' };
const stored = (body: ReturnType<typeof ruleBody>): StoredRule => ({
  direction: body.direction,
  ethertype: body.ethertype,
  protocol: body.protocol ?? null,
  port_range_min: body.port_range_min ?? null,
  port_range_max: body.port_range_max ?? null,
  remote_group_id: body.remote_group_id ?? null,
  remote_ip_prefix: body.remote_ip_prefix ?? null,
});

describe('security group rules', () => {
  const { controlPlane, worker } = wantedRules(groups);

  it('opens the API to everyone and etcd to control-plane machines only', () => {
    const open = (port: number) =>
      controlPlane.filter((r) => r.ports && r.ports[0] <= port && port <= r.ports[1]).map((r) => r.from);
    expect(open(6443)).toEqual(['anywhere']);
    expect(open(2379)).toEqual([{ group: 'cp' }]);
    expect(open(2380)).toEqual([{ group: 'cp' }]);
  });

  it.each([
    ['kubelet', 'tcp', 10_250],
    ['VXLAN', 'udp', 8472],
    ['node-exporter', 'tcp', 9100],
    ['node-problem-detector', 'tcp', 20_257],
    ["etcd's metrics", 'tcp', 2381],
  ] as const)('lets nodes of both kinds reach %s of a control-plane machine', (_what, protocol, port) => {
    const lets = controlPlane.filter(
      (r) => (r.protocol ?? protocol) === protocol && (!r.ports || (r.ports[0] <= port && port <= r.ports[1])),
    );
    expect(lets.map((r) => r.from)).toEqual([{ group: 'w' }, { group: 'cp' }]);
  });

  it('lets every node reach a worker, and everyone its NodePorts', () => {
    expect(worker.filter((r) => r.protocol === null).map((r) => r.from)).toEqual([{ group: 'cp' }, { group: 'w' }]);
    expect(worker.filter((r) => r.ports?.[0] === 30_000).map((r) => [r.protocol, r.from])).toEqual([
      ['tcp', 'anywhere'],
      ['udp', 'anywhere'],
    ]);
  });

  it('misses nothing once all rules are stored, and exactly what was removed', () => {
    const all = worker.map((r) => stored(ruleBody('w', r)));
    expect(missingRules(worker, all)).toEqual([]);
    expect(missingRules(worker, all.slice(1))).toEqual([worker[0]]);
  });

  it('takes 0.0.0.0/0 for everywhere, as some clouds store it', () => {
    const all = worker.map((r) => ({
      ...stored(ruleBody('w', r)),
      ...(r.from === 'anywhere' ? { remote_ip_prefix: '0.0.0.0/0' } : {}),
    }));
    expect(missingRules(worker, all)).toEqual([]);
  });
});
