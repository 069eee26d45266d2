import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { versionsWith } from '../addons/monitoring.ts';
import { type LabServer, missingMonitoring, promtool } from '../lab/prometheus.ts';
import { until } from '../poll.ts';
import { rulesIn } from './alert-cases.ts';
import { CONFIG, RULES, rootOf, type ShippedPrometheus, startShippedPrometheus } from './shipped-prometheus.ts';

/** What teams may set that gets into the configuration. */
const VALUES: Record<string, unknown>[] = [
  {},
  { alertmanager: 'alertmanager.team.svc:9093', etcd: true, scrapeIntervalSeconds: 300 },
];

// Built by `kubernetes-build --only addons`; make test-real says so where they are not there.
describe.runIf(missingMonitoring().length === 0)('prometheus as it ships', () => {
  it.each(VALUES)('has a configuration that promtool takes, with values %j', async (values) => {
    for (const bundle of await versionsWith('prometheus', values)) {
      const root = await rootOf(bundle);
      const { code, said } = await promtool('check', 'config', root.path(`${CONFIG}/prometheus.yml`));
      await root.remove();
      expect(code, `${bundle.version}: ${said}`).toBe(0);
    }
  });

  describe('running', () => {
    let prometheus: ShippedPrometheus;
    beforeAll(async () => {
      prometheus = await startShippedPrometheus({ scrapeIntervalSeconds: 5 });
    });
    afterAll(() => prometheus?.stop());

    it('evaluates the rules of all bundles', async () => {
      const rules = await until('every rule evaluated', async () => {
        const all = (await groupsOf(prometheus.server)).flatMap((g) => g.rules);
        return all.every((r) => r.health !== 'unknown') && all;
      });
      expect(rules.filter((r) => r.health !== 'ok')).toEqual([]);
      expect(rules.map((r) => r.name).sort()).toEqual(
        prometheus.rules.flatMap(({ text }) => rulesIn(text).map((r) => r.alert ?? r.record!)).sort(),
      );
    });

    it('takes up the rules of a team within a minute', async () => {
      await prometheus.root.write(`${RULES}/namespace_team.configmap_rules.team.yaml`, ruleFile('team', 'vector(1)'));
      await until(
        'the group of the team',
        async () => (await groupsOf(prometheus.server)).some((g) => g.name === 'team'),
        60_000,
      );
    });

    it('goes on with what it had when the rules of a team do not parse', async () => {
      const before = (await groupsOf(prometheus.server)).map((g) => g.name).sort();
      await prometheus.root.write(`${RULES}/namespace_other.configmap_rules.other.yaml`, ruleFile('other', 'vector(1'));
      await until(
        'a reload that failed',
        async () => /prometheus_config_last_reload_successful 0$/m.test(await prometheus.server.get('/metrics')),
        60_000,
      );
      expect((await groupsOf(prometheus.server)).map((g) => g.name).sort()).toEqual(before);
    });
  });
});

interface Group {
  name: string;
  rules: { name: string; health: string; lastError?: string }[];
}

async function groupsOf(server: LabServer): Promise<Group[]> {
  return (JSON.parse(await server.get('/api/v1/rules')) as { data: { groups: Group[] } }).data.groups;
}

const ruleFile = (name: string, expr: string): string =>
  `groups: [{ name: ${name}, rules: [{ alert: ${name}, expr: ${expr} }] }]\n`;
