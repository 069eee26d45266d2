import { TimeoutError } from 'openstack-client-ts';
import { describe, expect, it } from 'vitest';
import { toCloudError } from '../../cloud/errors.ts';
import { ownedBy } from '../../names.ts';
import type { ClusterPass } from '../pass.ts';
import { adoptOrCreate } from './ensure-network.ts';

interface Thing {
  id: string;
  description: string;
}

/** A cloud that makes things, sometimes long after nobody waits for the answer any more. */
function scenario() {
  let now = 0;
  const owner = { installation: 'i1', cluster: 'c1' };
  const pass = {
    owner,
    memory: { looks: 0, unanswered: new Map() },
    d: { clock: { now: () => now } },
  } as unknown as ClusterPass;
  const things: Thing[] = [];
  const cloud = { asked: 0, answers: true };
  const make = () => things.push({ id: `t${things.length + 1}`, description: ownedBy(pass.owner) });
  const later = (ms: number): void => {
    now += ms;
  };
  const once = () =>
    adoptOrCreate<Thing>(pass, {
      what: 'load balancers of tenant-a/web',
      find: async () => things,
      create: async () => {
        cloud.asked++;
        if (!cloud.answers) throw toCloudError(new TimeoutError('late', { mayHaveHappened: true }), 'make it');
        make();
        return things.at(-1)!;
      },
    });
  return { once, cloud, make, things, later };
}

describe('what the cloud was asked to make without an answer', () => {
  it('is looked for, and not asked for again, while it may still come', async () => {
    const s = scenario();
    s.cloud.answers = false;
    await expect(s.once()).rejects.toMatchObject({ kind: 'retryable' });
    s.cloud.answers = true;
    s.later(60_000);
    await expect(s.once()).rejects.toMatchObject({ kind: 'waiting', reason: 'AnswerLost' });
    s.make();
    expect((await s.once()).id).toBe('t1');
    expect(s.cloud.asked).toBe(1);
  });
  it('is asked for again after three minutes', async () => {
    const s = scenario();
    s.cloud.answers = false;
    await expect(s.once()).rejects.toMatchObject({ kind: 'retryable' });
    s.cloud.answers = true;
    s.later(180_001);
    expect((await s.once()).id).toBe('t1');
    expect(s.cloud.asked).toBe(2);
  });
});
