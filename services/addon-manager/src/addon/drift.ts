import { applyOne, type Conflict } from '../apply/apply.ts';
import { type Inventory, type Item, idOf, inWords, itemOf, writeInventory } from '../apply/inventory.ts';
import { ownedFields, REPORTED } from '../apply/owned-fields.ts';
import { compare, type Drifted } from '../drift/compare.ts';
import { firstSlowPass, SLOW_PASS_MS } from '../memory.ts';
import { applyContext, type Pass, type Target, type Wish } from './context.ts';
import { tellOf } from './events.ts';
import { byId, ignoredOf, renderedFor } from './rendered.ts';
import type { Compared } from './standing.ts';

/** Identities of what is to be compared now: what a watch told of, and once in a while everything. */
function suspects(p: Pass, name: string, inventory: Inventory): { ids: ReadonlySet<string>; all: boolean } {
  const { slowPassAt, dirty } = p.memory;
  const now = p.d.now();
  const due = slowPassAt.get(name);
  if (due === undefined) slowPassAt.set(name, firstSlowPass(p.cluster.metadata.uid!, name, now));
  const all = due !== undefined && now >= due;
  if (all) slowPassAt.set(name, now + SLOW_PASS_MS);
  return { ids: all ? new Set(inventory.items.map(idOf)) : (dirty.get(name) ?? new Set()), all };
}

/**
 * Compares objects that may have been changed by others, and puts them right where that is asked for.
 *
 * @returns what came of it; undefined where nothing was to be looked at
 */
export async function lookForDrift(
  p: Pass,
  w: Wish,
  target: Target,
  inventory: Inventory,
): Promise<Compared | undefined> {
  const { name, drift: policy = 'Correct' } = w.wanted;
  if (policy === 'Ignore') {
    p.memory.dirty.delete(name);
    return w.addon?.status?.manager?.drift || w.addon?.status?.manager?.conflicts
      ? { of: undefined, drifted: [], conflicts: [] }
      : undefined;
  }
  // While nothing may be changed it stays in mind.
  if (p.hold && !p.hold.updatesOnly) return undefined;
  const { ids, all } = suspects(p, name, inventory);
  if (ids.size === 0) return undefined;
  const { content, rendered } = await renderedFor(p, target);
  const objects = byId(rendered);
  const context = applyContext(p, target, inventory.taken, ignoredOf(content));
  const drifted: Drifted[] = [];
  const conflicts: Conflict[] = [];
  const items = new Map(inventory.items.map((i) => [idOf(i), i]));
  const before = JSON.stringify([inventory.items, inventory.taken, inventory.checks]);
  for (const id of ids) {
    p.signal?.throwIfAborted();
    const object = objects.get(id);
    const type = object && (await p.d.finder.find(p.workload, p.version, object));
    if (!type) continue;
    // What a Secret holds is not ours to read.
    const isSecret = object.kind === 'Secret';
    if (isSecret && policy === 'Report') continue;
    const found = isSecret ? undefined : await compare(p.workload, type, object, context.ignored(object));
    if (found && !found.drifted) {
      const known = items.get(id);
      if (known && found.live) items.set(id, { ...known, owned: ownedFields(found.live.metadata) });
      continue;
    }
    if (policy === 'Report') {
      drifted.push(found!.drifted!);
      const known = items.get(id);
      if (known) items.set(id, withOwned(known, found!.live && REPORTED));
      continue;
    }
    const done = await applyOne(context, type, object);
    items.set(id, done.item);
    conflicts.push(...done.conflicts);
    if (found?.drifted && done.conflicts.length === 0) tell(p, w, found.drifted);
  }
  p.memory.dirty.delete(name);
  const { checks } = content.manifest.health;
  const now: Inventory = { ...inventory, items: [...items.values()], checks };
  p.memory.inventories!.set(name, now);
  if (JSON.stringify([now.items, now.taken, now.checks]) !== before) await writeInventory(p.workload, name, now);
  const of = all
    ? undefined
    : new Set([...ids].flatMap((id) => (objects.has(id) ? [inWords(itemOf(objects.get(id)!))] : [])));
  return { of, drifted, conflicts };
}

const withOwned = ({ owned: _, ...item }: Item, owned: string | undefined): Item =>
  owned === undefined ? item : { ...item, owned };

function tell(p: Pass, w: Wish, drifted: Drifted): void {
  tellOf(p.d, w.addon, {
    type: 'Normal',
    reason: 'DriftCorrected',
    message: `${drifted.object} was changed by somebody else and is put right: ${drifted.paths.join(', ') || '/'}`,
    action: 'CorrectDrift',
  });
}
