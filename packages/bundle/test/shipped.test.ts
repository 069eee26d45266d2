import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { kubernetesData, lint, readBundleDir } from '../src/index.ts';

const ADDONS = fileURLToPath(new URL('../../../deploy/addons', import.meta.url));
const shipped = readdirSync(ADDONS).map((addon) => ({ addon, versions: readdirSync(join(ADDONS, addon)) }));

it.each(shipped)('lint has nothing against $addon as it ships', async ({ addon, versions }) => {
  const kubernetes = await kubernetesData();
  for (const version of versions) {
    const bundle = await readBundleDir(join(ADDONS, addon, version));
    const errors = (await lint(bundle, { kubernetes })).filter((f) => f.severity === 'error');
    // A chart is looked at where there is Helm; here its own files are.
    const isChart = 'helm' in bundle.manifest.content;
    expect(errors.filter((f) => !(isChart && f.rule === 'render'))).toEqual([]);
  }
});
