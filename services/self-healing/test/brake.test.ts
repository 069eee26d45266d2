import { describe, expect, it } from 'vitest';
import { aCluster, aMachine, minutes, names, World, worldOf } from './world.ts';

describe('a storm', () => {
  it('of half a zone gives no order, says so on the cluster, and writes it once', async () => {
    const w = new World();
    for (const c of ['web', 'shop']) {
      w.put(aCluster(c), aMachine(c, `${c}-cp`, { role: 'control-plane', zone: 'az3' }));
      for (let i = 1; i <= 100; i++) w.put(aMachine(c, `${c}-${i}`, { zone: `az${1 + (i % 2)}` }));
    }
    const hit = ['web', 'shop'].flatMap((c) =>
      names(`${c}-`, 100)
        .filter((_, i) => i % 2 === 0)
        .slice(0, 25),
    );
    w.nodes('silent', ...hit);
    await w.run(minutes(10));
    expect(w.orders).toEqual([]);
    for (const c of ['web', 'shop'])
      expect(w.held(c)).toMatchObject({
        status: 'True',
        reason: 'ZoneShare',
        message: expect.stringContaining('more than 40 % of the machines of zone az2 of region one are sick at once'),
      });
    expect(w.remediation(hit[0]!)).toBe('ZoneShare');
    expect(w.told.held.get('ZoneShare')).toBe(50);
    expect(w.told.sick.get('NodeSilent')).toBe(50);
    const before = w.writes.length;
    await w.run(minutes(60));
    expect(w.writes).toHaveLength(before);
    expect(w.orders).toEqual([]);
  });

  it('lets go after ten minutes of calm, a restart in between or not', async () => {
    const w = worldOf(10);
    w.nodes('silent', ...names('w', 5));
    await w.run(minutes(8));
    expect(w.held('web')?.status).toBe('True');
    w.nodes('ready', ...names('w', 4));
    await w.run(minutes(5));
    expect(w.held('web')).toMatchObject({ status: 'True', reason: 'CoolingDown' });
    w.restart();
    await w.run(minutes(4.5));
    expect(w.orders).toEqual([]);
    await w.run(minutes(3));
    expect(w.orders).toEqual([expect.stringMatching(/^(18|19) w5 Reboot NodeSilent$/)]);
    await w.run(minutes(1));
    expect(w.held('web')).toMatchObject({ status: 'False', reason: 'Released' });
  });

  it('of servers that the cloud lost together replaces none of them', async () => {
    const w = worldOf(20, ['az1', 'az2']);
    for (const name of ['w2', 'w4', 'w6']) {
      w.server(name, 'Stopped', 'ServerStopped');
      await w.run(5_000);
    }
    await w.run(minutes(60));
    expect(w.orders).toEqual([]);
    expect(w.held('web')).toMatchObject({ status: 'True', reason: 'SharedZone' });
  });

  it('is not made by one machine alone, be it half of its pool', async () => {
    const w = worldOf(2);
    w.nodes('silent', 'w1');
    await w.run(minutes(8));
    expect(w.orders).toHaveLength(1);
  });
});

describe('the brake', () => {
  it('holds everything under the emergency stop, and lets go when it ends', async () => {
    const w = worldOf(4);
    w.stop = { reason: 'drill', by: 'jane', since: '2026-11-01T11:00:00Z' };
    w.nodes('silent', 'w1');
    await w.run(minutes(10));
    expect(w.orders).toEqual([]);
    expect(w.held('web')).toMatchObject({
      status: 'True',
      reason: 'EmergencyStop',
      message: expect.stringContaining('jane: drill'),
    });
    w.stop = undefined;
    await w.run(minutes(3));
    expect(w.orders).toHaveLength(1);
    await w.run(minutes(1));
    expect(w.held('web')?.status).toBe('False');
  });

  it('holds, and writes nothing, while it does not know of the emergency stop', async () => {
    const w = worldOf(4);
    w.stop = 'unknown';
    w.nodes('silent', 'w1');
    await w.run(minutes(10));
    expect(w.orders).toEqual([]);
    expect(w.writes).toEqual(['machine w1']);
  });

  it('holds while the cloud does not answer', async () => {
    const w = worldOf(4);
    w.setRegion(false);
    w.nodes('silent', 'w1');
    await w.run(minutes(10));
    expect(w.orders).toEqual([]);
    expect(w.held('web')?.reason).toBe('CloudNotReady');
    w.setRegion(true);
    await w.run(minutes(9));
    expect(w.orders).toEqual([]);
    await w.run(minutes(3));
    expect(w.orders).toHaveLength(1);
  });
});

describe('a storm of replacements', () => {
  it('is bounded: one, and one more for each ten machines of the cluster', async () => {
    const w = worldOf(30, ['az1', 'az2', 'az3', 'az4', 'az5', 'az6', 'az7', 'az8']);
    const lost = ['w1', 'w10', 'w19', 'w28', 'w6', 'w15'];
    for (const name of lost) w.server(name, 'Gone', 'ServerGone');
    await w.run(minutes(5));
    expect(w.orders).toHaveLength(4);
    expect(w.held('web')?.reason).toBe('OrdersOfCluster');
    w.drop(w.orders[0]!.split(' ')[1]!);
    await w.run(minutes(1));
    expect(w.orders).toHaveLength(5);
  });
});
