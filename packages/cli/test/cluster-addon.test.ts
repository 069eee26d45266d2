import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withValues } from '../src/commands/cluster-addon.ts';
import { aCluster, CLUSTERS, startWorld, type World } from './world.ts';

const WEB = `${CLUSTERS}/web`;
const at = (resourceVersion: string, addons: object[]) => {
  const c = aCluster();
  return { ...c, metadata: { ...c.metadata, resourceVersion, generation: 7 }, spec: { ...c.spec, addons } };
};
const GRAFANA = { name: 'grafana', version: '12.0.0', values: { replicas: 1, auth: { anonymous: true } } };
let w: World;
beforeEach(async () => {
  w = await startWorld();
  w.on(`GET ${WEB}`, { body: at('1', [{ name: 'flannel' }, GRAFANA]) });
  w.on(`PATCH ${WEB}`, { body: at('2', []) });
});
afterEach(() => w.close());

const run = (line: string, files: Record<string, string> = {}) => w.shoto(line.split(' '), { files });
const sent = () =>
  w.seen.filter((s) => s.method === 'PATCH').map((s) => (s.body as { spec: { addons: object[] } }).spec.addons);

describe('create addon', () => {
  it('adds it to those that there are, with values of file and flags', async () => {
    const { code, out } = await run(
      'create addon web prometheus --channel candidate --values p.yaml --set retention.days=7 --values-from p/values.yaml --no-wait',
      { 'p.yaml': 'retention: { size: 10Gi }\n' },
    );
    expect([code, out]).toEqual([0, 'cluster/web: addon prometheus added\n']);
    expect(sent()).toEqual([
      [
        { name: 'flannel' },
        GRAFANA,
        {
          name: 'prometheus',
          channel: 'candidate',
          values: { retention: { size: '10Gi', days: 7 } },
          valuesFrom: [{ secretName: 'p', key: 'values.yaml' }],
        },
      ],
    ]);
  });
  it('passes on what the server warns of', async () => {
    const warning = ['299 - "spec.addons[0].values.a: looks like a \\"secret\\""', '299 - "and more"'];
    w.on(`PATCH ${WEB}`, { body: at('2', []), headers: { warning } });
    const { code, err } = await run('create addon web x --set a=1 --no-wait');
    expect([code, err]).toEqual([0, 'warning: spec.addons[0].values.a: looks like a "secret"\nwarning: and more\n']);
  });
  it.each<[string, string, number, RegExp]>([
    ['that is there', 'create addon web grafana', 4, /has addon grafana already: change it with shoto set addon web/],
    ['with a path that is none', 'create addon web x --set a..b=1', 2, /--set a\.\.b=1: write path\.to=value/],
    ['with broken values', 'create addon web x --values bad.yaml', 2, /bad\.yaml: .*line 1/s],
    ['with values that are a list', 'create addon web x --values list.yaml', 2, /values are a mapping/],
    ['with half a Secret', 'create addon web x --values-from s', 2, /write the Secret's name and its key/],
  ])('refuses one %s', async (_what, line, code, text) => {
    const ran = await run(line, { 'bad.yaml': 'a: [1', 'list.yaml': '- 1' });
    expect([ran.code, ran.err]).toEqual([code, expect.stringMatching(text)]);
    expect(sent()).toEqual([]);
  });
});

describe('set addon', () => {
  it('changes what it names and keeps the rest', async () => {
    await run('set addon web grafana --set replicas=2 --set auth.anonymous- --drift Report --paused on --no-wait');
    expect(sent()[0]?.[1]).toEqual({
      name: 'grafana',
      version: '12.0.0',
      values: { replicas: 2, auth: {} },
      drift: 'Report',
      paused: true,
    });
  });
  it('lets it follow the cluster again', async () => {
    await run('set addon web grafana --version none --no-wait');
    expect(sent()[0]?.[1]).toEqual({ name: 'grafana', values: GRAFANA.values });
  });
  it('says what a cluster has where it does not have that one', async () => {
    const { code, err } = await run('set addon web loki --version 1.0.0');
    expect([code, err]).toEqual([3, 'shoto: cluster web has no addon loki: it has flannel, grafana\n']);
  });
  it('refuses to set nothing', async () => {
    expect((await run('set addon web grafana')).err).toContain('nothing to set');
  });
});

describe('delete addon, retry addon, poll addonregistry', () => {
  it('takes one away', async () => {
    await run('delete addon web grafana --no-wait');
    expect(sent()).toEqual([[{ name: 'flannel' }]]);
  });
  it('tries one again, and looks into a registry', async () => {
    w.on(`POST ${WEB}/addons/grafana/retry`, { body: {} });
    w.on('POST /v1/addonregistries/main/poll', { body: {} });
    expect((await run('retry addon web grafana')).out).toBe('cluster/web: addon grafana is tried again\n');
    expect((await run('poll addonregistry main')).out).toBe('addonregistry/main is asked\n');
  });
});

describe('get addons', () => {
  const condition = (type: string, status: string, message = '') => ({ type, status, reason: 'X', message });
  const addon = (name: string, manager: object) => ({
    metadata: { name: `web-${name}`, creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: { clusterName: 'web', addon: name },
    status: { manager },
  });
  it('shows version, health, and what is out of the ordinary', async () => {
    w.on(`GET ${WEB}/addons`, {
      body: {
        items: [
          addon('flannel', {
            version: '0.28.4',
            conditions: [condition('Healthy', 'True'), condition('UpToDate', 'True')],
          }),
          addon('grafana', {
            version: '12.0.0',
            failed: { bundle: 'grafana-12.1.0', message: 'it did not roll out within 600 s' },
            drift: [{ object: 'Deployment monitoring/grafana', paths: ['/spec/replicas'] }],
            conditions: [condition('Healthy', 'True'), condition('UpToDate', 'False', 'x')],
          }),
        ],
      },
    });
    const { out } = await run('get addons --cluster web');
    const lines = out
      .trimEnd()
      .split('\n')
      .map((l) => l.trimEnd().replace(/ {2,}/g, ' | '));
    expect(lines).toEqual([
      'CLUSTER | ADDON | VERSION | HEALTHY | UP TO DATE | AGE | NOTE',
      'web | flannel | 0.28.4 | True | True | 60m | -',
      'web | grafana | 12.0.0 | True | False | 60m | grafana-12.1.0 failed: it did not roll out within 600 s; drifted: Deployment monitoring/grafana',
    ]);
  });
});

describe('values', () => {
  it('take numbers, booleans, lists and text as YAML has them', () => {
    expect(withValues({ keep: 1 }, ['a=3', 'b.c=true', 'd=[x, y]', 'e=1.2.3', 'f={"g": null}'])).toEqual({
      keep: 1,
      a: 3,
      b: { c: true },
      d: ['x', 'y'],
      e: '1.2.3',
      f: { g: null },
    });
  });
  it('are not changed in place, and reach no prototype', () => {
    const before = { a: { b: 1 } };
    withValues(before, ['a.b=2']);
    expect(before).toEqual({ a: { b: 1 } });
    expect(() => withValues({}, ['__proto__.x=1'])).toThrow('--set');
  });
});
