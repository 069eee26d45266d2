import { isTrue } from '@shoto/api';
import { afterEach, describe, expect, it } from 'vitest';
import { startWorld, type World } from '../testing/world.ts';
import { type Claims, findOrphans, isOrphan, orphansCondition } from './sweep.ts';

const now = Date.parse('2026-01-02T00:00:00Z');
const claims: Claims = { hasCluster: (uid) => uid === 'c1', hasMachine: (uid) => uid === 'm1' };
const OLD = '2026-01-01T00:00:00Z';

describe('who claims a thing', () => {
  it.each<[string, string[], string | undefined, boolean]>([
    ['of a Cluster that is there', ['shoto-cluster=c1'], OLD, false],
    ['of a Cluster that is gone', ['shoto-cluster=c2'], OLD, true],
    ['of a Machine that is there', ['shoto-cluster=c1', 'shoto-machine=m1'], OLD, false],
    ['of a Machine that is gone, of a Cluster that is there', ['shoto-cluster=c1', 'shoto-machine=m2'], OLD, true],
    ['younger than our caches', ['shoto-cluster=c2'], '2026-01-01T23:59:00Z', false],
    ['that does not say whose it is', ['shoto-installation=i'], OLD, false],
  ])('a thing %s', (_, tags, created, orphan) => {
    expect(isOrphan(tags, created, claims, now)).toBe(orphan);
  });
});

describe('the condition on the Region', () => {
  const orphan = { kind: 'server' as const, id: 's1', name: 'web-1' };
  it('names what belongs to nobody', () => {
    expect(orphansCondition([orphan], undefined)).toMatchObject({
      status: 'True',
      reason: 'Unclaimed',
      message: expect.stringContaining('server web-1 (s1)'),
    });
  });
  it('is not stated when there never was any, and taken back when there is none any more', () => {
    expect(orphansCondition([], undefined)).toBeUndefined();
    const stated = {
      type: 'Orphans',
      status: 'True' as const,
      reason: 'Unclaimed',
      message: 'x',
      lastTransitionTime: OLD,
    };
    expect(orphansCondition([], [stated])).toMatchObject({ status: 'False', reason: 'None' });
  });
});

describe('the sweep', () => {
  let world: World;
  afterEach(() => world.close());
  it('finds what carries our tag and belongs to nobody, and deletes nothing', async () => {
    world = await startWorld();
    await world.createCluster({ workers: 0 });
    const cluster = await world.untilCluster('it is made', (c) =>
      isTrue(c.status?.infrastructure.conditions, 'MachinesReady'),
    );
    const before = await world.leftovers();
    const [region] = world.provisioner.regions.running();
    const later = Date.now() + 3_600_000;
    const of = (hasCluster: boolean) =>
      findOrphans(region!, 'test-installation', { hasCluster: () => hasCluster, hasMachine: () => hasCluster }, later);
    expect(await of(true)).toEqual([]);
    const kinds = new Set((await of(false)).map((o) => o.kind));
    expect([...kinds].sort()).toEqual([
      'floating IP',
      'load balancer',
      'network',
      'port',
      'router',
      'security group',
      'server',
    ]);
    expect(await findOrphans(region!, 'another', { hasCluster: () => false, hasMachine: () => false }, later)).toEqual(
      [],
    );
    expect(await world.leftovers()).toEqual(before);
    expect(cluster.metadata.name).toBe('web');
  });
});
