import type { Machine } from '@shoto/api';
import { ANNOTATIONS } from '@shoto/api';
import { expect, it } from 'vitest';
import { aCluster, aMachine, START } from '../../test/builders.ts';
import { releaseOfAll } from './addons.ts';

const OLD = 'v1.35.4';
const NEW = 'v1.36.3';
const pool = (name: string, release?: string) => ({ name, ...(release ? { release } : {}) });

/** `cp` or a pool's name, `@old` or `@new`; `-` leaves, `?` is not usable yet, `k` is kept. */
function machines(text: string): Machine[] {
  const cluster = aCluster();
  return text.split(' ').map((word, i) => {
    const [who = '', how = ''] = word.split('@');
    const m = aMachine(cluster, {
      name: `m-${i}`,
      role: who === 'cp' ? 'control-plane' : 'worker',
      spec: { release: how.startsWith('new') ? NEW : OLD, pool: who },
      bootstrap: { joinedAt: new Date(START).toISOString() },
      metadata: {
        ...(how.includes('-') ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
        ...(how.includes('k') ? { annotations: { [ANNOTATIONS.keepUntil]: '2030-01-01T00:00:00Z' } } : {}),
      },
    });
    return {
      ...m,
      status: { ...(m.status as NonNullable<Machine['status']>), health: { revision: 1, ready: !how.includes('?') } },
    };
  });
}

it.each([
  ['all run the same', 'cp@old a@old', [pool('a')], OLD],
  ['all have come to the new one', 'cp@new cp@new a@new', [pool('a')], NEW],
  ['an old worker is left', 'cp@new a@new a@old', [pool('a')], undefined],
  ['an old worker is just leaving', 'cp@new a@new a@old-', [pool('a')], undefined],
  ['an old control-plane machine is just leaving', 'cp@new cp@old- a@new', [pool('a')], undefined],
  ['a new worker leaves, for it was one too many', 'cp@new a@new a@new-', [pool('a')], NEW],
  ['a new worker is not usable yet', 'cp@new a@new?', [pool('a')], undefined],
  ['control-plane machines differ', 'cp@new cp@old', [], undefined],
  ['a pool has an older release of its own', 'cp@new a@new b@old', [pool('a'), pool('b', OLD)], NEW],
  ['a pool names the release of the cluster', 'cp@new b@old', [pool('b', NEW)], undefined],
  ['an old machine is kept for study', 'cp@new a@new a@oldk', [pool('a')], NEW],
  ['a pool was taken away', 'cp@new b@old', [], NEW],
  ['there is no worker', 'cp@new', [], NEW],
  ['the control plane leaves', 'cp@new-', [], undefined],
])('a cluster runs a release as a whole, or not: %s', (_, of, nodePools, release) => {
  expect(releaseOfAll(aCluster({ spec: { nodePools } }), machines(of), START)).toBe(release);
});
