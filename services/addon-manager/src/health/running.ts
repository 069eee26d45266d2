import { type Condition, findCondition } from '@shoto/api';
import { KubeError } from '@shoto/kube';
import type { Pass, Wish } from '../addon/context.ts';
import type { Standing } from '../addon/standing.ts';
import { firstFailing } from './check.ts';
import { healthOf, type KnownHealth, knownHealth } from './known.ts';

/** What is not well for so long is said: a pod that starts anew, or a node, is no news. That it is well again is said at once. */
export const UNHEALTHY_AFTER_MS = 60_000;
/** The same while machines are being replaced: pods come and go with them, and it may take hours. */
export const UNHEALTHY_AFTER_ROLLING_MS = 600_000;
/** When what could not be looked at is looked at again. */
const LOOK_AGAIN_MS = 60_000;

/** The condition of an Addon that says already that it is not well. */
const saidOf = ({ addon }: Wish): Condition | undefined => {
  const said = findCondition(addon?.status?.manager?.conditions, 'Healthy');
  return said?.status === 'False' && said.reason === 'Unhealthy' ? said : undefined;
};

/**
 * How an addon is that was rolled out: looks at those objects of its checks that have changed. It is said to ail when it has done so for some time.
 * Before it is said, and before it is taken back, the objects are looked at: another process may have seen what this one did not.
 */
export async function ailmentOf(p: Pass, w: Wish): Promise<Pick<Standing, 'ails' | 'againMs'>> {
  const { name } = w.wanted;
  const inventory = p.memory.inventories?.get(name);
  if (!inventory?.settled) return {};
  let known = p.memory.health.get(name);
  if (known?.of !== healthOf(inventory)) {
    known = knownHealth(inventory);
    p.memory.health.set(name, known);
  }
  const isSaid = saidOf(w) !== undefined;
  const graceMs = isSaid ? 0 : p.way.rolling ? UNHEALTHY_AFTER_ROLLING_MS : UNHEALTHY_AFTER_MS;
  const isOver = ({ since }: { since: number }): boolean => p.d.now() - since >= graceMs;
  const ids = new Set(p.looks ? known.changed : undefined);
  if (isSaid && (known.problems?.size ?? 0) === 0) for (const id of known.checks.keys()) ids.add(id);
  if (!isSaid) for (const [id, problem] of known.problems ?? []) if (isOver(problem)) ids.add(id);
  let isSeen = true;
  for (const id of ids) isSeen = (await look(p, known, id)) && isSeen;
  const problems = [...(known.problems?.values() ?? [])];
  const told = problems
    .filter(isOver)
    .map((t) => t.message)
    .join('; ');
  if (!isSeen) return isSaid ? { ails: told || saidOf(w)!.message } : {};
  if (told) return { ails: told };
  const [oldest] = problems;
  return oldest ? { againMs: Math.max(0, oldest.since + graceMs - p.d.now()) } : {};
}

/**
 * Looks at one object. Where that fails, what was known stays so, and it is looked at again: that a cluster does not answer others tell.
 *
 * @returns whether it could be looked at
 */
async function look(p: Pass, known: KnownHealth, id: string): Promise<boolean> {
  p.signal?.throwIfAborted();
  const { workload: client, version, signal } = p;
  known.changed?.delete(id);
  if (known.changed?.size === 0) known.changed = undefined;
  try {
    const failing = await firstFailing({ client, finder: p.d.finder, version, signal }, known.checks.get(id) ?? []);
    if (failing) {
      known.problems ??= new Map();
      known.problems.set(id, { message: failing.message, since: known.problems.get(id)?.since ?? p.d.now() });
    } else if (known.problems?.delete(id) && known.problems.size === 0) known.problems = undefined;
    return true;
  } catch (e) {
    known.changed ??= new Set();
    known.changed.add(id);
    if (!(e instanceof KubeError) || signal?.aborted) throw e;
    p.memory.lookAt ??= p.d.now() + LOOK_AGAIN_MS;
    return false;
  }
}
