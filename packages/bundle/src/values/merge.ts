import type { JsonObject } from '../json.ts';
import { mergePatch } from '../render/patch.ts';

/**
 * Values over values, later ones win: objects are merged, lists and scalars replaced, null takes a key away, as Helm does.
 *
 * @param layers - from the weakest: template, cluster, valuesFrom; undefined ones are left out
 */
export function mergeValues(...layers: (JsonObject | undefined)[]): JsonObject {
  return layers.reduce<JsonObject>((under, over) => (over ? (mergePatch(under, over) as JsonObject) : under), {});
}
