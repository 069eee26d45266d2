import { evaluate } from '@marcbachmann/cel-js';
import type { Json } from '../types.ts';
import { isRecord, list, text } from '../util/json.ts';

/**
 * Whether all of a webhook's `matchConditions` (CEL over object, oldObject, request) hold.
 * @throws {Error} when one cannot be evaluated; the webhook's failurePolicy decides what follows
 */
export function conditionsHold(hook: Json, variables: Json): boolean {
  return list(hook.matchConditions)
    .filter(isRecord)
    .every(
      (c) =>
        evaluate(text(c.expression), {
          ...variables,
          object: variables.object ?? null,
          oldObject: variables.oldObject ?? null,
        }) === true,
    );
}
