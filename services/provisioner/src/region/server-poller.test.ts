import { createLogger } from '@shoto/service';
import { manualClock } from '@shoto/service/testing';
import { type OpenStack, type Server, ServerError } from 'openstack-client-ts';
import { beforeEach, describe, expect, it } from 'vitest';
import { RegionCloud } from '../cloud/region-cloud.ts';
import { METADATA } from '../names.ts';
import { ServerPoller, type ServerView } from './server-poller.ts';

const server = (id: string, status: string, updated = '2026-01-01T00:00:00Z', installation = 'mine'): Server =>
  ({
    id,
    name: id,
    status,
    updated,
    metadata: {
      [METADATA.installation]: installation,
      [METADATA.machine]: `tenant-a/${id}`,
      [METADATA.machineUid]: `uid-${id}`,
    },
  }) as unknown as Server;

let listed: Server[];
let queries: Record<string, unknown>[];
let told: ServerView[];
let full: string[][];
let failing: number;
let isDown: boolean;
const clock = manualClock();

function poller(): ServerPoller {
  // Only the one call that the poller makes; what the real client does with it is tested over HTTP.
  const client = {
    compute: {
      servers: {
        list: (query: Record<string, unknown>) => {
          queries.push(query);
          return {
            all: async () => {
              if (isDown) throw new ServerError('nova is down', { status: 503 });
              return listed;
            },
          };
        },
      },
    },
  } as unknown as OpenStack;
  return new ServerPoller({
    cloud: new RegionCloud({ client, rateLimit: { requestsPerSecond: 1000, burst: 1000 }, clock }),
    clock,
    log: createLogger({ service: 'test', level: 'silent' }),
    times: { activeMs: 5_000, eagerMs: 1_000, idleMs: 60_000, overlapMs: 120_000, fullMs: 1_800_000 },
    installation: 'mine',
    onChange: (s) => told.push(s),
    onFull: (ids) => full.push([...ids].sort()),
    onFailing: () => failing++,
  });
}

beforeEach(() => {
  listed = [];
  queries = [];
  told = [];
  full = [];
  failing = 0;
  isDown = false;
});

describe('the poller of a region', () => {
  it('tells all ids after a full list, and none after a list of changes', async () => {
    const p = poller();
    listed = [server('a', 'ACTIVE'), server('b', 'ACTIVE', undefined, 'theirs')];
    await p.poll();
    listed = [];
    await p.poll();
    expect(full).toEqual([['a', 'b']]);
  });

  it('tells of a server that moved to another host', async () => {
    const p = poller();
    listed = [{ ...server('a', 'ACTIVE'), hostId: 'h1' }];
    await p.poll();
    listed = [{ ...server('a', 'ACTIVE'), hostId: 'h2' }];
    await p.poll();
    expect(told.map((s) => s.hostId)).toEqual(['h1', 'h2']);
  });

  it('knows the names that a cluster has in the cloud, once it has listed', async () => {
    const p = poller();
    const of = (id: string, cluster: string, status = 'ACTIVE') => {
      const s = server(id, status);
      return { ...s, metadata: { ...s.metadata, [METADATA.clusterUid]: cluster } } as Server;
    };
    expect(p.namesOf('c1')).toBeUndefined();
    listed = [of('a', 'c1'), of('b', 'c1', 'DELETED'), of('c', 'c2')];
    await p.poll();
    expect([...(p.namesOf('c1') ?? [])]).toEqual(['a']);
  });

  it('tells each change once, however often a list shows it', async () => {
    const p = poller();
    listed = [server('a', 'BUILD')];
    await p.poll();
    await p.poll();
    listed = [server('a', 'ACTIVE', '2026-01-01T00:00:05Z')];
    await p.poll();
    expect(told.map((s) => s.status)).toEqual(['BUILD', 'ACTIVE']);
  });

  it('looks back two minutes, and at everything after half an hour', async () => {
    const p = poller();
    await p.poll();
    const first = clock.now();
    await clock.advance(10_000);
    await p.poll();
    await clock.advance(1_800_000);
    await p.poll();
    expect(queries.map((q) => q['changes-since'])).toEqual([undefined, new Date(first - 120_000), undefined]);
    expect(queries.every((q) => !('tags' in q))).toBe(true);
  });

  it('takes what a list lacks for nothing', async () => {
    const p = poller();
    listed = [server('a', 'ACTIVE')];
    await p.poll();
    listed = [];
    await p.poll();
    expect(p.get('a')?.status).toBe('ACTIVE');
    expect(told).toHaveLength(1);
  });

  it('says nothing of servers that are not ours', async () => {
    const p = poller();
    listed = [server('a', 'ACTIVE', undefined, 'another'), { ...server('b', 'ACTIVE'), metadata: {} }];
    await p.poll();
    expect(told).toEqual([]);
  });

  it('lists often while a server changes, less and less so, and seldom when none does', async () => {
    const p = poller();
    p.start();
    await clock.advance(300_000);
    const idle = queries.length;
    expect(idle).toBeLessThanOrEqual(6);
    p.expect('a');
    await clock.advance(0);
    await clock.advance(10_000);
    const eager = queries.length - idle;
    expect(eager).toBeGreaterThanOrEqual(8);
    await clock.advance(60_000);
    listed = [server('a', 'ACTIVE')];
    await clock.advance(10_000);
    const settled = queries.length;
    await clock.advance(59_000);
    expect(queries.length - settled).toBeLessThanOrEqual(1);
    expect(told.at(-1)?.status).toBe('ACTIVE');
    const stopped = p.stop();
    await clock.advance(0);
    await stopped;
  });

  it('is not put off by servers that are asked for without a break', async () => {
    const p = poller();
    p.start();
    await clock.advance(1_000);
    const before = queries.length;
    for (let i = 0; i < 20; i++) {
      p.expect(`server-${i}`);
      await clock.advance(0);
      await clock.advance(500);
    }
    expect(queries.length - before).toBeGreaterThanOrEqual(5);
    const stopped = p.stop();
    await clock.advance(0);
    await stopped;
  });

  it('says that the cloud fails after several lists in a row, and asks it again sooner than an idle one', async () => {
    const p = poller();
    p.start();
    await clock.advance(1_000);
    isDown = true;
    await clock.advance(60_000);
    expect(failing).toBe(0);
    await clock.advance(30_000);
    expect(failing).toBe(1);
    isDown = false;
    await clock.advance(15_000);
    isDown = true;
    await clock.advance(75_000);
    expect(failing).toBe(1);
    const stopped = p.stop();
    await clock.advance(0);
    await stopped;
  });
});
