import { type BundleContent, fits, helmTemplate, type Rendered, render, sampleFacts } from '@shoto/bundle';
import { hasHelm, isChart, shipped } from '../../packages/bundle/test/shipped.ts';

const helm = helmTemplate();

/** Bundles that ship and fit a Kubernetes version, those that others depend on first. Charts only where there is a helm. */
export async function fitting(version: string): Promise<BundleContent[]> {
  const all = [...(await shipped()).values()].flat();
  const needed = new Set(all.flatMap((b) => b.manifest.dependsOn.map((d) => d.name)));
  return all
    .filter((b) => fits(b.manifest.kubernetes, version) && (hasHelm || !isChart(b)))
    .sort((a, b) => Number(needed.has(b.manifest.name)) - Number(needed.has(a.manifest.name)));
}

/** A bundle with its default values. */
export const renderShipped = (bundle: BundleContent, version: string): Promise<Rendered> =>
  render(bundle, { facts: sampleFacts(bundle.manifest.credentials), values: {}, kubernetesVersion: version }, { helm });
