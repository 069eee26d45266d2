import { ANNOTATIONS, type FieldProblem, type Machine, tenantNamespace } from '@shoto/api';
import { KubeError } from '@shoto/kube';
import { z } from 'zod';
import { type ClusterDeps, getCluster } from './clusters.ts';
import { ProblemError } from './problem.ts';
import { TYPES } from './store.ts';

const HOUR_MS = 3_600_000;
/** How long a machine is kept where nobody says until when, in milliseconds. */
const KEEP_DEFAULT_MS = 24 * HOUR_MS;
/** A machine that is kept costs what one in service costs: nobody keeps it for longer than this at once. */
const KEEP_MAX_MS = 30 * 24 * HOUR_MS;
/** How often a mark is tried again that met another write. */
const ATTEMPTS = 5;

/** Which machine. */
export interface MachineRef {
  tenant: string;
  cluster: string;
  machine: string;
}

/** What is sent to keep a machine. */
export const KeepRequest = z.strictObject({
  until: z.iso
    .datetime({ offset: true })
    .optional()
    .describe('RFC 3339; in 24 hours where absent, at most 30 days from now.'),
  reason: z
    .string()
    .max(256)
    .regex(/^[^\r\n]*$/, 'must be one line')
    .optional()
    .describe('Why, in one line, for those who find it.'),
});

/**
 * Reads a machine of a cluster, live.
 *
 * @throws {ProblemError} 404
 */
async function getMachine(d: ClusterDeps, r: MachineRef): Promise<Machine> {
  const namespace = tenantNamespace(r.tenant);
  const machine = await d.client.get<Machine>(TYPES.machines, { namespace, name: r.machine });
  if (machine?.spec.cluster.name === r.cluster) return machine;
  await getCluster(d, r.tenant, r.cluster);
  throw new ProblemError(404, 'NotFound', `cluster ${r.cluster} has no machine ${r.machine}`);
}

/** Changes annotations of a machine, as it was when it was judged. Another write in between: judged again. */
async function annotate(
  d: ClusterDeps,
  r: MachineRef,
  judge: (m: Machine) => Record<string, string | null>,
): Promise<Machine> {
  for (let attempt = 1; ; attempt++) {
    const machine = await getMachine(d, r);
    const annotations = judge(machine);
    try {
      return await d.client.mergePatch<Machine>(
        TYPES.machines,
        { namespace: machine.metadata.namespace, name: r.machine },
        { metadata: { resourceVersion: machine.metadata.resourceVersion, annotations } },
      );
    } catch (e) {
      if (!(e instanceof KubeError && e.isConflict) || attempt === ATTEMPTS) throw e;
    }
  }
}

/**
 * Takes a machine out of service and keeps it for study; its pool gets another in its place. Again: changes time and reason.
 *
 * @param r.user - who asks; stands in the mark
 * @param r.body - a {@link KeepRequest}, unchecked
 * @throws {ProblemError} 409 for a control-plane machine, and for one that is leaving; 422 where the time is no good
 */
export async function keepMachine(d: ClusterDeps, r: MachineRef & { user: string; body: unknown }): Promise<Machine> {
  const { until, reason } = keepOf(r.body, d.now());
  return annotate(d, r, ({ metadata, spec }) => {
    if (metadata.deletionTimestamp)
      throw new ProblemError(
        409,
        'BeingDeleted',
        `machine ${r.machine} is leaving already: it cannot be kept any more`,
      );
    if (spec.role === 'control-plane')
      throw new ProblemError(
        409,
        'CannotBeKept',
        `machine ${r.machine} is of the control plane: one out of service would cost etcd a member, so only workers can be kept; copy what you want to study (journal, /var/log) from it`,
      );
    return {
      [ANNOTATIONS.keepUntil]: until,
      [ANNOTATIONS.keepReason]: reason ? `${reason} (${r.user})` : r.user,
    };
  });
}

/** Takes the mark off. Safe to repeat. The machine returns to service; its pool, which has one too many then, lets one go. */
export const unkeepMachine = (d: ClusterDeps, r: MachineRef): Promise<Machine> =>
  annotate(d, r, () => ({ [ANNOTATIONS.keepUntil]: null, [ANNOTATIONS.keepReason]: null }));

/**
 * Skips drain and node of a machine that is leaving and does not get on.
 *
 * @param r.user - who asks; stands in the mark
 * @throws {ProblemError} 409 where it is not leaving
 */
export const forceMachine = (d: ClusterDeps, r: MachineRef & { user: string }): Promise<Machine> =>
  annotate(d, r, ({ metadata }) => {
    if (!metadata.deletionTimestamp)
      throw new ProblemError(
        409,
        'NotLeaving',
        `machine ${r.machine} is not leaving: only the way out of one that leaves can be cut short`,
      );
    return { [ANNOTATIONS.force]: `${new Date(d.now()).toISOString()} ${r.user}` };
  });

function keepOf(body: unknown, now: number): { until: string; reason: string | undefined } {
  const parsed = KeepRequest.safeParse(body ?? {});
  const problems: FieldProblem[] = parsed.success
    ? []
    : parsed.error.issues.map((i) => ({ field: i.path.map(String).join('.'), reason: 'Invalid', message: i.message }));
  const at = parsed.data?.until ? Date.parse(parsed.data.until) : now + KEEP_DEFAULT_MS;
  const wrong = (message: string) => problems.push({ field: 'until', reason: 'Invalid', message });
  if (at <= now) wrong(`${parsed.data?.until} is over: give a time to come`);
  else if (at > now + KEEP_MAX_MS)
    wrong(
      `${parsed.data?.until} is more than 30 days away: give ${timeOf(now + KEEP_MAX_MS)} or earlier, and keep it again then`,
    );
  if (problems.length > 0)
    throw new ProblemError(422, 'Invalid', problems.map((p) => `${p.field}: ${p.message}`).join('; '), problems);
  return { until: timeOf(at), reason: parsed.data?.reason };
}

const timeOf = (at: number): string => new Date(at).toISOString().replace(/\.\d+Z$/, 'Z');
