import { type AddonBundle, ANNOTATIONS } from '@shoto/api';
import { type AddonBlock, compareVersions, type PlannedAddon } from '@shoto/bundle';
import { ReconcileError, TerminalError, WaitingError } from '@shoto/reconciler';
import type { Inventory } from '../apply/inventory.ts';
import { ailmentOf } from '../health/running.ts';
import { needsCredentials, ownValues, type Pass, type Target, targetOf, type Wish } from './context.ts';
import { lookForDrift } from './drift.ts';
import { stillFailed } from './failure.ts';
import { bringUp } from './rollout.ts';
import type { Failed, Standing } from './standing.ts';

/** What one addon of a pass is about. */
export interface AddonInput {
  wish: Wish;
  planned: PlannedAddon<AddonBundle>;
  /** Why it is not what it should be, as the plan says. */
  block: AddonBlock | undefined;
  /** Addons that must be healthy first, and are not, by name. */
  waitsFor: string[];
}

/** Brings one addon to what it should be, one step, and sees how it is where it runs. Never throws for what is that addon's own fault. */
export async function one(p: Pass, i: AddonInput): Promise<Standing> {
  const standing = await stepOf(p, i);
  if (!standing.healthy) return standing;
  const { againMs, ...ailment } = await ailmentOf(p, i.wish);
  const times = [standing.againMs, againMs].filter((ms) => ms !== undefined);
  return { ...standing, ...ailment, ...(times.length > 0 ? { againMs: Math.min(...times) } : {}) };
}

async function stepOf(p: Pass, i: AddonInput): Promise<Standing> {
  const { name } = i.wish.wanted;
  const failed = standsInTheWay(p, i, stillFailed(p, i.wish));
  try {
    return { failed, ...(await step(p, i, failed)) };
  } catch (e) {
    if (!(e instanceof ReconcileError) || e.kind === 'retryable') throw e;
    const problem = { reason: e.reason, message: e.message, terminal: e.kind === 'terminal' };
    // Somebody may have taken our rights.
    if (e.reason === 'Forbidden') p.memory.crdRights = undefined;
    const inventory = p.memory.inventories?.get(name);
    return {
      name,
      failed,
      ...(inventory?.settled ? { version: versionOf(p, inventory) } : {}),
      // What is applied goes on as it is: it is the change that cannot be made.
      healthy: inventory?.settled === true,
      ...(inventory?.settled ? {} : { problem }),
      behind: problem,
      ...(e instanceof WaitingError ? { againMs: e.afterMs } : {}),
    };
  }
}

async function step(p: Pass, i: AddonInput, failed: Failed | undefined): Promise<Standing> {
  const { wish, planned } = i;
  const { name, paused } = wish.wanted;
  const known = p.memory.inventories?.get(name);
  const behind = behindOf(i, failed);
  if (paused) return asItIs(p, name, known, { reason: 'Paused', message: `${name} is paused: set paused to false` });
  if (!planned.bundle) throw new TerminalError(behind?.reason ?? 'NoBundle', behind?.message ?? `there is no ${name}`);
  if (wish.problem) throw wish.problem;
  if (p.credentialsProblem && needsCredentials(planned.bundle)) throw p.credentialsProblem;
  const wanted = targetOf(p, wish, planned.bundle, ownValues(wish));
  const isThere = (inv: Inventory | undefined, t: Target): boolean => inv?.settled === true && inv.input === t.input;
  let inventory = known;
  let target = fallBack(p, i, inventory, failed, wanted);
  if (!isThere(inventory, target) && !p.memory.applied.has(name)) {
    await p.refresh();
    inventory = p.memory.inventories?.get(name);
    target = fallBack(p, i, inventory, failed, wanted);
  }
  if (inventory && isThere(inventory, target)) {
    const standing = asItIs(p, name, inventory, behind);
    const drift = await lookForDrift(p, wish, target, inventory);
    return drift ? { ...standing, drift } : standing;
  }
  // What is half-way goes on to its end; nothing new is begun.
  const begins = inventory !== undefined && inventory.input !== target.input;
  if (p.hold && begins) return asItIs(p, name, inventory, behind ?? p.hold);
  if (i.waitsFor.length > 0)
    throw new WaitingError('WaitingForDependency', `waits until ${i.waitsFor.join(' and ')} is healthy`, 1_000);
  const standing = await bringUp(p, wish, target);
  return { ...standing, ...(behind && !standing.failed ? { behind } : {}) };
}

/** What failed is of no interest where something newer takes its place. */
function standsInTheWay(p: Pass, { planned }: AddonInput, failed: Failed | undefined): Failed | undefined {
  const of = p.d.bundles().find((b) => b.metadata.name === failed?.bundle);
  const isPast = of && planned.bundle && compareVersions(planned.bundle.spec.version, of.spec.version) > 0;
  return isPast ? undefined : failed;
}

/** Why an addon is not what it should be, though it may be healthy. */
function behindOf({ wish, block }: AddonInput, failed: Failed | undefined): Standing['behind'] {
  if (block?.holdsAddon) return { reason: block.reason, message: block.message };
  if (!failed) return undefined;
  return {
    reason: 'UpdateFailed',
    message: `${failed.message}; it is tried again with another version or other values, or when the annotation ${ANNOTATIONS.retry} of Addon ${wish.addon?.metadata.name} is set anew`,
  };
}

/** Values that failed with the bundle that is there give way to those that were good. */
function fallBack(
  p: Pass,
  { wish }: AddonInput,
  inventory: Inventory | undefined,
  failed: Failed | undefined,
  target: Target,
): Target {
  if (!failed || failed.bundle !== target.bundle.metadata.name || failed.input !== target.input) return target;
  const good = inventory?.good;
  const bundle = good && p.d.bundles().find((b) => b.metadata.name === good.bundle);
  if (!good || !bundle) return target;
  return targetOf(p, wish, bundle, good.values);
}

/** An addon that is left as it is. */
function asItIs(p: Pass, name: string, inventory: Inventory | undefined, behind: Standing['behind']): Standing {
  const isThere = inventory?.settled === true;
  return {
    name,
    ...(inventory ? { version: versionOf(p, inventory) } : {}),
    healthy: isThere,
    ...(isThere
      ? {}
      : { problem: { ...(behind ?? { reason: 'NotApplied', message: 'is not applied yet' }), terminal: true } }),
    ...(behind ? { behind } : {}),
    ...(isThere
      ? {
          settled: {
            bundle: inventory.bundle,
            version: versionOf(p, inventory),
            digest: inventory.digest,
            appliedAt: inventory.since,
          },
        }
      : {}),
  };
}

/** The version of what an inventory says is applied; a bundle is named for it. */
export const versionOf = (p: Pass, inventory: Inventory): string =>
  p.d.bundles().find((b) => b.metadata.name === inventory.bundle)?.spec.version ?? inventory.bundle;
