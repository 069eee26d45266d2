import type { BundleContent, Manifest, Rendered } from '@shoto/bundle';
import { idOf, itemOf } from '../apply/inventory.ts';
import { factsFor, type Pass, type Target } from './context.ts';

/** The content of a target, and what it is for this cluster. */
export async function renderedFor(p: Pass, target: Target): Promise<{ content: BundleContent; rendered: Rendered }> {
  const content = await p.d.store.content(target.bundle);
  const rendered = await p.d.store.render(target.bundle, content, {
    facts: factsFor(p, target.bundle),
    values: target.values,
    kubernetesVersion: p.version,
  });
  return { content, rendered };
}

/** Objects of a render by identity. */
export const byId = (rendered: Rendered): Map<string, Manifest> =>
  new Map(rendered.objects.map((o) => [idOf(itemOf(o)), o]));

/** Fields of an object that a bundle leaves to whoever changes them. */
export const ignoredOf =
  (content: BundleContent) =>
  (o: Manifest): string[] =>
    content.manifest.drift.ignore
      .filter(
        (i) =>
          i.kind === o.kind &&
          (i.apiVersion === undefined || i.apiVersion === o.apiVersion) &&
          (i.name === undefined || i.name === o.metadata.name) &&
          (i.namespace === undefined || i.namespace === o.metadata.namespace),
      )
      .flatMap((i) => i.paths);
