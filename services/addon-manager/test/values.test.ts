import { afterEach, describe, expect, it } from 'vitest';
import { small } from './bundles.ts';
import { looking } from './look.ts';
import { startWorld, type World } from './world.ts';

let w: World;
afterEach(() => w.close());

const { ask, image, map, SYSTEM } = looking(() => w);
const mark = () => w.workload.writes.length;
const since = (n: number) => w.workload.writes.slice(n).map((x) => x.replace(/^(\w+) .*\//, '$1 '));

describe('values', () => {
  const secrets = () => w.management.api.resource({ group: '', version: 'v1', plural: 'secrets' });
  const secret = (text: string) => ({
    metadata: { name: 'own', namespace: 'tenant-blue' },
    data: { 'values.yaml': Buffer.from(text).toString('base64') },
  });

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

  it('from a Secret are not quoted where an API server refuses an object that they stand in', async () => {
    const valuesFrom = [{ secretName: 'own', key: 'values.yaml' }];
    w = await startWorld([{ name: 'log', valuesFrom }]);
    const files = small('log', '1.0.0');
    files['values.schema.json'] = JSON.stringify({
      type: 'object',
      properties: { level: { type: 'string', default: 'info' }, port: { type: 'integer' } },
    });
    files['manifests/zz.yaml'] =
      'apiVersion: v1\nkind: Service\nmetadata: { name: s }\nspec: { ports: [{ port: "{{values.port}}" }] }\n';
    w.publishFiles('log-1.0.0', files);
    secrets().create(secret('port: 70707\n'));
    await w.settle();
    expect(w.standing().Applied).toBe(
      'False Refused: log: Service kube-system/s: the API server refuses spec.ports[0].port',
    );
    expect(JSON.stringify([w.cluster(), w.addons(), w.events])).not.toContain('70707');
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

  it('from a Secret that break a bundle have nothing to go back to: it is said, and looked at now and then', async () => {
    const valuesFrom = [{ secretName: 'own', key: 'values.yaml' }];
    w = await startWorld([{ name: 'log', valuesFrom }]);
    const bundle = small('log', '1.0.0', { image: 'log:{{values.tag}}', files: {} });
    bundle['values.schema.json'] = JSON.stringify({
      type: 'object',
      properties: { level: { type: 'string', default: 'info' }, tag: { type: 'string' } },
    });
    w.publishFiles('log-1.0.0', bundle);
    secrets().create(secret('tag: one'));
    await w.settle();
    secrets().update({ namespace: 'tenant-blue', name: 'own' }, (o) =>
      Object.assign(o, { data: secret('tag: broken').data }),
    );
    await w.pass();
    expect(image('log')).toBe('log:broken');
    w.later(61);
    const before = mark();
    expect(await w.pass()).toEqual({ requeueAfterMs: 30_000 });
    expect(w.standing().Healthy).toMatch(/^False NotHealthyInTime/);
    await w.pass();
    expect(since(before)).toEqual([]);
    secrets().update({ namespace: 'tenant-blue', name: 'own' }, (o) =>
      Object.assign(o, { data: secret('tag: two').data }),
    );
    await w.settle();
    expect([image('log'), w.standing().Healthy]).toEqual(['log:two', 'True RolledOut: all addons run']);
  });
});
