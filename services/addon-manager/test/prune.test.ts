import { afterEach, describe, expect, it } from 'vitest';
import { small } from './bundles.ts';
import { definition, looking } from './look.ts';
import { startWorld, type World } from './world.ts';

let w: World;
afterEach(() => w.close());

const { ask, image, map, maps, sets, SYSTEM } = looking(() => w);

describe('what is pruned', () => {
  it('is only what was applied: never claims, namespaces, definitions that are in use, and what the bundle keeps', async () => {
    w = await startWorld([{ name: 'log' }]);
    const things = `apiVersion: v1
kind: Namespace
metadata: { name: things }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: data, namespace: things }
spec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Gi } } }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: kept }
data: { a: b }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: gone }
data: { a: b }
---
apiVersion: v1
kind: Secret
metadata: { name: gone }
stringData: { a: b }
---
${definition('log.dev', 'used', 'Used', 'v1')}---
${definition('log.dev', 'idle', 'Idle', 'v1')}`;
    const more = { prune: { never: [{ kind: 'ConfigMap', name: 'kept' }] } };
    w.publishFiles('log-1.0.0', small('log', '1.0.0', { more, files: { 'manifests/things.yaml': things } }));
    await w.settle();
    w.workload.api.resource({ group: 'log.dev', version: 'v1', plural: 'used' }).create({
      apiVersion: 'log.dev/v1',
      kind: 'Used',
      metadata: { name: 'one' },
    } as never);
    // Somebody else's, by the same name as one that was ours.
    maps().create({ metadata: { name: 'theirs', namespace: SYSTEM }, data: {} } as never);
    w.publishFiles('log-1.1.0', small('log', '1.1.0'));
    await w.settle();
    const crds = w.workload.api.resource({
      group: 'apiextensions.k8s.io',
      version: 'v1',
      plural: 'customresourcedefinitions',
    });
    const claims = w.workload.api.resource({ group: '', version: 'v1', plural: 'persistentvolumeclaims' });
    const secrets = w.workload.api.resource({ group: '', version: 'v1', plural: 'secrets' });
    expect({
      claim: claims.get({ namespace: 'things', name: 'data' }) !== undefined,
      kept: map('kept') !== undefined,
      theirs: map('theirs') !== undefined,
      gone: map('gone') !== undefined,
      secret: secrets.get({ namespace: SYSTEM, name: 'gone' }) !== undefined,
      used: crds.get({ name: 'used.log.dev' }) !== undefined,
      idle:
        crds.get({ name: 'idle.log.dev' })?.metadata.deletionTimestamp === undefined &&
        crds.get({ name: 'idle.log.dev' }) !== undefined,
    }).toEqual({ claim: true, kept: true, theirs: true, gone: false, secret: false, used: true, idle: false });
  });

  it('is not what somebody else made anew under the same name', async () => {
    w = await startWorld([{ name: 'log' }]);
    w.publishFiles('log-1.0.0', small('log', '1.0.0', { maps: ['old'] }));
    await w.settle();
    ask([{ name: 'log', drift: 'Ignore' }]);
    maps().delete({ namespace: SYSTEM, name: 'old' });
    maps().create({ metadata: { name: 'old', namespace: SYSTEM }, data: { mine: 'yes' } } as never);
    w.publishFiles('log-1.1.0', small('log', '1.1.0'));
    await w.settle();
    expect(map('old')?.data).toEqual({ mine: 'yes' });
  });

  it('is all of an addon that the Cluster no longer asks for, and its Addon', async () => {
    w = await startWorld([{ name: 'log' }, { name: 'trace' }]);
    w.publishFiles('log-1.0.0', small('log', '1.0.0', { maps: ['old'] }));
    w.publishFiles('trace-1.0.0', small('trace', '1.0.0'));
    await w.settle();
    ask([{ name: 'trace' }]);
    w.stop = true;
    await w.settle();
    expect([map('old') !== undefined, w.standing().UpToDate]).toEqual([true, 'False Removing: log: is being removed']);
    w.stop = false;
    await w.settle();
    expect([map('old'), map('log-settings'), sets().get({ namespace: SYSTEM, name: 'log' })]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(map('shoto-addon-log')).toBeUndefined();
    expect(w.addons().map((a) => a.spec.addon)).toEqual(['trace']);
    expect(image('trace')).toBe('trace:1.0.0');
    expect(w.standing().UpToDate).toBe('True UpToDate: every addon is what it should be');
  });
});
