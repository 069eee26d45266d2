import type { Blocker, Machine } from '@shoto/api';
import { isLeaving, standingOf } from '../cluster/standing.ts';
import { blamed } from '../internal/capacity.ts';
import { type PoolNeed, total } from '../internal/needs.ts';
import type { Room } from './reservations.ts';

/**
 * What of a change the tenant's quota does not carry, with the field that asks for most of it. Pure.
 *
 * @param room - undefined: there is no quota
 * @param machines - of the Cluster, as they are
 * @param now - milliseconds since the epoch
 */
export function tenantBlockers(
  room: Room | undefined,
  needs: readonly PoolNeed[],
  machines: readonly Machine[],
  now: number,
): Blocker[] {
  const needed = total(needs).instances;
  if (!room || needed === 0) return [];
  const { tenant, others } = room;
  const own = machines.filter((m) => !isLeaving(m) && !standingOf(m, [], now).lost).length;
  const left = Math.max(0, tenant.quota - others - own);
  if (needed <= left) return [];
  return [
    {
      reason: 'TenantQuotaExceeded',
      field: blamed(needs, 'instances'),
      message: `at its height the change takes ${needed} more machine${needed === 1 ? '' : 's'}, and the quota of tenant ${tenant.name} leaves ${left} of ${tenant.quota}: ask for fewer, let maxSurge of pools be 0 and maxUnavailable 1, remove machines, or have an administrator raise the quota`,
    },
  ];
}
