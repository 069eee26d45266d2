import { isDeepStrictEqual } from 'node:util';
import { type Cluster, type ClusterStatus, type ConditionInput, withCondition } from '@shoto/api';
import type { AddonBlock } from '@shoto/bundle';
import type { Standing } from '../addon/standing.ts';

type Addons = ClusterStatus['addons'];

/** What a Cluster says of its addons is made of this. */
export interface ClusterInput {
  standings: readonly Standing[];
  /** What the plan says is in the way. */
  blocked: readonly AddonBlock[];
  /** Nothing is to be changed: what is applied fits this version and the next. */
  planSettled: boolean;
  /** The next release of the way. */
  next: string | undefined;
  /** Addons that are being removed. */
  leaving: readonly string[];
  /** Generation of the Cluster that this pass was about. */
  generation: number | undefined;
}

const MESSAGE = 1024;
const line = (text: string): string => (text.length > MESSAGE ? `${text.slice(0, MESSAGE - 1)}…` : text);
const isRollingOut = (s: Standing): boolean =>
  s.problem?.reason === 'RollingOut' || s.problem?.reason === 'NotHealthyInTime';

/** What a Cluster says of its addons. Pure. */
export function clusterStatus(before: Addons | undefined, i: ClusterInput, now: number): Omit<Addons, 'revision'> {
  const { standings, next } = i;
  const items = standings.map(({ name, version, healthy, ails, behind }) => ({
    name,
    ...(version ? { version } : {}),
    healthy: healthy && ails === undefined,
    ...(healthy && behind && behind.reason !== 'Paused' ? { upToDate: false } : {}),
  }));
  const blocked = next === undefined ? [] : i.blocked.map((b) => ({ addon: b.addon, message: line(b.message) }));
  const byAddon = [...new Map(blocked.map((b) => [b.addon, b])).values()];
  const isReady =
    next !== undefined && i.planSettled && byAddon.length === 0 && standings.every((s) => s.healthy && !inTheWay(s));
  const conditions = [...conditionsOf(i)].reduce((all, c) => withCondition(all, c, now), before?.conditions ?? []);
  return {
    ...(i.generation === undefined ? {} : { observedGeneration: i.generation }),
    items,
    ...(isReady ? { readyFor: next } : {}),
    ...(byAddon.length > 0 ? { blocked: byAddon } : {}),
    ...(before?.leaving ? { leaving: before.leaving } : {}),
    conditions,
  };
}

/** An update that failed, or an addon that is paused, is in nobody's way where what is applied fits. */
const inTheWay = (s: Standing): boolean =>
  s.behind !== undefined && s.behind.reason !== 'UpdateFailed' && s.behind.reason !== 'Paused';

function* conditionsOf({ standings, blocked, next, leaving }: ClusterInput): Generator<ConditionInput> {
  const late = standings.filter((s) => !s.healthy);
  const applied = late.every(isRollingOut);
  const first = late[0]?.problem;
  const message = line(late.map((s) => `${s.name}: ${s.problem?.message}`).join('; '));
  yield applied
    ? {
        type: 'Applied',
        status: 'True',
        reason: 'Applied',
        message:
          standings.length === 0 ? 'no addons are asked for' : `applied: ${standings.map((s) => s.name).join(', ')}`,
      }
    : { type: 'Applied', status: 'False', reason: first!.reason, message };
  const sick = standings.filter((s) => s.healthy && s.ails !== undefined).map((s) => `${s.name}: ${s.ails}`);
  // The counts of a rollout change from look to look; the condition keeps still until it is over.
  const rolling =
    applied && first?.reason === 'RollingOut' ? `rolling out: ${late.map((s) => s.name).join(', ')}` : message;
  if (first)
    yield { type: 'Healthy', status: 'False', reason: first.reason, message: line([rolling, ...sick].join('; ')) };
  else if (sick.length > 0)
    yield { type: 'Healthy', status: 'False', reason: 'Unhealthy', message: line(sick.join('; ')) };
  else yield { type: 'Healthy', status: 'True', reason: 'RolledOut', message: 'all addons run' };
  const behind = [
    ...standings.flatMap((s) => (s.behind ? [{ name: s.name, ...s.behind }] : [])),
    ...blocked.filter((b) => !b.holdsAddon).map((b) => ({ name: b.addon, reason: b.reason, message: b.message })),
    ...leaving.map((name) => ({ name, reason: 'Removing', message: 'is being removed' })),
  ];
  yield behind.length === 0
    ? {
        type: 'UpToDate',
        status: 'True',
        reason: 'UpToDate',
        message:
          next === undefined
            ? 'every addon is what it should be'
            : `every addon is what it should be, also for ${next}`,
      }
    : {
        type: 'UpToDate',
        status: 'False',
        reason: behind[0]!.reason,
        message: line(
          behind
            .map(
              (b) =>
                `${b.name}: ${b.reason === 'Updating' || b.reason === 'RollingOut' ? 'is being rolled out' : b.message}`,
            )
            .join('; '),
        ),
      };
}

/** Whether a Cluster says this already. Not as text: an API server gives the fields of an object in an order of its own. */
export const saysCluster = (cluster: Cluster, next: Omit<Addons, 'revision'>): boolean => {
  const { revision: _, ...before } = cluster.status?.addons ?? { revision: 0 };
  return isDeepStrictEqual(JSON.parse(JSON.stringify(before)), JSON.parse(JSON.stringify(next)));
};
