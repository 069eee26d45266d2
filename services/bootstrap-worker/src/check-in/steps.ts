import { type Machine, timestamp, withCondition } from '@shoto/api';
import { MACHINE_CONDITIONS } from '../conditions.ts';
import type { StepReport } from './protocol.ts';

/** The map of a Machine that this service owns. */
export type Bootstrap = NonNullable<Machine['status']>['bootstrap'];
type Step = NonNullable<Bootstrap['steps']>[number];

/** A step that took this long is stored. */
const LONG_SECONDS = 10;
const MAX_STEPS = 16;

/** A step as it is stored; `seconds` by the machine's own clock. */
export function stepOf(r: StepReport): Step {
  const started = Date.parse(r.startedAt);
  const seconds = r.finishedAt ? Math.max(0, Math.round((Date.parse(r.finishedAt) - started) / 100) / 10) : undefined;
  return {
    name: r.step,
    state: r.state,
    startedAt: timestamp(started),
    ...(seconds === undefined ? {} : { seconds }),
  };
}

/** Whether a step is worth storing: it failed, or took long. */
export const isStored = (s: Step): boolean => s.state === 'failed' || (s.seconds ?? 0) > LONG_SECONDS;

const withSteps = (before: readonly Step[] | undefined, steps: readonly Step[]): Step[] => {
  const names = new Set(steps.map((s) => s.name));
  return [...(before ?? []).filter((s) => !names.has(s.name)), ...steps].slice(-MAX_STEPS);
};

/** The map once the ticket is bound to a key. */
export const ticketTaken = (before: Bootstrap, keyHash: string, now: number): Bootstrap => ({
  ...before,
  keyHash,
  ticketTakenAt: timestamp(now),
  conditions: withCondition(
    before.conditions,
    {
      type: MACHINE_CONDITIONS.joined,
      status: 'False',
      reason: 'Installing',
      message: 'the machine has checked in and installs Kubernetes',
    },
    now,
  ),
});

/** The map once the machine has joined; undefined when that is stored already. */
export function joined(before: Bootstrap, steps: readonly Step[], now: number): Bootstrap | undefined {
  if (before.joinedAt) return undefined;
  const all = withSteps(before.steps, steps).filter((s) => s.state === 'done');
  const { steps: _, ...rest } = before;
  return {
    ...rest,
    joinedAt: timestamp(now),
    ...(all.length > 0 ? { steps: all } : {}),
    conditions: withCondition(
      before.conditions,
      { type: MACHINE_CONDITIONS.joined, status: 'True', reason: 'Joined', message: 'the node has joined its cluster' },
      now,
    ),
  };
}

/** The map once a step has failed; undefined when nothing new is told, or the machine has joined before. */
export function failed(before: Bootstrap, step: Step, now: number): Bootstrap | undefined {
  if (before.joinedAt) return undefined;
  const known = before.steps?.find((s) => s.name === step.name);
  if (known?.state === 'failed' && known.startedAt === step.startedAt) return undefined;
  return {
    ...before,
    steps: withSteps(before.steps, [step]),
    conditions: withCondition(
      before.conditions,
      {
        type: MACHINE_CONDITIONS.joined,
        status: 'False',
        reason: 'StepFailed',
        message: `${step.name} failed; the last lines of its log are in an event of this machine, which tries again by itself`,
      },
      now,
    ),
  };
}

/** The map once somebody has shown the ticket with another key; undefined when that is stored already. */
export function misused(before: Bootstrap, now: number): Bootstrap | undefined {
  const message = 'the ticket was shown again with another key, and refused: replace the machine';
  return withConditionOf(
    before,
    { type: MACHINE_CONDITIONS.ticketMisused, status: 'True', reason: 'SecondKey', message },
    now,
  );
}

/** The map with the Joined condition false for a reason; undefined when it says so already. */
export function notJoined(before: Bootstrap, reason: string, message: string, now: number): Bootstrap | undefined {
  if (before.joinedAt) return undefined;
  return withConditionOf(before, { type: MACHINE_CONDITIONS.joined, status: 'False', reason, message }, now);
}

/** The map with one condition stated; undefined when it is stated in these words already. */
export function withConditionOf(
  before: Bootstrap,
  c: Parameters<typeof withCondition>[1],
  now: number,
): Bootstrap | undefined {
  const conditions = withCondition(before.conditions, c, now); // cuts words that are too long
  const [said, says] = [before.conditions, conditions].map((list) => list?.find((x) => x.type === c.type));
  if (said?.status === says?.status && said?.reason === says?.reason && said?.message === says?.message)
    return undefined;
  return { ...before, conditions };
}
