import { describe, expect, it } from 'vitest';
import { cloudName, clusterTags, isOwned, machineMac, machineName, machineTags, ownedBy } from './names.ts';

const web = { name: 'web', uid: '1a2b3c4d-5e6f-4a1b-8c2d-3e4f5a6b7c8d' };
const owner = { installation: '0e0e0e0e-1111-4222-8333-444444444444', clusterUid: web.uid };

describe('names and tags', () => {
  it('gives a Machine the same name each time it is asked for', () => {
    expect(machineName(web, 'workers', 0)).toBe(machineName(web, 'workers', 0));
    expect(machineName(web, 'workers', 0)).toMatch(/^web-workers-[a-z2-7]{5}$/);
  });

  it('gives other names to other ordinals, pools and clusters', () => {
    const names = new Set<string>();
    for (let n = 0; n < 200; n++) names.add(machineName(web, 'workers', n));
    names.add(machineName(web, 'gpu', 0).replace('gpu', 'workers'));
    names.add(machineName({ ...web, uid: 'another' }, 'workers', 0));
    expect(names.size).toBe(202);
  });

  it('keeps the longest Machine name a host name', () => {
    const name = machineName({ name: 'c'.repeat(32), uid: web.uid }, 'p'.repeat(20), 999);
    expect(name.length).toBeLessThanOrEqual(63);
  });

  it('makes a MAC that is unicast and locally administered, the same for a Machine each time', () => {
    const mac = machineMac('u1');
    expect(mac).toMatch(/^02(:[0-9a-f]{2}){5}$/);
    expect(machineMac('u1')).toBe(mac);
    expect(machineMac('u2')).not.toBe(mac);
  });

  it('keeps every tag within what Nova and Neutron allow', () => {
    for (const tag of machineTags(owner, 'f0f0f0f0-1111-4222-8333-444444444444')) {
      expect(tag.length).toBeLessThanOrEqual(60);
      expect(tag).not.toMatch(/[,/]/);
    }
  });

  it('takes a thing for ours by tag, or by description where the tags are missing', () => {
    expect(isOwned(owner, { tags: clusterTags(owner) })).toBe(true);
    expect(isOwned(owner, { tags: [], description: ownedBy(owner) })).toBe(true);
    expect(isOwned(owner, { tags: ['shoto-cluster=other'], description: 'web' })).toBe(false);
    expect(isOwned(owner, {})).toBe(false);
  });

  it('names cloud objects by the cluster and its UID', () => {
    expect(cloudName(web)).toBe('shoto-web-1a2b3c4d');
    expect(cloudName(web, 'worker')).toBe('shoto-web-1a2b3c4d-worker');
  });
});
