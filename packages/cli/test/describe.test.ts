import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { aCluster, CLUSTERS, startWorld, type World } from './world.ts';

let w: World;
beforeEach(async () => {
  w = await startWorld();
});
afterEach(() => w.close());

const run = (line: string) => w.shoto(['describe', ...line.split(' ')]);
const lines = (text: string): string[] => text.trimEnd().split('\n');

describe('describe template', () => {
  const catalogue = (spec: object) =>
    w.on('GET /v1/templates', {
      body: { items: [{ metadata: { name: 'standard', creationTimestamp: '2026-01-01T00:00:00Z' }, spec }] },
    });

  it('tells all that it presets', async () => {
    catalogue({
      description: 'what a team expects',
      region: 'one',
      release: 'v1.35.4',
      maintenanceWindow: { timeZone: 'Asia/Tokyo', days: ['Sat'], start: '02:00', durationMinutes: 120 },
      healing: { enabled: false },
      network: { podCIDR: '10.244.0.0/16', nodeCIDR: '10.8.0.0/16' },
      controlPlane: { count: 3, flavor: 'm1.medium', zones: ['az1', 'az2'], rootVolume: { sizeGiB: 40 } },
      nodePools: [{ name: 'default', count: 1, flavor: 'm1.small', serverGroupPolicy: 'anti-affinity' }],
      nodePoolDefaults: { flavor: 'm1.small', nodeDrainTimeoutSeconds: 600, nodeVolumeDetachTimeoutSeconds: 60 },
      addons: [
        { name: 'flannel' },
        {
          name: 'grafana',
          version: '12.0.0',
          channel: 'edge',
          drift: 'Report',
          values: { replicas: 2 },
          valuesFrom: [{ secretName: 'admin', key: 'values.yaml' }],
        },
      ],
    });
    const { code, out } = await run('template standard');
    expect([code, ...lines(out)]).toEqual([
      0,
      'Name:           standard',
      'Created:        2026-01-01T00:00:00Z (60m ago)',
      'Description:    what a team expects',
      'Region:         one',
      'Release:        v1.35.4',
      'Window:         Sat 02:00-04:00 Asia/Tokyo',
      'Healing:        off',
      'Networks:       pods 10.244.0.0/16, machines 10.8.0.0/16',
      'Control plane:  3 machines, m1.medium, zones az1,az2, volume of 40 GiB',
      'Pool default:   1 machine, m1.small, anti-affinity',
      'Other pools:    m1.small, drains for 600 s, waits 60 s for volumes',
      '',
      'Addons:',
      '  NAME      VERSION                CHANNEL   DRIFT     VALUES FROM',
      '  flannel   the newest that fits   stable    Correct   -',
      '  grafana   12.0.0                 edge      Report    admin/values.yaml',
      '',
      'Values of addons:',
      '  grafana:',
      '    replicas: 2',
    ]);
  });

  it('and what it leaves to whoever makes a cluster; it asks for no tenant', async () => {
    catalogue({});
    const { out } = await w.shoto(['describe', 'ctpl', 'standard'], {
      env: { SHOTO_API_URL: w.url, SHOTO_TOKEN: 't0ken' },
    });
    expect(lines(out).slice(2)).toEqual([
      ...['Region', 'Release', 'Window', 'Healing', 'Networks', 'Control plane', 'Other pools'].map(
        (name) => `${`${name}:`.padEnd(16)}left to the cluster`,
      ),
      '',
      'Addons: none',
    ]);
  });

  it('that is not there is said', async () => {
    catalogue({});
    expect(await run('template other')).toMatchObject({ code: 3, err: 'shoto: there is no template other\n' });
  });
});

describe('describe addon', () => {
  const condition = (type: string, status: string, reason: string, message: string) => ({
    type,
    status,
    reason,
    message,
    lastTransitionTime: '2026-01-01T00:58:00Z',
  });
  const cluster = (addons: object[]) => {
    const c = aCluster();
    w.on(`GET ${CLUSTERS}/web`, { body: { ...c, spec: { ...c.spec, addons } } });
  };
  const addon = (name: string, manager?: object) =>
    w.on(`GET ${CLUSTERS}/web/addons`, {
      body: {
        items: name
          ? [{ metadata: { name: `web-${name}` }, spec: { clusterName: 'web', addon: name }, status: { manager } }]
          : [],
      },
    });

  it('tells its version, why it is no other, what failed, and who else has a hand in it', async () => {
    cluster([
      {
        name: 'grafana',
        channel: 'edge',
        drift: 'Report',
        paused: true,
        values: { replicas: 2 },
        valuesFrom: [{ secretName: 'admin', key: 'values.yaml' }],
      },
    ]);
    addon('grafana', {
      version: '12.0.0',
      bundle: 'grafana-12.0.0',
      appliedAt: '2026-01-01T00:30:00Z',
      failed: {
        bundle: 'grafana-12.1.0',
        reason: 'NotHealthyInTime',
        message: '12.1.0 was not healthy within 600 s',
        at: '2026-01-01T00:58:00Z',
      },
      drift: [{ object: 'Deployment m/grafana', paths: ['/spec/replicas'], at: '2026-01-01T00:59:00Z' }],
      conflicts: [{ object: 'Service m/grafana', manager: 'hpa', paths: ['/spec/type'], at: '2026-01-01T00:59:00Z' }],
      conditions: [
        condition('Healthy', 'True', 'RolledOut', 'its workloads run'),
        condition('UpToDate', 'False', 'UpdateFailed', '12.1.0 failed'),
      ],
    });
    const { code, out } = await run('addon web grafana');
    expect([code, ...lines(out)]).toEqual([
      0,
      'Name:           grafana',
      'Cluster:        web',
      'Wanted:         the newest of channel edge that fits',
      'Paused:         yes; shoto set addon web grafana --paused off lets it go on',
      'Version:        12.0.0',
      'Bundle:         grafana-12.0.0',
      'Applied:        2026-01-01T00:30:00Z (30m ago)',
      'Healthy:        yes, its workloads run',
      'Up to date:     no, UpdateFailed: 12.1.0 failed',
      'Failed:         grafana-12.1.0, 2m ago, NotHealthyInTime: 12.1.0 was not healthy within 600 s',
      'Once more:      shoto retry addon web grafana',
      'Drift:          Report',
      'Values from:    admin/values.yaml',
      '',
      'Values:',
      '  replicas: 2',
      '',
      'Changed by somebody else:',
      '  OBJECT                 SINCE   FIELDS',
      '  Deployment m/grafana   60s     /spec/replicas',
      '',
      'Left to other managers:',
      '  OBJECT              MANAGER   SINCE   FIELDS',
      '  Service m/grafana   hpa       60s     /spec/type',
      '',
      'Conditions:',
      '  TYPE       STATUS   REASON         SINCE   MESSAGE',
      '  Healthy    True     RolledOut      2m      its workloads run',
      '  UpToDate   False    UpdateFailed   2m      12.1.0 failed',
    ]);
  });

  it('tells one that nobody has looked at yet, and one that is on its way out', async () => {
    cluster([{ name: 'grafana', version: '12.0.0' }]);
    addon('');
    const early = lines((await run('addon web grafana')).out);
    expect(early).toContain('Wanted:         12.0.0');
    expect(early).toContain('Version:        none yet');
    expect(early).toContain('Healthy:        not known yet');
    cluster([]);
    addon('grafana', { version: '12.0.0' });
    expect(lines((await run('addon web grafana')).out)).toContain('Wanted:         nothing, it is being removed');
  });

  it.each([
    ['addon web loki', 3, 'cluster web has no addon loki: it has flannel'],
    ['addon web', 2, 'which addon of cluster web? shoto describe addon web NAME'],
    ['cluster web grafana', 2, '"grafana" is too much: describe takes one name'],
    ['region one', 2, 'describe knows cluster, addon, template, not "region"'],
  ])('%s is refused', async (line, code, err) => {
    cluster([{ name: 'flannel' }]);
    addon('');
    expect(await run(line)).toMatchObject({ code, err: `shoto: ${err}\n` });
  });
});
