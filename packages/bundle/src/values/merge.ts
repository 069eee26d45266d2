import { isObject, type Json, type JsonObject } from '../json.ts';

/**
 * Values over values, later ones win: objects are merged, lists and scalars replaced, null takes a key away, as Helm does.
 *
 * @param layers - from the weakest: template, cluster, valuesFrom; undefined ones are left out
 */
export function mergeValues(...layers: (JsonObject | undefined)[]): JsonObject {
  return layers.reduce<JsonObject>((under, over) => (over ? lay(under, over) : under), {});
}

function lay(under: JsonObject, over: JsonObject): JsonObject {
  const result = new Map<string, Json>(Object.entries(under));
  for (const [key, value] of Object.entries(over)) {
    const below = result.get(key);
    if (value === null) result.delete(key);
    else result.set(key, isObject(value) ? lay(isObject(below) ? below : {}, value) : value);
  }
  return Object.fromEntries(result);
}
