import { isDeepStrictEqual } from 'node:util';
import type { JsonPatchOp } from '../types.ts';

type Container = Record<string, unknown> | unknown[];

/** RFC 6902 to the letter, as far as this package sends it: add, replace, remove, test. Returns undefined if it does not fit. */
export function applyJsonPatch<T extends object>(document: T, ops: readonly JsonPatchOp[]): T | undefined {
  const result = structuredClone(document);
  for (const op of ops) {
    const steps = op.path
      .split('/')
      .slice(1)
      .map((s) => s.replaceAll('~1', '/').replaceAll('~0', '~'));
    const last = steps.pop() ?? '';
    let at: unknown = result;
    for (const step of steps) at = (at as Record<string, unknown> | undefined)?.[step];
    if (typeof at !== 'object' || at === null || !applyOne(at as Container, last, op)) return undefined;
  }
  return result;
}

function applyOne(at: Container, last: string, op: JsonPatchOp): boolean {
  const there = last in at;
  if (op.op === 'test') return there && isDeepStrictEqual((at as Record<string, unknown>)[last], op.value);
  if (op.op === 'remove') {
    if (!there) return false;
    if (Array.isArray(at)) at.splice(Number(last), 1);
    else delete at[last];
    return true;
  }
  if (op.op !== 'add' && op.op !== 'replace') return false;
  if (op.op === 'replace' && !there) return false;
  if (Array.isArray(at)) at.splice(last === '-' ? at.length : Number(last), op.op === 'replace' ? 1 : 0, op.value);
  else at[last] = op.value;
  return true;
}
