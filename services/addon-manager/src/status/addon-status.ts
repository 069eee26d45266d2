import { isDeepStrictEqual } from 'node:util';
import { type Addon, type AddonStatus, type ConditionInput, findCondition, timestamp, withCondition } from '@shoto/api';
import type { Compared, Standing } from '../addon/standing.ts';

type Manager = AddonStatus['manager'];

/** Entries of a list in a status, at most. */
const ENTRIES = 16;
const MESSAGE = 1024;

const line = (text: string): string => (text.length > MESSAGE ? `${text.slice(0, MESSAGE - 1)}…` : text);

/** What is told of objects: news of those that were looked at, what was told before of the others. */
function merged<T extends { object: string; at: string }>(
  before: readonly T[] | undefined,
  compared: Compared | undefined,
  news: readonly Omit<T, 'at'>[],
  now: number,
): T[] {
  const kept = (before ?? []).filter((b) => compared && compared.of !== undefined && !compared.of.has(b.object));
  if (!compared) return [...(before ?? [])];
  const fresh = news.map((n) => {
    const same = before?.find((b) => isDeepStrictEqual({ ...b, at: undefined }, { ...n, at: undefined }));
    return { ...n, at: same?.at ?? timestamp(now) } as T;
  });
  return [...kept, ...fresh].slice(0, ENTRIES);
}

/** What an Addon says after a pass. Pure. */
export function addonStatus(before: Manager | undefined, s: Standing, now: number): Omit<Manager, 'revision'> {
  const { settled, failed } = s;
  const drift = merged(before?.drift, s.drift, s.drift?.drifted ?? [], now);
  const conflicts = merged(before?.conflicts, s.drift, s.drift?.conflicts ?? [], now);
  const applied = settled
    ? {
        bundle: settled.bundle,
        version: settled.version,
        digest: settled.digest,
        appliedAt:
          before?.digest === settled.digest
            ? (before.appliedAt ?? timestamp(settled.appliedAt))
            : timestamp(settled.appliedAt),
        lastGood: { bundle: settled.bundle, digest: settled.digest },
      }
    : {
        ...(before?.bundle ? { bundle: before.bundle } : {}),
        ...(before?.version ? { version: before.version } : {}),
        ...(before?.digest ? { digest: before.digest } : {}),
        ...(before?.appliedAt ? { appliedAt: before.appliedAt } : {}),
        ...(before?.lastGood ? { lastGood: before.lastGood } : {}),
      };
  return {
    ...applied,
    ...(failed ? { failed } : {}),
    ...(drift.length > 0 ? { drift } : {}),
    ...(conflicts.length > 0 ? { conflicts } : {}),
    conditions: [...conditionsOf(before, s, drift.length, conflicts.length)].reduce(
      (all, c) => withCondition(all, c, now),
      before?.conditions ?? [],
    ),
  };
}

function* conditionsOf(
  before: Manager | undefined,
  s: Standing,
  drifts: number,
  conflicts: number,
): Generator<ConditionInput> {
  const { settled, problem, behind } = s;
  const isApplied = settled ?? (problem?.reason === 'RollingOut' || problem?.reason === 'NotHealthyInTime');
  if (settled)
    yield {
      type: 'Applied',
      status: 'True',
      reason: 'Applied',
      message: `bundle ${settled.bundle} is applied`,
    };
  else if (isApplied)
    yield { type: 'Applied', status: 'True', reason: 'Applied', message: `version ${s.version} is applied` };
  else if (problem) yield { type: 'Applied', status: 'False', reason: problem.reason, message: line(problem.message) };
  if (s.ails !== undefined) yield { type: 'Healthy', status: 'False', reason: 'Unhealthy', message: line(s.ails) };
  else if (s.healthy) yield { type: 'Healthy', status: 'True', reason: 'RolledOut', message: 'its workloads run' };
  else if (problem) yield { type: 'Healthy', status: 'False', reason: problem.reason, message: line(still(problem)) };
  if (behind) yield { type: 'UpToDate', status: 'False', reason: behind.reason, message: line(still(behind)) };
  else if (s.healthy)
    yield { type: 'UpToDate', status: 'True', reason: 'UpToDate', message: `${s.version} is what it should be` };
  const [parts, stated] = [[], findCondition(before?.conditions, 'Drifted')] as [string[], unknown];
  if (drifts > 0) parts.push(`${drifts} object${drifts === 1 ? ' is' : 's are'} not as applied (status.manager.drift)`);
  if (conflicts > 0)
    parts.push(
      `${conflicts} object${conflicts === 1 ? ' has' : 's have'} fields that others hold (status.manager.conflicts)`,
    );
  const message = parts.join('; ');
  if (drifts > 0) yield { type: 'Drifted', status: 'True', reason: 'Drifted', message };
  else if (conflicts > 0) yield { type: 'Drifted', status: 'True', reason: 'Conflicts', message };
  else if (stated)
    yield { type: 'Drifted', status: 'False', reason: 'AsApplied', message: 'every object is as it was applied' };
}

/** What changes from look to look is left out: the condition keeps still until it is over. */
const still = (p: { reason: string; message: string }): string =>
  p.reason === 'RollingOut' || p.reason === 'Updating' ? 'it is being rolled out' : p.message;

/** Whether an Addon says this already. */
export const saysAddon = (addon: Addon | undefined, next: Omit<Manager, 'revision'>): boolean => {
  const { revision: _, ...before } = addon?.status?.manager ?? { revision: 0 };
  return isDeepStrictEqual(plain(before), plain(next));
};

/** Without what is undefined: it is not stored. */
const plain = (v: unknown): unknown => JSON.parse(JSON.stringify(v));
