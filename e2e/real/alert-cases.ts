import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';

const CASES = join(import.meta.dirname, 'alerts');

/** A rule as it lies in a file of rules. */
export interface Rule {
  alert?: string;
  record?: string;
  expr: string;
  annotations?: Record<string, string>;
}

interface Case {
  alertname: string;
  exp_alerts?: { exp_labels: Record<string, string>; exp_annotations: Record<string, string> }[];
}

/** A unit test of `promtool test rules`. */
export interface RuleTest {
  rule_files?: string[];
  tests: { name: string; alert_rule_test?: Case[] }[];
}

/** Rules of a file. */
export const rulesIn = (text: string): Rule[] =>
  (parse(text) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules);

/**
 * The unit tests of an addon's rules, in `alerts/ADDON/*.yaml`. They do not repeat descriptions in which nothing is filled in: those come out of
 * the rules.
 *
 * @param files - absolute paths of the rules
 */
export async function casesOf(
  addon: string,
  files: string[],
  rules: Rule[],
): Promise<{ name: string; test: RuleTest }[]> {
  const prose = new Map(rules.map((r) => [r.alert, r.annotations?.description] as const));
  const names = (await readdir(join(CASES, addon))).sort();
  return Promise.all(
    names.map(async (name) => {
      const test = parse(await readFile(join(CASES, addon, name), 'utf8')) as RuleTest;
      test.rule_files = files;
      for (const { alertname, exp_alerts = [] } of casesIn(test))
        for (const { exp_annotations } of exp_alerts) {
          const description = prose.get(alertname);
          if (description && !description.includes('{{')) exp_annotations.description ??= description;
        }
      return { name, test };
    }),
  );
}

/** Names of the alerts that have to fire at some time in these tests. */
export const firing = (tests: RuleTest[]): Set<string> =>
  new Set(tests.flatMap(casesIn).flatMap((c) => (c.exp_alerts?.length ? [c.alertname] : [])));

const casesIn = (test: RuleTest): Case[] => test.tests.flatMap((t) => t.alert_rule_test ?? []);
