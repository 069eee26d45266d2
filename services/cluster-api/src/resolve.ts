import type { ClusterTemplateSpec } from '@shoto/api';

type Json = Record<string, unknown>;

const isObject = (v: unknown): v is Json => typeof v === 'object' && v !== null && !Array.isArray(v);

/** `over` upon `under`: objects are merged, everything else is replaced. Neither is changed. */
function merge(under: unknown, over: unknown): unknown {
  if (over === undefined) return under;
  if (!isObject(under) || !isObject(over)) return over;
  const out: Json = { ...under };
  for (const [k, v] of Object.entries(over)) out[k] = merge(under[k], v);
  return out;
}

/**
 * A Cluster's spec with the defaults of a template filled in. What the asker gives wins; pools that the asker names
 * take `nodePoolDefaults`, and a maintenance window is taken whole or not at all. This happens once, when the Cluster is made: a later edit of the template touches no cluster.
 *
 * @param asked - spec as it was sent, unchecked
 */
export function resolveTemplate(
  asked: unknown,
  template: { name: string; spec: ClusterTemplateSpec } | undefined,
): unknown {
  if (!template || !isObject(asked)) return asked;
  const { description: _, nodePoolDefaults, nodePools, maintenanceWindow, ...presets } = template.spec;
  // Hours of one window mean nothing on the days, or in the time zone, of another; null asks for none.
  const window = maintenanceWindow && asked.maintenanceWindow === undefined ? { maintenanceWindow } : {};
  const spec = merge(
    { ...presets, ...window, ...(nodePools && nodePools.length > 0 ? { nodePools } : {}) },
    asked,
  ) as Json;
  if (spec.maintenanceWindow === null) delete spec.maintenanceWindow;
  if (Array.isArray(asked.nodePools) && nodePoolDefaults)
    spec.nodePools = asked.nodePools.map((p: unknown) => (isObject(p) ? merge(nodePoolDefaults, p) : p));
  return { ...spec, template: template.name };
}
