import { afterEach, describe, expect, it } from 'vitest';
import { small } from './bundles.ts';
import { startWorld, type World } from './world.ts';

let w: World;
afterEach(() => w.close());

const SYSTEM = 'kube-system';
const maps = () => w.workload.api.resource({ group: '', version: 'v1', plural: 'configmaps' });
const sets = () => w.workload.api.resource({ group: 'apps', version: 'v1', plural: 'daemonsets' });
const map = (name: string) => maps().get({ namespace: SYSTEM, name }) as { data?: Record<string, string> } | undefined;
const image = (name: string) =>
  (
    sets().get({ namespace: SYSTEM, name }) as unknown as {
      spec: { template: { spec: { containers: { image: string }[] } } };
    }
  ).spec.template.spec.containers[0]!.image;
const clusters = () => w.management.api.resource({ group: 'shoto.dev', version: 'v1alpha1', plural: 'clusters' });
const addonsOf = (name: string) => w.addons().find((a) => a.spec.addon === name)?.status?.manager;
const WEB = { namespace: 'tenant-blue', name: 'web' };
const ask = (addons: object[]) => clusters().patch(WEB, { spec: { addons } });
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
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: used.log.dev }
spec:
  group: log.dev
  scope: Cluster
  names: { kind: Used, plural: used, singular: used, listKind: UsedList }
  versions: [{ name: v1, served: true, storage: true, schema: { openAPIV3Schema: { type: object } } }]
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: idle.log.dev }
spec:
  group: log.dev
  scope: Cluster
  names: { kind: Idle, plural: idle, singular: idle, listKind: IdleList }
  versions: [{ name: v1, served: true, storage: true, schema: { openAPIV3Schema: { type: object } } }]
`;
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

describe('values', () => {
  const secrets = () => w.management.api.resource({ group: '', version: 'v1', plural: 'secrets' });
  const secret = (text: string) =>
    ({
      metadata: { name: 'own', namespace: 'tenant-blue' },
      data: { 'values.yaml': Buffer.from(text).toString('base64') },
    }) as never;

  it('that are not in the schema are blamed by their path, and what is applied stays', async () => {
    w = await startWorld([{ name: 'log' }]);
    w.publishFiles('log-1.0.0', small('log', '1.0.0'));
    await w.settle();
    ask([{ name: 'log', values: { level: 'loud', volume: 11 } }]);
    await w.settle();
    expect(w.standing().UpToDate).toMatch(
      /^False InvalidValues: log: bundle log-1\.0\.0: .*values\.level: must be one of/,
    );
    expect(w.standing().UpToDate).toContain('values.volume: unknown value');
    expect([w.standing().Healthy, map('log-settings')?.data]).toEqual([
      'True RolledOut: all addons run',
      { level: 'info' },
    ]);
  });

  it('from a Secret are waited for, laid over those of the Cluster, and told nowhere', async () => {
    const valuesFrom = [{ secretName: 'own', key: 'values.yaml' }];
    w = await startWorld([{ name: 'log', values: { level: 'info' }, valuesFrom }]);
    const files = small('log', '1.0.0');
    files['manifests/secret.yaml'] =
      'apiVersion: v1\nkind: Secret\nmetadata: { name: log }\nstringData: { password: "{{values.password}}" }\n';
    w.publishFiles('log-1.0.0', files);
    expect((await w.pass())?.requeueAfterMs).toBe(15_000);
    expect(w.standing().Applied).toBe(
      'False ValuesMissing: log: valuesFrom[0]: Secret tenant-blue/own is not there: make it',
    );
    secrets().create(secret('password: hunter2-hunter2\nlevel: debug\n'));
    await w.settle();
    expect(map('log-settings')?.data).toEqual({ level: 'debug' });
    const applied = w.workload.api.resource({ group: '', version: 'v1', plural: 'secrets' });
    const encoded = Buffer.from('hunter2-hunter2').toString('base64');
    expect(JSON.stringify(applied.get({ namespace: SYSTEM, name: 'log' }))).toContain(encoded);
    const said = JSON.stringify([w.cluster(), w.addons(), w.events, map('shoto-addon-log')]);
    expect(said).not.toContain('hunter2');
    expect(said).not.toContain(encoded);

    // Another content is taken over with the next pass; one that cannot be read is said without it.
    secrets().update({ namespace: 'tenant-blue', name: 'own' }, (s) => {
      (s as unknown as { data: Record<string, string> }).data = {
        'values.yaml': Buffer.from('level: info\npassword: another-one\n').toString('base64'),
      };
    });
    await w.settle();
    expect(map('log-settings')?.data).toEqual({ level: 'info' });
    secrets().update({ namespace: 'tenant-blue', name: 'own' }, (s) => {
      (s as unknown as { data: Record<string, string> }).data = {
        'values.yaml': Buffer.from('hunter3: [').toString('base64'),
      };
    });
    await w.settle();
    expect(w.standing().UpToDate).toBe(
      'False ValuesInvalid: log: valuesFrom[0]: Secret tenant-blue/own, key values.yaml is not YAML (line 1): mend it',
    );
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
