import { type EmergencyStop, emergencyStopOf, FLEET_SWITCH } from '@shoto/api';
import { CONFIGMAPS, type HasMeta, KubeError } from '@shoto/kube';
import { z } from 'zod';
import type { ClusterDeps } from './clusters.ts';
import { ProblemError } from './problem.ts';

interface ConfigMap extends HasMeta {
  data?: Record<string, string>;
}

/** What is sent to stop the fleet. */
export const StopRequest = z.strictObject({
  reason: z
    .string()
    .min(1)
    .max(256)
    .regex(/^[^\r\n]*$/, 'must be one line')
    .describe('Why, in one line: it is said on every cluster.'),
});

type FleetDeps = Pick<ClusterDeps, 'client' | 'now' | 'systemNamespace'>;

const refOf = (d: FleetDeps) => ({ namespace: d.systemNamespace, name: FLEET_SWITCH });

/** The stop as it is now, read live: nobody who asks may be told what was a second ago. Undefined where it is off. */
export async function fleetStop(d: FleetDeps): Promise<EmergencyStop | undefined> {
  return emergencyStopOf(await d.client.get<ConfigMap>(CONFIGMAPS, refOf(d)));
}

/**
 * Stops everything that destroys, in the whole fleet. Again: the reason is the new one; since when and by whom stay the first.
 *
 * @param body - a {@link StopRequest}, unchecked
 * @throws {ProblemError} 422 without a reason
 */
export async function stopFleet(d: FleetDeps, user: string, body: unknown): Promise<EmergencyStop> {
  const parsed = StopRequest.safeParse(body ?? {});
  if (!parsed.success) {
    const errors = parsed.error.issues.map((i) => ({
      field: i.path.map(String).join('.') || 'reason',
      message: i.code === 'invalid_type' ? 'required: say why, it is told on every cluster' : i.message,
    }));
    throw new ProblemError(422, 'Invalid', errors.map((e) => `${e.field}: ${e.message}`).join('; '), errors);
  }
  const { reason } = parsed.data;
  const data = { reason, by: user, since: new Date(d.now()).toISOString().replace(/\.\d+Z$/, 'Z') };
  try {
    await d.client.create<ConfigMap>(CONFIGMAPS, { metadata: refOf(d), data });
    return data;
  } catch (e) {
    if (!(e instanceof KubeError && e.isAlreadyExists)) throw e;
  }
  try {
    const stopped = await d.client.mergePatch<ConfigMap>(CONFIGMAPS, refOf(d), { data: { reason } });
    return emergencyStopOf(stopped) ?? data;
  } catch (e) {
    // Ended between the two: it is for who asks to say whether it shall be on again.
    if (!(e instanceof KubeError && e.isNotFound)) throw e;
    throw new ProblemError(412, 'Changed', 'the emergency stop was ended at this moment: ask again if it shall be on');
  }
}

/** Ends the stop. Safe to repeat. */
export async function resumeFleet(d: FleetDeps): Promise<void> {
  await d.client.delete(CONFIGMAPS, refOf(d));
}
