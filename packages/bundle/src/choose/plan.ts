import { EXCLUSIVE } from '../format/manifest.ts';
import { type Choosable, candidates, type WantedAddon } from './choose.ts';
import { cyclesOf, needsOf, unmetNeeds, wavesOf } from './dependencies.ts';
import { compareVersions, fits } from './range.ts';
import { needText, noBundleText, unfitText } from './words.ts';

/** Why an addon does not get what it should. */
export type AddonBlockReason =
  /** Nothing is published under this name, or not this version, or nothing of this channel. */
  | 'NoBundle'
  /** No bundle fits the Kubernetes version that the cluster has. */
  | 'NoBundleFits'
  /** No bundle fits the version that comes next, together with the one that the cluster has. Blocks the upgrade, nothing else. */
  | 'NoBundleFitsNext'
  /** The ranges of all its bundles meet no release on offer. */
  | 'RangeUnmet'
  /** It needs an addon that the cluster does not ask for. */
  | 'DependencyMissing'
  /** It needs another version of an addon than the cluster gets. */
  | 'DependencyVersion'
  /** It needs an addon that is blocked itself and not there. */
  | 'DependencyBlocked'
  | 'DependencyCycle'
  /** Another addon of the cluster provides the same, of which there can be one only. */
  | 'ProvidedTwice'
  /** It is paused, and what is applied does not fit the version that comes next. */
  | 'Paused';

/** An addon that is in the way, and what to do about it. */
export interface AddonBlock {
  addon: string;
  reason: AddonBlockReason;
  /** One line for people. */
  message: string;
  /** Whether the addon stays as it is. Where false it gets its bundle all the same, and only the upgrade waits. */
  holdsAddon: boolean;
}

/** One addon of the plan. */
export interface PlannedAddon<B> {
  name: string;
  /** Version that is applied now. */
  applied?: string;
  /** What should be applied now; absent where nothing can be. Where it is held, the bundle that is applied (absent where that is not published any more). */
  bundle?: B;
  /** `hold`: stays as it is, since it is blocked or paused. */
  action: 'install' | 'update' | 'downgrade' | 'keep' | 'hold';
  /** Why, in a line, where something moves. */
  because?: string;
}

/** What a cluster's addons should be, in order. */
export interface AddonsPlan<B> {
  /** In order of application: by wave, then by name. */
  addons: PlannedAddon<B>[];
  /** Names side by side, waves after each other. */
  waves: string[][];
  blocked: AddonBlock[];
  /** Nothing moves and nothing is blocked: what is applied fits every version asked for. Health is for who calls to know. */
  settled: boolean;
}

export interface PlanInput<B extends Choosable> {
  wanted: readonly (WantedAddon & { paused?: boolean | undefined })[];
  bundles: readonly B[];
  /** Version of the bundle that is applied, by addon. */
  applied: Readonly<Record<string, string | undefined>>;
  /** Kubernetes version that the cluster has. */
  current: string;
  /** The one that it goes to next. */
  next?: string | undefined;
  /** Kubernetes versions of the releases on offer; where absent, nothing is said of ranges that meet none. */
  offered?: readonly string[] | undefined;
  /** Why this cluster may not get a bundle (not signed, failed here before); undefined where it may. What is applied stays. */
  refused?: ((bundle: B) => string | undefined) | undefined;
}

/**
 * What to apply on a cluster now, in which order, and what is in the way. Each addon gets the newest bundle of its channel that fits the
 * version that the cluster has and the one that comes next; where none fits both, that which fits the cluster now, and the upgrade is
 * blocked. A bundle whose needs are not met by what is chosen beside it makes room for an older one. Pure; same in, same out.
 */
export function planAddons<B extends Choosable>(input: PlanInput<B>): AddonsPlan<B> {
  const wanted = [...new Map(input.wanted.map((w) => [w.name, w])).values()];
  const blocked: AddonBlock[] = [];
  const block = (addon: string, reason: AddonBlockReason, message: string, holdsAddon = true): void => {
    if (!blocked.some((b) => b.addon === addon && b.reason === reason))
      blocked.push({ addon, reason, message, holdsAddon });
  };
  const appliedBundle = (name: string): B | undefined =>
    input.bundles.find((b) => b.spec.addon === name && b.spec.version === input.applied[name]);

  // What each may get, newest first.
  const choices = new Map<string, B[]>();
  for (const w of wanted) {
    const applied = appliedBundle(w.name);
    if (w.paused) {
      if (applied) choices.set(w.name, [applied]);
      const unfit = applied && input.next !== undefined && !fits(applied.spec.kubernetes, input.next);
      if (unfit)
        block(
          w.name,
          'Paused',
          `${w.name} is paused at ${applied.spec.version}, which does not fit Kubernetes ${input.next}: resume it`,
        );
      continue;
    }
    const all = candidates(input.bundles, w);
    const refusals = all.flatMap((b) => {
      const why = b === applied ? undefined : input.refused?.(b);
      return why === undefined ? [] : [{ bundle: b, why }];
    });
    const allowed = all.filter((b) => !refusals.some((r) => r.bundle === b));
    const now = allowed.filter((b) => fits(b.spec.kubernetes, input.current));
    const both = now.filter((b) => input.next === undefined || fits(b.spec.kubernetes, input.next));
    if (all.length === 0) block(w.name, 'NoBundle', noBundleText(input.bundles, w));
    else if (now.length === 0) {
      const offered = input.offered;
      const isUnmet = offered && !all.some((b) => offered.some((v) => fits(b.spec.kubernetes, v)));
      const what = isUnmet
        ? `any release on offer (${offered.join(', ') || 'there is none'})`
        : `Kubernetes ${input.current}`;
      block(w.name, isUnmet ? 'RangeUnmet' : 'NoBundleFits', unfitText(w, all, refusals, what));
    } else if (both.length === 0)
      block(
        w.name,
        'NoBundleFitsNext',
        unfitText(w, all, refusals, `Kubernetes ${input.current} and ${input.next}`),
        false,
      );
    choices.set(w.name, both.length > 0 ? both : now);
  }

  const chosen = new Map<string, B>();
  for (const [name, [first]] of choices) if (first) chosen.set(name, first);
  meetNeeds(
    wanted.map((w) => w.name),
    choices,
    chosen,
    input,
    block,
  );
  for (const cycle of cyclesOf(needsOf(chosen)))
    for (const name of new Set(cycle))
      block(name, 'DependencyCycle', `${cycle.join(' needs ')}: one of them must do without, in bundle.yaml dependsOn`);
  refuseTwice(chosen, input.applied, block);

  // What is held stays what it is, and is no help to those that need more.
  const held = (name: string): boolean => blocked.some((b) => b.addon === name && b.holdsAddon);
  for (const { name } of wanted) {
    if (!held(name)) continue;
    const stays = appliedBundle(name);
    if (stays) chosen.set(name, stays);
    else chosen.delete(name);
  }
  waitForBlocked(wanted, chosen, input.applied, held, block);
  for (const { name } of wanted) if (held(name) && !appliedBundle(name)) chosen.delete(name);

  const needs = needsOf(chosen);
  for (const { name } of wanted) if (!needs.has(name)) needs.set(name, []);
  const waves = wavesOf(needs);
  const paused = new Set(wanted.filter((w) => w.paused).map((w) => w.name));
  const addons = waves
    .flat()
    .map((name) => planned(name, input.applied[name], chosen.get(name), held(name) || paused.has(name), input));
  const order = waves.flat();
  blocked.sort((a, b) => order.indexOf(a.addon) - order.indexOf(b.addon));
  const settled = blocked.length === 0 && addons.every((a) => a.action === 'keep' || a.action === 'hold');
  return { addons, waves, blocked, settled };
}

type Block = (addon: string, reason: AddonBlockReason, message: string, holdsAddon?: boolean) => void;

/** Goes down to older bundles until every chosen one has what it needs; each step takes a choice away, so it ends. */
function meetNeeds<B extends Choosable>(
  names: string[],
  choices: Map<string, B[]>,
  chosen: Map<string, B>,
  input: PlanInput<B>,
  block: Block,
): void {
  const at = new Map<string, number>();
  const given = new Set<string>();
  const wanted = new Set(names);
  // An addon that is asked for but has no bundle is not missing: those that need it wait for it, and are told so later.
  const versionOf = (n: string): string | undefined =>
    chosen.get(n)?.spec.version ?? (wanted.has(n) ? (input.applied[n] ?? undefined) : undefined);
  const unmet = (b: B) => unmetNeeds(b, versionOf).filter((u) => u.found !== undefined || !wanted.has(u.name));
  for (let moved = true; moved; ) {
    moved = false;
    for (const name of names) {
      const now = chosen.get(name);
      if (!now || given.has(name)) continue;
      if (unmet(now).length === 0) continue;
      moved = true;
      const i = (at.get(name) ?? 0) + 1;
      at.set(name, i);
      const older = choices.get(name)![i];
      if (older) {
        chosen.set(name, older);
        continue;
      }
      // None will do: what is said is what the newest lacks.
      given.add(name);
      const newest = choices.get(name)![0]!;
      chosen.set(name, newest);
      const lacks = unmet(newest);
      for (const u of lacks.length > 0 ? lacks : unmet(now))
        block(name, u.found === undefined ? 'DependencyMissing' : 'DependencyVersion', needText(newest, u));
    }
  }
}

/** Of those that provide the same exclusive thing, the one that is there already stays; where that tells nothing, all of them wait. */
function refuseTwice(
  chosen: ReadonlyMap<string, Choosable>,
  applied: PlanInput<Choosable>['applied'],
  block: Block,
): void {
  for (const thing of EXCLUSIVE) {
    const givers = [...chosen]
      .filter(([, b]) => b.spec.provides?.includes(thing))
      .map(([name]) => name)
      .sort();
    if (givers.length < 2) continue;
    const there = givers.filter((n) => applied[n] !== undefined);
    for (const name of givers) {
      if (there.length === 1 && there[0] === name) continue;
      const others = givers.filter((n) => n !== name).join(' and ');
      block(
        name,
        'ProvidedTwice',
        `${name} provides ${thing}, and so does ${others}: a cluster can have one, take the other out`,
      );
    }
  }
}

/** An addon waits for what it needs, where that is neither there nor comes. */
function waitForBlocked<B extends Choosable>(
  wanted: readonly WantedAddon[],
  chosen: ReadonlyMap<string, B>,
  applied: PlanInput<B>['applied'],
  held: (name: string) => boolean,
  block: Block,
): void {
  for (let moved = true; moved; ) {
    moved = false;
    for (const { name } of wanted) {
      const bundle = chosen.get(name);
      if (!bundle || held(name)) continue;
      const versionOf = (n: string) => (held(n) ? (applied[n] ?? undefined) : chosen.get(n)?.spec.version);
      for (const u of unmetNeeds(bundle, versionOf)) {
        moved = true;
        block(name, 'DependencyBlocked', `${needText(bundle, u)}, and ${u.name} is blocked itself`);
      }
    }
  }
}

function planned<B extends Choosable>(
  name: string,
  applied: string | undefined,
  bundle: B | undefined,
  held: boolean,
  input: PlanInput<B>,
): PlannedAddon<B> {
  const base = { name, ...(applied === undefined ? {} : { applied }), ...(bundle ? { bundle } : {}) };
  if (held || !bundle) return { ...base, action: 'hold' };
  if (applied === bundle.spec.version) return { ...base, action: 'keep' };
  if (applied === undefined) return { ...base, action: 'install' };
  const before = input.bundles.find((b) => b.spec.addon === name && b.spec.version === applied);
  const action = compareVersions(bundle.spec.version, applied) < 0 ? 'downgrade' : 'update';
  const unfit = [input.current, input.next].find((v) => v !== undefined && before && !fits(before.spec.kubernetes, v));
  const because =
    unfit !== undefined
      ? `${applied} does not fit Kubernetes ${unfit}`
      : action === 'update'
        ? `${bundle.spec.version} is the newest that fits`
        : `${bundle.spec.version} is what the cluster may have`;
  return { ...base, action, because };
}
