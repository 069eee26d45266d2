import { FLEET_SWITCH } from '@shoto/api';
import { KubeClient } from '@shoto/kube';
import { type FakeApi, startFakeApi } from '@shoto/kube/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Fleet, watchFleet } from './fleet.ts';

const MAPS = '/api/v1/namespaces/shoto-system/configmaps';
const pulled = { metadata: { name: FLEET_SWITCH, namespace: 'shoto-system' }, data: { reason: 'storm', by: 'sre' } };

describe('the emergency stop of the fleet', () => {
  let api: FakeApi;
  let kube: KubeClient;
  let fleet: Fleet;
  let changes: number;

  beforeEach(async () => {
    api = await startFakeApi();
    kube = new KubeClient({ connection: { server: api.url }, userAgent: 'test/1' });
    changes = 0;
    fleet = watchFleet({ kube, systemNamespace: 'shoto-system', onError: () => {}, onChange: () => changes++ });
  });
  afterEach(async () => {
    await fleet.close();
    await kube.close();
    await api.close();
  });

  it('is not known until it was looked at, and whoever was told so is woken then', async () => {
    expect(fleet.stop()).toBe('unknown');
    fleet.start();
    await fleet.known;
    expect(fleet.stop()).toBeUndefined();
    expect(changes).toBe(1);
  });

  it('wakes nobody when it is found off and nobody had to wait', async () => {
    fleet.start();
    await fleet.known;
    expect([fleet.stop(), changes]).toEqual([undefined, 0]);
  });

  it('is on when it was pulled before we began', async () => {
    api.put(MAPS, pulled);
    fleet.start();
    await fleet.known;
    expect(fleet.stop()).toMatchObject({ stop: { reason: 'storm', by: 'sre' } });
    expect(changes).toBe(1);
  });

  it('wakes at each change', async () => {
    fleet.start();
    await fleet.known;
    await expect.poll(() => api.watches).toBe(1);
    api.put(MAPS, pulled);
    await expect.poll(() => changes).toBe(1);
    expect(fleet.stop()).toBeDefined();
    api.drop(MAPS, FLEET_SWITCH);
    await expect.poll(() => changes).toBe(2);
    expect(fleet.stop()).toBeUndefined();
  });
});
