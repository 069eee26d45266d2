import { z } from 'zod';

/** What happens to one machine, or to the cluster's own addons, in a step of a plan. */
export const PlannedAction = z.object({
  action: z
    .enum(['create', 'replace', 'remove', 'update', 'addons', 'addon'])
    .describe(
      'replace: another machine comes before this one goes; update: changed in place; addons: kube-proxy and CoreDNS; addon: an addon of the cluster moves, before its machines do.',
    ),
  pool: z.string().describe('Pool; control-plane for the control plane.'),
  addon: z.string().optional().describe('The addon that moves.'),
  machine: z.string().optional().describe('The machine that is replaced, removed or updated.'),
  because: z.array(z.string()).describe('Why, a line each.'),
  zone: z.string().optional().describe('Zone of the new machine, where it is known.'),
});

/** What would stop a change, and what to do about it. */
export const Blocker = z.object({
  reason: z.string().describe('Why, in CamelCase, for programs.'),
  message: z.string().describe('What is in the way and what to do, in a line.'),
  field: z.string().optional().describe('The field to blame.'),
});

/** What a change of a Cluster would do, in order, and what would stop it. */
export const ChangePlan = z.object({
  from: z.string().describe('Release that the control plane runs.'),
  to: z.string().describe('Release that is asked for.'),
  steps: z
    .array(
      z.object({
        release: z.string().describe('Release of this step.'),
        actions: z.array(PlannedAction).describe('In this order.'),
      }),
    )
    .describe('One for each release on the way; a change of the same release is one step.'),
  blockers: z.array(Blocker).describe('What would stop it now.'),
  notes: z.array(z.string()).describe('What else is good to know: when it would start, what could not be asked.'),
});

export type PlannedAction = z.output<typeof PlannedAction>;
export type Blocker = z.output<typeof Blocker>;
/** What a change of a Cluster would do, in order, and what would stop it. */
export type ChangePlan = z.output<typeof ChangePlan>;
