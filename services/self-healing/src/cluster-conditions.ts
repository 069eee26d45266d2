import { type Cluster, type Condition, type ConditionInput, findCondition, withCondition } from '@shoto/api';
import type { Brake } from './brake.ts';

/** A storm that is stated on a Cluster: the words of its brake, and when it ended, in milliseconds since the epoch. */
export interface StatedStorm {
  message: string;
  ended: number | undefined;
}

/** What a Cluster says of storms; undefined where it never had one. */
export function stormOf(c: Cluster): StatedStorm | undefined {
  const said = findCondition(c.status?.health?.conditions, 'Storm');
  if (!said) return undefined;
  return {
    message: said.message,
    ended: said.status === 'True' ? undefined : Date.parse(said.lastTransitionTime),
  };
}

/** Whether a Cluster says something of the brake that a later pass has to take back. */
export const isSaidHeld = (c: Cluster): boolean =>
  ['HealingHeld', 'Storm'].some((type) => findCondition(c.status?.health?.conditions, type)?.status === 'True');

/**
 * The conditions of a Cluster when these brakes hold orders for its machines: `HealingHeld`, and `Storm`, which remembers over restarts when the
 * last storm ended. The same list where nothing is news.
 *
 * @param brakes - of all its machines; empty where nothing is held
 * @param now - milliseconds since the epoch
 */
export function heldConditions(
  before: readonly Condition[] | undefined,
  brakes: readonly Brake[],
  now: number,
): readonly Condition[] | undefined {
  const distinct = [...new Map(brakes.map((b) => [b.message, b])).values()].sort(byWeight);
  const storm = distinct.find((b) => b.storm);
  const next: ConditionInput[] = [];
  const [first] = distinct;
  if (first)
    next.push({
      type: 'HealingHeld',
      status: 'True',
      reason: first.reason,
      message: distinct.map((b) => b.message).join('; '),
    });
  else if (findCondition(before, 'HealingHeld'))
    next.push({ type: 'HealingHeld', status: 'False', reason: 'Released', message: 'no brake holds an order' });
  const said = findCondition(before, 'Storm');
  if (storm) next.push({ type: 'Storm', status: 'True', reason: storm.reason, message: storm.message });
  // The words stay: whoever shares the zone knows by them that it has to cool down.
  else if (said?.status === 'True')
    next.push({ type: 'Storm', status: 'False', reason: said.reason, message: said.message });
  return next.reduce<readonly Condition[] | undefined>((list, c) => {
    const known = findCondition(list, c.type);
    const isSame =
      known?.status === c.status && known.reason === c.reason && known.message === c.message.slice(0, 1024);
    return isSame ? list : withCondition(list, c, now);
  }, before);
}

const WEIGHT = [
  'EmergencyStop',
  'CloudNotReady',
  'CloudFailing',
  'RegionShare',
  'ZoneShare',
  'SharedZone',
  'SharedHost',
  'QuorumLost',
  'CannotReplaceLoneControlPlane',
  'ClusterShare',
  'PoolShare',
  'CoolingDown',
];
/** What is widest, and what needs a person, first. */
function byWeight(a: Brake, b: Brake): number {
  const weight = (x: Brake): number => (WEIGHT.indexOf(x.reason) + WEIGHT.length + 1) % (WEIGHT.length + 1);
  return weight(a) - weight(b) || (a.message < b.message ? -1 : 1);
}
