import { timestamp } from '@shoto/api';
import { describe, expect, it } from 'vitest';
import { aCluster, aMachine, condition, minutes, names, World, worldOf } from './world.ts';

describe('a worker that falls silent', () => {
  it('is rebooted, rebooted hard, then replaced, each rung in its time', async () => {
    const w = worldOf(4);
    w.onOrder = (m) => {
      if (m.status!.health!.order!.action !== 'Replace') w.carryOut(m.metadata.name);
    };
    w.nodes('silent', 'w1');
    await w.run(minutes(30));
    // Five minutes silent and two looks at the cluster a minute apart; then five and ten minutes for the reboots to help.
    expect(w.orders).toEqual(['6 w1 Reboot NodeSilent', '11 w1 HardReboot NodeSilent', '21 w1 Replace NodeSilent']);
    expect(w.machine('w1').status?.health).toMatchObject({ ready: false, unreachable: true, order: { number: 3 } });
    expect(w.events.map((e) => e.reason)).toEqual(['RebootOrdered', 'HardRebootOrdered', 'ReplaceOrdered']);
  });

  it('says at every moment what comes next, and when', async () => {
    const w = worldOf(4);
    w.onOrder = (m) => w.carryOut(m.metadata.name);
    const said = () => w.machine('w1').status!.health!.conditions!.find((c) => c.type === 'Remediation');
    w.nodes('silent', 'w1');
    await w.run(minutes(1));
    expect(said()).toMatchObject({
      status: 'False',
      reason: 'Waiting',
      message: 'NodeSilent since 2026-11-01T12:00:00Z: Reboot at 2026-11-01T12:05:00Z if it lasts',
    });
    await w.run(minutes(4.5));
    expect(said()?.reason).toBe('Observing');
    await w.run(minutes(2));
    expect(said()).toMatchObject({ status: 'True', reason: 'CarriedOut' });
    expect(said()?.message).toMatch(
      /^Reboot, order 1, because of NodeSilent, is carried out: HardReboot at 2026-11-01T12:11/,
    );
    w.nodes('ready', 'w1');
    await w.run(minutes(1));
    expect(said()).toMatchObject({ status: 'False', reason: 'Recovered' });
  });

  it('begins at the lowest rung again after an hour in good health, and at the next one before that', async () => {
    const w = worldOf(4);
    w.onOrder = (m) => w.carryOut(m.metadata.name);
    w.nodes('silent', 'w1');
    await w.run(minutes(8));
    w.nodes('ready', 'w1');
    await w.run(minutes(30));
    w.nodes('silent', 'w1');
    await w.run(minutes(8));
    w.nodes('ready', 'w1');
    await w.run(minutes(75));
    w.nodes('silent', 'w1');
    await w.run(minutes(8));
    expect(w.orders.map((o) => o.split(' ')[2])).toEqual(['Reboot', 'HardReboot', 'Reboot']);
    expect(w.machine('w1').status?.health?.order?.number).toBe(3);
  });

  it('is left alone when it comes back in time', async () => {
    const w = worldOf(4);
    w.nodes('silent', 'w1');
    await w.run(minutes(4.5));
    w.nodes('ready', 'w1');
    await w.run(minutes(30));
    expect(w.orders).toEqual([]);
  });

  it('gets one order although the service is killed again and again', async () => {
    const w = worldOf(4);
    w.nodes('silent', 'w1');
    await w.run(minutes(6.5));
    expect(w.orders).toHaveLength(1);
    for (let i = 0; i < 5; i++) {
      w.restart();
      await w.run(minutes(0.5));
    }
    expect(w.orders).toHaveLength(1);
  });

  it('is not touched by a service that has just started before it has seen all nodes twice, a minute apart', async () => {
    const w = worldOf(4);
    w.nodes('silent', 'w1');
    await w.run(minutes(5) - 1000);
    for (let i = 0; i < 10; i++) {
      w.restart();
      await w.run(minutes(0.75));
    }
    expect(w.orders).toEqual([]);
    await w.run(minutes(1));
    expect(w.orders).toHaveLength(1);
  });

  it('is said to wait when nobody carries its order out', async () => {
    const w = worldOf(4);
    w.nodes('silent', 'w1');
    await w.run(minutes(20));
    expect(w.remediation('w1')).toBe('OrderStuck');
    expect(w.orders).toHaveLength(1);
  });

  it('costs few writes, and none while nothing changes', async () => {
    const w = worldOf(4);
    await w.run(minutes(60));
    expect(w.writes).toEqual([]);
    w.nodes('silent', 'w1');
    await w.run(minutes(9));
    const before = w.writes.length;
    // Sick, waiting, observing, ordered: a write each.
    expect(before).toBe(4);
    await w.run(minutes(5));
    expect(w.writes).toHaveLength(before);
  });
});

describe('servers', () => {
  it('are started when they are off, twice within the hour, and replaced the third time', async () => {
    const w = worldOf(4);
    w.onOrder = (m) => {
      w.carryOut(m.metadata.name);
      if (m.status!.health!.order!.action === 'HardReboot') w.server(m.metadata.name, 'Active', 'Active');
    };
    for (let i = 0; i < 3; i++) {
      w.server('w1', 'Stopped', 'ServerStopped');
      await w.run(minutes(15));
    }
    expect(w.orders).toEqual([
      '0 w1 HardReboot ServerStopped',
      '15 w1 HardReboot ServerStoppedAgain',
      '30 w1 Replace ServerStopped',
    ]);
  });

  it('that are gone are replaced within a minute, whether we reach the cluster or not', async () => {
    const w = worldOf(4);
    w.reach('web', false);
    w.server('w1', 'Gone', 'ServerGone');
    await w.run(minutes(1));
    expect(w.orders).toEqual(['0 w1 Replace ServerGone']);
  });
});

describe('the way from us to a cluster', () => {
  it('cut for ten minutes: no order, and what was seen of its machines stands', async () => {
    const w = worldOf(6);
    w.nodes('silent', 'w1');
    await w.run(minutes(3));
    const before = structuredClone(w.machine('w1').status?.health?.conditions);
    w.reach('web', false);
    w.nodes('silent', 'w2');
    await w.run(minutes(10));
    expect(w.orders).toEqual([]);
    expect(w.machine('w2').status?.health?.ready).toBe(true);
    expect(w.machine('w1').status?.health?.conditions?.find((c) => c.type === 'Healthy')).toEqual(
      before?.find((c) => c.type === 'Healthy'),
    );
    expect(w.remediation('w1')).toBe('ClusterUnreachable');
  });

  it('is there again: all nodes are seen twice before anything is done', async () => {
    const w = worldOf(6);
    w.nodes('silent', 'w1');
    await w.run(minutes(3));
    w.reach('web', false);
    await w.run(minutes(10));
    w.reach('web', true);
    await w.run(minutes(0.9));
    expect(w.orders).toEqual([]);
    await w.run(minutes(1));
    expect(w.orders).toEqual(['14 w1 Reboot NodeSilent']);
  });
});

describe('a control plane', () => {
  const three = (): World => {
    const w = new World();
    w.put(aCluster('web', { spec: { controlPlane: { count: 3 } } }));
    for (const name of names('cp', 3)) w.put(aMachine('web', name, { role: 'control-plane', zone: `az-${name}` }));
    for (const name of names('w', 10)) w.put(aMachine('web', name));
    w.onOrder = (m) => {
      if (m.status!.health!.order!.action !== 'Replace') w.carryOut(m.metadata.name);
    };
    return w;
  };

  it('of three heals one at a time', async () => {
    const w = three();
    w.server('cp1', 'Gone', 'ServerGone');
    await w.run(minutes(2));
    expect(w.orders).toEqual(['0 cp1 Replace ServerGone']);
  });

  it('of three heals one beside another that leaves and serves still, and not while that is taken out of etcd', async () => {
    for (const [reason, orders] of [
      ['QuorumAtRisk', ['6 cp1 Reboot NodeSilent']],
      ['Removing', []],
    ] as const) {
      const w = three();
      const bootstrap = { conditions: [condition('MemberRemoved', 'False', reason)] };
      const leaving = { deletionTimestamp: '2026-11-01T11:59:00Z', bootstrap };
      w.put(aMachine('web', 'cp3', { role: 'control-plane', zone: 'az-cp3', ...leaving }));
      w.nodes('silent', 'cp1');
      await w.run(minutes(8));
      expect(w.orders).toEqual(orders);
    }
  });

  it('that lost its quorum is left to people, who are told where to read on', async () => {
    const w = three();
    w.nodes('silent', 'cp1', 'cp2');
    await w.run(minutes(30));
    expect(w.orders).toEqual([]);
    expect(w.held('web')).toMatchObject({
      status: 'True',
      reason: 'QuorumLost',
      message: expect.stringContaining('docs/runbooks/control-plane-unhealthy.md'),
    });
  });

  it('of one machine is rebooted and never replaced', async () => {
    const w = worldOf(4);
    w.onOrder = (m) => w.carryOut(m.metadata.name);
    w.nodes('not-ready', 'cp');
    await w.run(minutes(60));
    expect(w.orders.map((o) => o.split(' ')[2])).toEqual(['Reboot', 'HardReboot']);
    expect(w.remediation('cp')).toBe('CannotReplaceLoneControlPlane');
  });
});

describe('a machine that is left alone', () => {
  it.each([
    ['Kept', { annotations: { 'shoto.dev/keep-until': '2026-11-02T00:00:00Z', 'shoto.dev/keep-reason': 'jane' } }, {}],
    ['Paused', {}, { paused: true }],
    ['HealingDisabled', {}, { healing: { enabled: false } }],
  ])('%s', async (reason, machine, spec) => {
    const w = new World();
    w.put(aCluster('web', { spec }), aMachine('web', 'cp', { role: 'control-plane' }), aMachine('web', 'w2'));
    w.put(aMachine('web', 'w1', machine), aMachine('web', 'w3'));
    w.nodes('silent', 'w1');
    await w.run(minutes(20));
    expect(w.orders).toEqual([]);
    expect(w.remediation('w1')).toBe(reason);
  });

  it('is healed once its time is over', async () => {
    const w = worldOf(4);
    w.put(aMachine('web', 'w1', { annotations: { 'shoto.dev/keep-until': '2026-11-01T12:20:00Z' } }));
    w.nodes('silent', 'w1');
    await w.run(minutes(23));
    expect(w.orders).toEqual(['21 w1 Reboot NodeSilent']);
  });
});

describe('a machine that never joins', () => {
  it('is replaced after fifteen minutes, and not before its cluster is up', async () => {
    const w = worldOf(4);
    const born = { server: { activeAt: '2026-11-01T12:00:00Z' }, bootstrap: { joinedAt: undefined, conditions: [] } };
    w.put(aMachine('web', 'w5', { ...born, health: { ready: undefined, conditions: [] } }));
    w.nodes('missing', 'w5');
    await w.run(minutes(14));
    expect(w.orders).toEqual([]);
    expect(w.writes).toEqual([]);
    await w.run(minutes(2));
    expect(w.orders).toEqual(['15 w5 Replace NeverJoined']);
  });

  it('is not replaced over and over when its successors do not join either', async () => {
    const w = worldOf(4);
    let n = 0;
    const birth = (): void => {
      const name = `new${++n}`;
      w.put(
        aMachine('web', name, {
          server: { activeAt: timestamp(w.now) },
          bootstrap: { joinedAt: undefined, conditions: [] },
          health: { ready: undefined, conditions: [] },
        }),
      );
      w.nodes('missing', name);
    };
    w.onOrder = (m) => {
      w.drop(m.metadata.name);
      birth();
    };
    birth();
    await w.run(minutes(8 * 60));
    // Every 15 minutes it would be 32; the pauses are 15, 30, 60, 120 and 240 minutes.
    expect(w.orders.map((o) => Number(o.split(' ')[0]))).toEqual([15, 30, 60, 120, 240]);
  });
});
