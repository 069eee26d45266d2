import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type Ast, type Dashboard, labelsOf, metricsIn, questionsOf, referencesOf } from '../addons/dashboards.ts';
import { bundlesWith, collect, configOf, containerOf, newestBundles } from '../addons/monitoring.ts';
import { type LabServer, MONITORING, missingMonitoring, startServer } from '../lab/prometheus.ts';
import { until } from '../poll.ts';
import { rulesIn } from './alert-cases.ts';
import { type ShippedPrometheus, startShippedPrometheus } from './shipped-prometheus.ts';

const newest = await newestBundles();
const grafana = newest.find((b) => b.addon === 'grafana')!;
const sidecar = containerOf(grafana.objects, 'dashboards');
const dashboardsOf = (bundles: typeof newest): Dashboard[] =>
  bundles.flatMap(({ objects }) => collect(sidecar, objects).map(({ text }) => JSON.parse(text) as Dashboard));

const bundles = await bundlesWith('dashboards');

describe("Grafana's provisioning", () => {
  const config = configOf(grafana.objects, 'grafana');
  const source = (parse(config['datasources.yaml']!) as { datasources: { uid: string; type: string }[] })
    .datasources[0]!;

  it('has one data source, by the fields that Grafana reads', () => {
    expect(parse(config['datasources.yaml']!)).toEqual({
      apiVersion: 1,
      prune: true,
      datasources: [
        {
          name: 'Prometheus',
          uid: 'prometheus',
          type: 'prometheus',
          access: 'proxy',
          url: 'http://prometheus.prometheus.svc:9090',
          isDefault: true,
          editable: false,
          jsonData: { httpMethod: 'POST', timeInterval: '30s', prometheusType: 'Prometheus' },
        },
      ],
    });
  });

  it('reads dashboards where the sidecar writes them', () => {
    const { apiVersion, providers } = parse(config['dashboards.yaml']!) as {
      apiVersion: number;
      providers: { type: string; options: { path: string } }[];
    };
    expect([apiVersion, providers.map((p) => p.type)]).toEqual([1, ['file']]);
    const written = sidecar.env!.find((e) => e.name === 'FOLDER')!.value;
    const volume = (container: typeof sidecar, path?: string) =>
      container.volumeMounts!.find((m) => m.mountPath === path)?.name;
    expect(volume(containerOf(grafana.objects, 'grafana'), providers[0]!.options.path)).toBe(volume(sidecar, written));
    // Files with another ending are passed over without a word.
    expect(newest.flatMap((b) => collect(sidecar, b.objects)).filter((f) => !f.name.endsWith('.json'))).toEqual([]);
  });

  it.each(bundles)('can show the dashboards of $addon $version', (bundle) => {
    for (const dashboard of dashboardsOf([bundle])) {
      expect(dashboard).toMatchObject({
        uid: expect.stringMatching(/^[A-Za-z0-9_-]{1,40}$/),
        title: expect.any(String),
      });
      // An id is of one Grafana; with one, another takes it for a dashboard that it has.
      expect(dashboard.id ?? null).toBeNull();
      expect(dashboard.schemaVersion).toBeGreaterThanOrEqual(36);
      expect(new Set(dashboard.panels.map((p) => p.id)).size).toBe(dashboard.panels.length);
      expect(dashboard.panels.filter(({ gridPos: g }) => g.x + g.w > 24)).toEqual([]);
      for (const reference of referencesOf(dashboard))
        expect(reference).toEqual({ type: source.type, uid: source.uid });
    }
  });

  it('has no two dashboards with the same uid or title', () => {
    const all = dashboardsOf(newest);
    expect(all.length).toBeGreaterThanOrEqual(8);
    expect(new Set(all.map((d) => d.uid)).size).toBe(all.length);
    expect(new Set(all.map((d) => d.title)).size).toBe(all.length);
  });
});

// Built by `kubernetes-build --only addons`; make test-real says so where they are not there.
describe.runIf(missingMonitoring().length === 0)('what dashboards and rules ask', () => {
  let prometheus: ShippedPrometheus;
  let exporter: LabServer;
  const parsed = async (expr: string): Promise<Ast> =>
    (JSON.parse(await prometheus.server.get(`/api/v1/parse_query?query=${encodeURIComponent(expr)}`)) as { data: Ast })
      .data;
  beforeAll(async () => {
    prometheus = await startShippedPrometheus({ scrapeIntervalSeconds: 5, alertmanager: '127.0.0.1:9' });
    const { args } = containerOf(newest.find((b) => b.addon === 'node-exporter')!.objects, 'node-exporter');
    exporter = await startServer({
      program: MONITORING.nodeExporter,
      args: (address) => args!.map((a) => a.replace(/\$\(HOST_IP\):\d+/, address).replace(/=\/host\/(root$)?/, '=/')),
      ready: '/',
      logFile: prometheus.root.path('node-exporter.log'),
    });
  });
  afterAll(async () => {
    await exporter?.stop();
    await prometheus?.stop();
  });

  it.each(bundles)('is PromQL, in $addon $version, and legends name labels that its answers have', async (bundle) => {
    for (const { where, expr, legend } of dashboardsOf([bundle]).flatMap(questionsOf)) {
      const labels = labelsOf(await parsed(expr));
      expect(
        legend.filter((l) => labels && !labels.includes(l)),
        `${where}: ${expr}`,
      ).toEqual([]);
    }
  });

  it('is there: node-exporter, Prometheus and the rules give every metric that goes by their names', async () => {
    const rules = prometheus.rules.flatMap(({ text }) => rulesIn(text));
    const exprs = [
      ...rules.map((r) => r.expr),
      ...dashboardsOf(newest)
        .flatMap(questionsOf)
        .map((q) => q.expr),
    ];
    const asked = new Set((await Promise.all(exprs.map(parsed))).flatMap(metricsIn));
    const known = [...asked].filter((name) => /^(node|prometheus)_|:/.test(name));
    expect(known.length).toBeGreaterThan(40);
    // Some of Prometheus's own come with its first samples.
    await until('every metric', async () => {
      const given = new Set([
        ...namesIn(await exporter.get('/metrics')),
        ...namesIn(await prometheus.server.get('/metrics')),
        ...rules.flatMap((r) => r.record ?? []),
      ]);
      const missing = known.filter((name) => !given.has(name));
      if (missing.length > 0) throw new Error(`nobody gives ${missing.join(', ')}`);
      return true;
    });
  });
});

/** Names of the series in an answer to a scrape. */
const namesIn = (text: string): string[] => [...text.matchAll(/^([a-zA-Z_:][\w:]*)[{ ]/gm)].map(([, name]) => name!);
