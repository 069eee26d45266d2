import { manualClock } from '@shoto/service/testing';
import { ConnectionError, NotFoundError, type OpenStack, UnauthorizedError } from 'openstack-client-ts';
import { describe, expect, it } from 'vitest';
import { onlyOne, RegionCloud } from './region-cloud.ts';

function door() {
  const clock = manualClock();
  let refused = 0;
  const cloud = new RegionCloud({
    client: {} as OpenStack,
    rateLimit: { requestsPerSecond: 1000, burst: 1000 },
    clock,
    onUnauthorized: () => refused++,
  });
  return { clock, cloud, refused: () => refused };
}
const down = () => Promise.reject(new ConnectionError('down', { code: 'ECONNREFUSED' }));

describe('the door to a cloud', () => {
  it('keeps off a cloud that does not answer, and tries again after a while', async () => {
    const { cloud, clock } = door();
    let calls = 0;
    const call = () =>
      cloud
        .call('x', () => {
          calls++;
          return down();
        })
        .catch(() => {});
    for (let i = 0; i < 8; i++) await call();
    expect(calls).toBe(5);
    await clock.advance(2_000);
    await call();
    expect(calls).toBe(6);
  });

  it('takes an error that the cloud answers with for a sign of life', async () => {
    const { cloud } = door();
    for (let i = 0; i < 4; i++) await cloud.call('x', down).catch(() => {});
    expect(await cloud.find('x', () => Promise.reject(new NotFoundError('none', { status: 404 })))).toBeUndefined();
    for (let i = 0; i < 4; i++) await cloud.call('x', down).catch(() => {});
    expect(await cloud.call('x', async () => 'answer')).toBe('answer');
  });

  it('tells the region when its credentials are refused', async () => {
    const { cloud, refused } = door();
    await expect(
      cloud.call('x', () => Promise.reject(new UnauthorizedError('no', { status: 401 }))),
    ).rejects.toMatchObject({ reason: 'Unauthorized' });
    expect(refused()).toBe(1);
  });

  it('does not choose between two', () => {
    expect(onlyOne('networks', [])).toBeUndefined();
    expect(onlyOne('networks', [{ id: 'a' }])).toEqual({ id: 'a' });
    expect(() => onlyOne('networks', [{ id: 'b' }, { id: 'a' }])).toThrow(/there are 2 of networks \(a, b\)/);
  });
});
