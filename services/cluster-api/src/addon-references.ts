import type { AddonBundle, AddonRegistry, ClusterSpec, FieldProblem } from '@shoto/api';

/** What is known of addons. */
export interface AddonCatalogue {
  addonBundles(): AddonBundle[];
  addonRegistries(): AddonRegistry[];
}

/**
 * What is wrong with the addons of a spec: names and versions that nobody published. Only of what is new in it, and only while the catalogue is
 * whole: before every registry has answered once, what is missing may be a moment away.
 *
 * @param before - the spec as it is stored, where it is changed
 */
export function addonProblems(spec: ClusterSpec, catalogue: AddonCatalogue, before?: ClusterSpec): FieldProblem[] {
  const bundles = catalogue.addonBundles().map((b) => b.spec);
  const isWhole = bundles.length > 0 && catalogue.addonRegistries().every((r) => r.status?.manager?.lastPolledAt);
  if (!isWhole) return [];
  return spec.addons.flatMap(({ name, version }, i): FieldProblem[] => {
    const old = before?.addons.find((a) => a.name === name);
    if (old && old.version === version) return [];
    const versions = bundles.filter((b) => b.addon === name).map((b) => b.version);
    if (versions.length === 0)
      return [
        {
          field: `spec.addons[${i}].name`,
          reason: 'Invalid',
          message: `no bundle of addon ${JSON.stringify(name)} is published: choose one of ${[...new Set(bundles.map((b) => b.addon))].sort().join(', ')}`,
        },
      ];
    if (version !== undefined && !versions.includes(version))
      return [
        {
          field: `spec.addons[${i}].version`,
          reason: 'Invalid',
          message: `version ${JSON.stringify(version)} of ${name} is not published: choose one of ${versions.sort().join(', ')}, or leave it out to have the newest that fits`,
        },
      ];
    return [];
  });
}
