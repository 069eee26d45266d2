import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { bundlesWith, collect, containerOf, newestBundles } from '../addons/monitoring.ts';
import { missingMonitoring, promtool } from '../lab/prometheus.ts';
import { casesOf, firing, rulesIn } from './alert-cases.ts';

const bundles = await bundlesWith('alerts');
const newest = await newestBundles();
/** Built by `kubernetes-build --only addons`; make test-real says so where they are not there. */
const isThere = missingMonitoring().length === 0;
/** What Prometheus's sidecar takes out of a bundle's objects. */
const sidecar = containerOf(newest.find((b) => b.addon === 'prometheus')!.objects, 'rules');

describe.each(bundles)('rules of $addon $version', ({ addon, objects }) => {
  const collected = collect(sidecar, objects);
  const rules = collected.flatMap(({ text }) => rulesIn(text));
  let dir: string;
  let files: string[];
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'shoto-rules-'));
    files = await Promise.all(
      collected.map(async ({ name, text }) => {
        await writeFile(join(dir, name), text);
        return join(dir, name);
      }),
    );
  });
  afterAll(() => rm(dir, { recursive: true }));

  it('fire in a unit test, each alert', async () => {
    const cases = await casesOf(addon, [], rules);
    expect([...firing(cases.map((c) => c.test))].sort()).toEqual(rules.flatMap((r) => r.alert ?? []).sort());
  });

  it.runIf(isThere)('are taken by promtool', async () => {
    expect(files).not.toEqual([]);
    const { code, said } = await promtool('check', 'rules', '--lint=all', '--lint-fatal', ...files);
    expect(code, said).toBe(0);
  });

  it.runIf(isThere)('fire at what is ill and are silent at what is well', async () => {
    for (const { name, test } of await casesOf(addon, files, rules)) {
      const file = join(dir, `cases-${name}`);
      await writeFile(file, stringify(test));
      const { code, said } = await promtool('test', 'rules', file);
      expect(code, said).toBe(0);
    }
  });
});

it('no two bundles that a cluster gets have a rule of the same name', () => {
  const names = newest.flatMap(({ objects }) =>
    collect(sidecar, objects).flatMap(({ text }) => rulesIn(text).map((r) => r.alert ?? r.record)),
  );
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
});
