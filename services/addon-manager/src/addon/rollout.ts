import { type BundleContent, canonicalJson, type Rendered } from '@shoto/bundle';
import { TerminalError } from '@shoto/reconciler';
import { applyAll } from '../apply/apply.ts';
import { keepCrdRights } from '../apply/crd-rights.ts';
import { type Inventory, type Item, idOf, itemOf, union, writeInventory } from '../apply/inventory.ts';
import { prune, toPrune } from '../apply/prune.ts';
import { type Failing, firstFailing } from '../health/check.ts';
import { knownHealth } from '../health/known.ts';
import { ailingPod } from '../health/pods.ts';
import { applyContext, type Pass, type Target, type Wish } from './context.ts';
import { failureOf } from './failure.ts';
import { ignoredOf, renderedFor } from './rendered.ts';
import type { Standing } from './standing.ts';

const NONE: readonly never[] = [];

/** A first installation that takes longer than its bundle allows goes on; it is looked at so often. */
const LATE_MS = 30_000;
/** The pods of what is late are looked at so often, and when its counts have changed. */
const LATE_PODS_MS = 300_000;

/**
 * Applies a target where it is not applied, asks for its health, and settles it. An update that cannot be applied, or is not healthy in time, is given
 * up: the next pass goes back to what was good.
 */
export async function bringUp(p: Pass, w: Wish, target: Target): Promise<Standing> {
  const { name } = w.wanted;
  const version = target.bundle.spec.version;
  const before = p.memory.inventories?.get(name);
  const { content, rendered } = await renderedFor(p, target);
  if (before?.settled && before.digest === rendered.digest && before.bundle === target.bundle.metadata.name) {
    // Other facts, the same objects.
    const good = { bundle: before.bundle, input: target.input, digest: before.digest, values: target.own };
    return settled(name, version, await keep(p, name, { ...before, input: target.input, good }));
  }
  const base = { name, version, healthy: false };
  try {
    await apply(p, name, target, content, rendered);
  } catch (e) {
    if (!(e instanceof TerminalError) || !mayGoBack(before, target)) throw e;
    return givenUp(p, w, target, { reason: e.reason, message: `${version} could not be applied: ${e.message}` });
  }
  const inventory = p.memory.inventories!.get(name)!;
  // What changes from now on is looked at once more, when it runs.
  p.memory.health.set(name, knownHealth(inventory));
  const failing = await firstFailing(
    { client: p.workload, finder: p.d.finder, version: p.version, signal: p.signal },
    content.manifest.health.checks,
  );
  if (!failing) {
    const { conflicts } = p.memory.applied.get(name)!;
    const done = settled(name, version, await settle(p, name, target, content, inventory));
    return { ...done, drift: { of: undefined, drifted: [], conflicts } };
  }
  const { timeoutSeconds } = content.manifest.health;
  const late = p.d.now() - inventory.since > timeoutSeconds * 1000;
  const problem = late ? await withPod(p, name, target, failing) : failing.message;
  if (late && mayGoBack(inventory, target))
    return givenUp(p, w, target, {
      reason: 'NotHealthyInTime',
      message: `${version} was not healthy within ${timeoutSeconds} s: ${problem}`,
    });
  const behind = { reason: 'Updating', message: `${version} is being rolled out: ${problem}` };
  return late
    ? {
        ...base,
        behind,
        problem: {
          reason: 'NotHealthyInTime',
          message: `not healthy within ${timeoutSeconds} s: ${problem}`,
          terminal: false,
        },
        againMs: LATE_MS,
      }
    : { ...base, behind, problem: { reason: 'RollingOut', message: problem, terminal: false } };
}

/** What is not healthy in time, with the first of its pods that does not run. */
async function withPod(p: Pass, name: string, { confidential }: Target, failing: Failing): Promise<string> {
  const { message: problem, object } = failing;
  const { latePods } = p.memory;
  let known = latePods.get(name);
  if (known?.problem !== problem || p.d.now() - known.at >= LATE_PODS_MS) {
    const said = await ailingPod({ client: p.workload, signal: p.signal, confidential }, object);
    known = { problem, said, at: p.d.now() };
    latePods.set(name, known);
  }
  return known.said ? `${problem}; ${known.said}` : problem;
}

/** Whether there is something else to go back to: Secrets and facts are as they are now for what was good, too. */
const mayGoBack = ({ good }: Partial<Inventory> = {}, target: Target): boolean =>
  good !== undefined &&
  (good.bundle !== target.bundle.metadata.name || canonicalJson(good.values) !== canonicalJson(target.own));

function givenUp(p: Pass, w: Wish, target: Target, why: { reason: string; message: string }): Standing {
  const { name } = w.wanted;
  p.memory.applied.delete(name);
  p.memory.latePods.delete(name);
  const failed = failureOf(p, w, target, why);
  return {
    name,
    version: target.bundle.spec.version,
    healthy: false,
    failed,
    behind: { reason: 'UpdateFailed', message: `${why.message}; going back to what was healthy last` },
    problem: { reason: 'GoingBack', message: `${why.message}; going back to what was healthy last`, terminal: false },
    againMs: 0,
  };
}

function settled(name: string, version: string, inventory: Inventory): Standing {
  const { bundle, digest, since } = inventory;
  return { name, version, healthy: true, settled: { bundle, version, digest, appliedAt: since } };
}

/** Stores an inventory in the cluster, and here. */
async function keep(p: Pass, name: string, inventory: Inventory): Promise<Inventory> {
  await writeInventory(p.workload, name, inventory);
  p.memory.inventories!.set(name, inventory);
  return inventory;
}

/** Applies all objects, unless this process did so already. What is to come is written down before. */
async function apply(p: Pass, name: string, target: Target, content: BundleContent, rendered: Rendered): Promise<void> {
  const { memory } = p;
  if (memory.applied.get(name)?.input === target.input) return;
  const before = memory.inventories!.get(name);
  const goesOn = before !== undefined && !before.settled && before.input === target.input;
  const inventory = goesOn
    ? before
    : await keep(p, name, {
        bundle: target.bundle.metadata.name,
        input: target.input,
        digest: rendered.digest,
        since: p.d.now(),
        settled: false,
        items: union(before?.items ?? [], rendered.objects.map(itemOf)),
        never: [...(before?.never ?? []), ...content.manifest.prune.never],
        taken: before?.taken ?? [],
        checks: content.manifest.health.checks,
        ...(before?.good ? { good: before.good } : {}),
      });
  await keepCrdRights(memory, p.workload);
  const context = applyContext(p, target, inventory.taken, ignoredOf(content));
  const { items, conflicts } = await applyAll(context, rendered.objects);
  memory.applied.set(name, { input: target.input, items, conflicts, at: p.d.now() });
}

/** It is healthy: what is no longer wanted goes, and what is there is written down. */
async function settle(
  p: Pass,
  name: string,
  target: Target,
  content: BundleContent,
  inventory: Inventory,
): Promise<Inventory> {
  const { items, at } = p.memory.applied.get(name)!;
  const want = new Set(items.map(idOf));
  const others = [...p.memory.inventories!].filter(([n]) => n !== name).map(([, inv]) => inv);
  const goes = toPrune(inventory.items, want, inventory.never, others);
  const stopped = p.hold !== undefined && !p.hold.updatesOnly;
  const leftForNow: Item[] = stopped ? goes : [];
  if (!stopped && goes.length > 0)
    await prune({ client: p.workload, finder: p.d.finder, version: p.version, addon: name, signal: p.signal }, goes);
  const { digest, taken } = inventory;
  const done = await keep(p, name, {
    ...inventory,
    settled: true,
    items: union(leftForNow, items),
    never: content.manifest.prune.never,
    taken,
    good: { bundle: target.bundle.metadata.name, input: target.input, digest, values: target.own },
  });
  p.memory.dirty.delete(name);
  p.memory.latePods.delete(name);
  // Not needed again, and a fleet has many.
  p.memory.applied.set(name, { items: NONE, conflicts: NONE, at });
  return done;
}
