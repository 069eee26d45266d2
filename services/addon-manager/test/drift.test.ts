import { afterEach, describe, expect, it } from 'vitest';
import { small } from './bundles.ts';
import { startWorld, type World } from './world.ts';

let w: World;
afterEach(() => w.close());

const SYSTEM = 'kube-system';
const maps = () => w.workload.api.resource({ group: '', version: 'v1', plural: 'configmaps' });
const map = (name: string) => maps().get({ namespace: SYSTEM, name }) as { data?: Record<string, string> } | undefined;
const manager = () => w.addons()[0]?.status?.manager;
const SETTINGS = `/api/v1/namespaces/${SYSTEM}/configmaps/log-settings`;

/** Somebody changes the settings, under a name of theirs. */
const edit = (level: string, who = 'kubectl-edit') =>
  w.workload.client.mergePatch(
    { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap', namespaced: true },
    { namespace: SYSTEM, name: 'log-settings' },
    { data: { level } },
    { fieldManager: who },
  );
/** What a pass does to the workload cluster, once its watches have told. */
async function afterNews(): Promise<string[]> {
  await w.noticed();
  const n = w.workload.writes.length;
  await w.settle();
  return w.workload.writes.slice(n);
}

async function started(addon: object = {}, more: object = {}): Promise<void> {
  w = await startWorld([{ name: 'log', ...addon }]);
  w.publishFiles('log-1.0.0', small('log', '1.0.0', { more, maps: ['other'] }));
  await w.settle();
  await w.noticed();
  // It is looked at once more after it was rolled out.
  w.later(10);
  await w.settle();
}

describe('while nothing changes', () => {
  it('nothing is asked and nothing is written', async () => {
    await started();
    const requests: string[] = [];
    w.workload.disturb(({ method, path }) => {
      requests.push(`${method} ${path}`);
      return undefined;
    });
    for (let i = 0; i < 5; i++) await w.pass();
    expect([requests, w.addons()[0]?.status?.manager.conditions?.some((c) => c.type === 'Drifted')]).toEqual([
      [],
      false,
    ]);
  });

  it('what controllers write beside our fields is no drift', async () => {
    await started();
    w.rollOut(1);
    await w.workload.client.mergePatch(
      { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap', namespaced: true },
      { namespace: SYSTEM, name: 'log-settings' },
      { data: { more: 'of theirs' }, metadata: { annotations: { seen: 'yes' } } },
      { fieldManager: 'a-controller' },
    );
    expect(await afterNews()).toEqual([]);
    expect(map('log-settings')?.data).toEqual({ level: 'info', more: 'of theirs' });
  });
});

describe('what somebody else changed', () => {
  it('is put right, and told', async () => {
    await started();
    await edit('debug');
    expect(await afterNews()).toContain(`PATCH ${SETTINGS}`);
    expect(map('log-settings')?.data).toEqual({ level: 'info' });
    expect(w.events.map((e) => [e.reason, e.message])).toEqual([
      [
        'DriftCorrected',
        'ConfigMap kube-system/log-settings was changed by somebody else and is put right: /data/level',
      ],
    ]);
    expect(await afterNews()).toEqual([]);
  });

  it('or deleted is made again', async () => {
    await started();
    maps().delete({ namespace: SYSTEM, name: 'other' });
    await afterNews();
    expect(map('other')?.data).toEqual({ a: 'b' });
  });

  it('is seen by a process that was not there when it happened', async () => {
    await started();
    w.restart();
    await edit('debug');
    maps().delete({ namespace: SYSTEM, name: 'other' });
    await w.pass();
    await afterNews();
    expect([map('log-settings')?.data, map('other')?.data]).toEqual([{ level: 'info' }, { a: 'b' }]);
  });

  it('and changes again within the hour is left to who holds it, and said, and not fought over', async () => {
    await started();
    await edit('debug', 'a-controller');
    await afterNews();
    await edit('debug', 'a-controller');
    await afterNews();
    expect(map('log-settings')?.data).toEqual({ level: 'debug' });
    expect(manager()?.conflicts).toMatchObject([
      { object: 'ConfigMap kube-system/log-settings', manager: 'a-controller', paths: ['/data/level'] },
    ]);
    expect(w.standingOf('log').Drifted).toBe(
      'True Conflicts: 1 object has fields that others hold (status.manager.conflicts)',
    );
    for (const level of ['info', 'debug', 'loud']) {
      await edit(level, 'a-controller');
      expect(await afterNews()).toEqual([]);
    }
    // The next version brings what is new, and leaves them theirs.
    w.publishFiles('log-1.1.0', small('log', '1.1.0', { maps: ['other', 'new'] }));
    await w.settle();
    expect([map('log-settings')?.data, map('new')?.data]).toEqual([{ level: 'loud' }, { a: 'b' }]);
    expect(manager()?.conflicts).toHaveLength(1);
  });

  it('tomorrow is put right tomorrow', async () => {
    await started();
    await edit('debug');
    await afterNews();
    w.later(3601);
    await edit('debug');
    await afterNews();
    expect([map('log-settings')?.data, manager()?.conflicts]).toEqual([{ level: 'info' }, undefined]);
  });

  it('is only said where the Cluster asks for that', async () => {
    await started({ drift: 'Report' });
    await edit('debug');
    maps().delete({ namespace: SYSTEM, name: 'other' });
    const writes = await afterNews();
    // A comparison is a dry run; what was told is remembered.
    expect([map('log-settings')?.data, map('other'), writes.length]).toEqual([{ level: 'debug' }, undefined, 2]);
    expect(manager()?.drift).toMatchObject([
      { object: 'ConfigMap kube-system/log-settings', paths: ['/data/level'] },
      { object: 'ConfigMap kube-system/other', paths: [''] },
    ]);
    expect(w.standingOf('log').Drifted).toBe('True Drifted: 2 objects are not as applied (status.manager.drift)');
    expect(await afterNews()).toEqual([]);
    await edit('info');
    await afterNews();
    expect(manager()?.drift).toMatchObject([{ object: 'ConfigMap kube-system/other' }]);
  });

  it('is nobody’s business where the Cluster asks for that', async () => {
    await started({ drift: 'Ignore' });
    await edit('debug');
    expect(await afterNews()).toEqual([]);
    expect([map('log-settings')?.data, w.standingOf('log').Drifted]).toEqual([{ level: 'debug' }, undefined]);
  });

  it('is left to them where the bundle says so', async () => {
    const ignore = [{ kind: 'ConfigMap', name: 'log-settings', paths: ['/data/level'] }];
    await started({}, { drift: { ignore } });
    await edit('debug');
    await afterNews();
    expect([map('log-settings')?.data, manager()?.conflicts]).toEqual([{ level: 'debug' }, undefined]);
    w.publishFiles('log-1.1.0', small('log', '1.1.0', { more: { drift: { ignore } } }));
    await w.settle();
    expect([map('log-settings')?.data, manager()?.conflicts]).toEqual([{ level: 'debug' }, undefined]);
  });

  it('waits while the fleet is stopped', async () => {
    await started();
    w.stop = true;
    await edit('debug');
    expect(await afterNews()).toEqual([]);
    w.stop = false;
    await w.settle();
    expect(map('log-settings')?.data).toEqual({ level: 'info' });
  });

  it('of a Secret, which is not watched, is found by the slow pass', async () => {
    w = await startWorld([{ name: 'log' }]);
    const secret = 'apiVersion: v1\nkind: Secret\nmetadata: { name: log }\nstringData: { a: b }\n';
    w.publishFiles('log-1.0.0', small('log', '1.0.0', { files: { 'manifests/secret.yaml': secret } }));
    await w.settle();
    await w.noticed();
    const secrets = w.workload.api.resource({ group: '', version: 'v1', plural: 'secrets' });
    secrets.delete({ namespace: SYSTEM, name: 'log' });
    expect(await afterNews()).toEqual([]);
    w.later(6 * 3600 + 1);
    await w.settle();
    expect(secrets.get({ namespace: SYSTEM, name: 'log' })).toBeDefined();
  });
});

describe('what was there before', () => {
  it('is taken over by force, once', async () => {
    w = await startWorld([{ name: 'log' }]);
    w.publishFiles('log-1.0.0', small('log', '1.0.0'));
    maps().create({ metadata: { name: 'log-settings', namespace: SYSTEM }, data: { level: 'mine' } } as never);
    await w.settle();
    expect([map('log-settings')?.data, manager()?.conflicts]).toEqual([{ level: 'info' }, undefined]);
  });
});
