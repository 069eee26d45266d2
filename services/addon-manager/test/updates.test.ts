import { afterEach, describe, expect, it } from 'vitest';
import { small } from './bundles.ts';
import { looking } from './look.ts';
import { startWorld, type World } from './world.ts';

let w: World;
afterEach(() => w.close());

const { addonsOf, ask, clusters, image, map, maps, SYSTEM, WEB } = looking(() => w);
const mark = () => w.workload.writes.length;
const since = (n: number) => w.workload.writes.slice(n).map((x) => x.replace(/^(\w+) .*\//, '$1 '));

describe('an update', () => {
  it('is made in place: what did not change is not touched, what is no longer wanted goes', async () => {
    w = await startWorld([{ name: 'log' }]);
    w.publishFiles('log-1.0.0', small('log', '1.0.0', { maps: ['old', 'both'] }));
    await w.settle();
    const before = maps().get({ namespace: SYSTEM, name: 'both' })!.metadata;
    w.publishFiles('log-1.1.0', small('log', '1.1.0', { maps: ['both', 'new'] }));
    await w.settle();
    expect([image('log'), map('old'), map('new')?.data]).toEqual(['log:1.1.0', undefined, { a: 'b' }]);
    expect(maps().get({ namespace: SYSTEM, name: 'both' })!.metadata.resourceVersion).toBe(before.resourceVersion);
    expect(addonsOf('log')).toMatchObject({
      bundle: 'log-1.1.0',
      version: '1.1.0',
      lastGood: { bundle: 'log-1.1.0' },
    });
    expect(w.standing().UpToDate).toBe('True UpToDate: every addon is what it should be');
  });

  it('that does not become healthy in time goes back by itself, says why, and is not tried again', async () => {
    w = await startWorld([{ name: 'log' }]);
    w.publishFiles('log-1.0.0', small('log', '1.0.0', { maps: ['old'] }));
    await w.settle();
    w.publishFiles('log-1.1.0', small('log', '1.1.0', { image: 'log:broken', maps: ['new'] }));
    await w.pass();
    w.rollOut(2);
    w.later(61);
    await w.settle();
    expect([image('log'), map('old')?.data, map('new')]).toEqual(['log:1.0.0', { a: 'b' }, undefined]);
    expect(addonsOf('log')).toMatchObject({
      bundle: 'log-1.0.0',
      failed: { bundle: 'log-1.1.0', reason: 'NotHealthyInTime' },
    });
    expect(w.standing().Healthy).toBe('True RolledOut: all addons run');
    expect(w.standing().UpToDate).toMatch(
      /^False UpdateFailed: log: 1\.1\.0 was not healthy within 60 s: DaemonSet kube-system\/log has 0 of 2 pods available; it is tried again with/,
    );
    const n = mark();
    await w.pass();
    w.restart();
    await w.pass();
    expect(since(n)).toEqual([]);

    // A person asks for another try; another version comes.
    w.management.api
      .resource({ group: 'shoto.dev', version: 'v1alpha1', plural: 'addons' })
      .patch({ namespace: 'tenant-blue', name: 'web-log' }, { metadata: { annotations: { 'shoto.dev/retry': '1' } } });
    await w.pass();
    expect(image('log')).toBe('log:broken');
    w.later(61);
    await w.settle();
    expect(image('log')).toBe('log:1.0.0');
    w.publishFiles('log-1.2.0', small('log', '1.2.0'));
    await w.settle();
    expect([image('log'), w.standing().UpToDate]).toEqual([
      'log:1.2.0',
      'True UpToDate: every addon is what it should be',
    ]);
  });

  it('whose values are to blame goes back to the values before, and forward with others', async () => {
    w = await startWorld([{ name: 'log', values: { level: 'debug' } }]);
    const bundle = small('log', '1.0.0', { image: 'log:{{values.tag}}', files: {} });
    bundle['values.schema.json'] = JSON.stringify({
      type: 'object',
      properties: { level: { type: 'string', default: 'info' }, tag: { type: 'string', default: 'one' } },
    });
    w.publishFiles('log-1.0.0', bundle);
    await w.settle();
    ask([{ name: 'log', values: { level: 'debug', tag: 'broken' } }]);
    await w.pass();
    expect(image('log')).toBe('log:broken');
    w.later(61);
    await w.settle();
    expect([image('log'), map('log-settings')?.data?.level]).toEqual(['log:one', 'debug']);
    expect(w.standing().UpToDate).toMatch(/^False UpdateFailed/);
    ask([{ name: 'log', values: { level: 'info', tag: 'two' } }]);
    await w.settle();
    expect([image('log'), map('log-settings')?.data?.level]).toEqual(['log:two', 'info']);
    expect(addonsOf('log')?.failed).toBeUndefined();
  });

  it('that the API server refuses goes back too', async () => {
    w = await startWorld([{ name: 'log' }]);
    w.publishFiles('log-1.0.0', small('log', '1.0.0'));
    await w.settle();
    const files = small('log', '1.1.0');
    files['manifests/zz.yaml'] =
      'apiVersion: v1\nkind: Service\nmetadata: { name: s }\nspec: { ports: [{ port: 0 }] }\n';
    w.publishFiles('log-1.1.0', files);
    await w.settle();
    expect([image('log'), addonsOf('log')?.failed?.reason]).toEqual(['log:1.0.0', 'Refused']);
    expect(w.standing().UpToDate).toContain('spec.ports[0].port');
  });

  it('waits while machines are replaced, and while the fleet is stopped; a first installation does not', async () => {
    w = await startWorld([{ name: 'log' }]);
    const rollout = { release: 'v1.35.4', startedAt: '2026-01-01T00:00:00Z' };
    clusters().patchStatus(WEB, { infrastructure: { release: 'v1.35.4', rollout } });
    w.publishFiles('log-1.0.0', small('log', '1.0.0'));
    await w.settle();
    w.publishFiles('log-1.1.0', small('log', '1.1.0'));
    await w.settle();
    expect([image('log'), w.standing().UpToDate]).toEqual([
      'log:1.0.0',
      'False MachinesAreReplaced: log: machines of the cluster are being replaced: addons are updated after that',
    ]);
    clusters().patchStatus(WEB, { infrastructure: { rollout: null } });
    w.stop = true;
    await w.settle();
    expect([image('log'), w.standing().UpToDate]).toEqual(['log:1.0.0', expect.stringMatching(/^False EmergencyStop/)]);
    w.stop = false;
    await w.settle();
    expect(image('log')).toBe('log:1.1.0');
  });

  it('of a paused addon waits until it is resumed', async () => {
    w = await startWorld([{ name: 'log' }]);
    w.publishFiles('log-1.0.0', small('log', '1.0.0'));
    await w.settle();
    ask([{ name: 'log', paused: true }]);
    w.publishFiles('log-1.1.0', small('log', '1.1.0'));
    await w.settle();
    expect([image('log'), w.standingOf('log').UpToDate]).toEqual([
      'log:1.0.0',
      'False Paused: log is paused: set paused to false',
    ]);
    ask([{ name: 'log', paused: false }]);
    await w.settle();
    expect(image('log')).toBe('log:1.1.0');
  });
});

describe('order', () => {
  const needs = (name: string) => ({ more: { dependsOn: [{ name }] } });

  it('is that of what addons need: each waits until that is healthy', async () => {
    w = await startWorld([{ name: 'trace' }, { name: 'log' }, { name: 'net' }]);
    w.publishFiles('trace-1.0.0', small('trace', '1.0.0', needs('log')));
    w.publishFiles('log-1.0.0', small('log', '1.0.0'));
    w.publishFiles('net-1.0.0', small('net', '1.0.0', { more: { provides: ['cni'] } }));
    await w.pass();
    const made = () => w.workload.writes.filter((x) => x.includes('daemonsets')).map((x) => x.replace(/.*\//, ''));
    expect(made()).toEqual(['net', 'log']);
    await w.pass();
    expect(made()).toEqual(['net', 'log']);
    await w.settle();
    expect(made()).toEqual(['net', 'log', 'trace']);
    expect(w.standing().Healthy).toBe('True RolledOut: all addons run');
  });

  it('that leads in a circle is said by name, and holds back no other', async () => {
    w = await startWorld([{ name: 'trace' }, { name: 'log' }, { name: 'net' }]);
    w.publishFiles('trace-1.0.0', small('trace', '1.0.0', needs('log')));
    w.publishFiles('log-1.0.0', small('log', '1.0.0', needs('trace')));
    w.publishFiles('net-1.0.0', small('net', '1.0.0'));
    await w.settle();
    expect(w.cluster()?.status?.addons.items?.map((i) => [i.name, i.healthy])).toEqual([
      ['trace', false],
      ['log', false],
      ['net', true],
    ]);
    expect(w.standing().Applied).toMatch(/^False DependencyCycle: .*log needs trace needs log/);
  });
});

describe('a region that takes signed bundles only', () => {
  it('gets no bundle whose signature was not verified', async () => {
    w = await startWorld([{ name: 'log' }]);
    w.management.api.resource({ group: 'shoto.dev', version: 'v1alpha1', plural: 'regions' }).create({
      apiVersion: 'shoto.dev/v1alpha1',
      kind: 'Region',
      metadata: { name: 'one' },
      spec: {
        openstack: { credentialsSecretRef: { namespace: 'shoto-regions', name: 'one' } },
        externalNetwork: 'public',
        checkIn: { url: 'https://172.24.4.1:9443' },
        addons: { requireSignature: true },
      },
    } as never);
    w.publishFiles('log-1.0.0', small('log', '1.0.0'));
    await w.settle();
    expect(w.standing().Applied).toContain(
      '1.0.0 is refused: it is not signed, and region one takes signed bundles only',
    );
    w.publishFiles('log-1.0.1', small('log', '1.0.1'), { signedBy: `sha256:${'0'.repeat(64)}` });
    await w.settle();
    expect(image('log')).toBe('log:1.0.1');
  });
});

describe('a process that dies at any request', () => {
  it('forgets nothing: the update ends the same, and all that was replaced is gone', { timeout: 300_000 }, async () => {
    const update = async (cut: (() => (r: { method: string }) => 'reset' | undefined) | undefined) => {
      w = await startWorld([{ name: 'log' }]);
      w.publishFiles('log-1.0.0', small('log', '1.0.0', { maps: ['old'] }));
      await w.settle();
      w.publishFiles('log-1.1.0', small('log', '1.1.0', { maps: ['new'] }));
      const n = mark();
      w.workload.disturb(cut?.());
      for (let i = 0; i < 10; i++)
        try {
          if ((await w.pass())?.requeueAfterMs === undefined) break;
          w.rollOut(2);
        } catch {
          w.restart();
        }
      w.workload.disturb(undefined);
      await w.settle();
      return [since(n).length, image('log'), map('old'), map('new')?.data, w.standing().UpToDate] as const;
    };
    const [requests, ...whole] = await update(undefined);
    await w.close();
    expect(requests).toBeGreaterThan(4);
    for (let at = 0; at < requests; at++) {
      let left = at;
      const [, ...ends] = await update(
        () =>
          ({ method }) =>
            method !== 'GET' && left-- === 0 ? 'reset' : undefined,
      );
      expect([at, ...ends]).toEqual([at, ...whole]);
      if (at < requests - 1) await w.close();
    }
  });
});
