import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BundleContent, compareVersions, fits, readBundleDir } from '../src/index.ts';

/** The folder with the bundles that ship. */
export const ADDONS = fileURLToPath(new URL('../../../deploy/addons', import.meta.url));

/** Releases that clusters walk over: the last patch of each minor that is on offer. */
export const WALK = ['v1.35.4', 'v1.36.3', 'v1.37.0'] as const;

/** Every bundle that ships, by addon, oldest version first. */
export async function shipped(): Promise<Map<string, BundleContent[]>> {
  const addons = new Map<string, BundleContent[]>();
  for (const addon of (await readdir(ADDONS)).sort()) {
    const versions = await readdir(join(ADDONS, addon));
    const bundles = await Promise.all(versions.map((version) => readBundleDir(join(ADDONS, addon, version))));
    addons.set(
      addon,
      bundles.sort((a, b) => compareVersions(a.manifest.version, b.manifest.version)),
    );
  }
  return addons;
}

/** Kubernetes versions of {@link WALK} that a bundle fits. */
export const versionsOf = (bundle: BundleContent): string[] =>
  WALK.filter((version) => fits(bundle.manifest.kubernetes, version));

export const isChart = (bundle: BundleContent): boolean => 'helm' in bundle.manifest.content;

/** Whether there is a helm that charts can be rendered with. */
export const hasHelm =
  (process.env.HELM !== undefined && existsSync(process.env.HELM)) ||
  (process.env.PATH ?? '').split(delimiter).some((dir) => existsSync(join(dir, 'helm')));
