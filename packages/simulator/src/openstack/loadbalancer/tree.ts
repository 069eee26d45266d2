import { ApiError, type Json } from '../../core/message.ts';
import { background, type Cloud } from '../cloud.ts';
import { releasePort, setDevice } from '../network/ports.ts';
import type { LbRow, LoadBalancer } from './state.ts';

/** `2026-11-21T02:00:36`, as Octavia writes times. */
export function lbTime(cloud: Cloud): string {
  return new Date(cloud.clock.now()).toISOString().slice(0, 19);
}

/** The balancer of an object if it may be changed now; 409 while it is PENDING. */
export function mutable(cloud: Cloud, lbId: string): LoadBalancer {
  const lb = cloud.loadBalancer.balancers.get(lbId);
  if (!lb) throw new ApiError(404, `Load Balancer ${lbId} not found.`);
  if (lb.provisioning_status !== 'ACTIVE')
    throw new ApiError(409, `Load Balancer ${lbId} is immutable and cannot be updated.`);
  return lb;
}

/** Marks the balancer and the objects as pending and does the work in the background. */
export function pending(
  cloud: Cloud,
  lb: LoadBalancer,
  rows: LbRow[],
  status: 'PENDING_CREATE' | 'PENDING_UPDATE' | 'PENDING_DELETE',
  operation: string,
  done?: () => void,
): void {
  lb.provisioning_status = rows.includes(lb) ? status : 'PENDING_UPDATE';
  for (const row of rows) row.provisioning_status = status;
  background(
    cloud,
    operation,
    () => {
      for (const row of new Set<LbRow>([lb, ...rows])) {
        row.provisioning_status = 'ACTIVE';
        row.updated_at = status === 'PENDING_CREATE' && row.updated_at === null && row !== lb ? null : lbTime(cloud);
      }
      done?.();
      operating(cloud, lb);
      announce(cloud, lb, false);
    },
    () => lb.id,
  );
}

/** Operating status follows from what is there: all are up, unless they are off. */
function operating(cloud: Cloud, lb: LoadBalancer): void {
  const { listeners, pools, members, monitors, policies, rules } = cloud.loadBalancer;
  const up = (row: LbRow, on = 'ONLINE') => {
    row.operating_status = row.admin_state_up ? on : 'OFFLINE';
  };
  up(lb);
  for (const l of listeners.by('lb', lb.id)) up(l);
  for (const p of pools.by('lb', lb.id)) up(p);
  for (const table of [monitors, policies, rules]) for (const row of table.by('lb', lb.id)) up(row);
  for (const m of members.by('lb', lb.id)) up(m, monitors.count('pool', m.poolId) > 0 ? 'ONLINE' : 'NO_MONITOR');
}

/** Tells the machines where the balancer leads now. */
function announce(cloud: Cloud, lb: LoadBalancer, deleted: boolean): void {
  const { listeners, pools, members } = cloud.loadBalancer;
  cloud.events.loadBalancer({
    id: lb.id,
    vipPortId: lb.vip_port_id,
    vipAddress: lb.vip_address,
    deleted,
    listeners: deleted
      ? []
      : [...listeners.by('lb', lb.id)]
          .filter((l) => l.admin_state_up && lb.admin_state_up)
          .map((l) => {
            const pool = l.default_pool_id === null ? undefined : pools.get(l.default_pool_id);
            return {
              port: l.protocol_port,
              ...(pool
                ? {
                    pool: {
                      members: [...members.by('pool', pool.id)].map((m) => ({
                        address: m.address,
                        port: m.protocol_port,
                        adminStateUp: m.admin_state_up,
                      })),
                    },
                  }
                : {}),
            };
          }),
  });
}

/** Deletes a balancer with all it has, in the background. */
export function destroyTree(cloud: Cloud, lb: LoadBalancer): void {
  const state = cloud.loadBalancer;
  lb.provisioning_status = 'PENDING_DELETE';
  background(cloud, 'octavia.loadbalancer.destroy', () => {
    for (const table of [
      state.rules,
      state.policies,
      state.monitors,
      state.members,
      state.pools,
      state.listeners,
    ] as const) {
      for (const row of [...table.by('lb', lb.id)]) table.delete(row.id);
    }
    state.balancers.delete(lb.id);
    announce(cloud, lb, true);
    const port = cloud.network.ports.get(lb.vip_port_id);
    if (!port) return;
    if (lb.ownPort) releasePort(cloud, port);
    else setDevice(cloud, port, '', '', '');
  });
}

/** References by id, as Octavia lists children. */
export function refs(rows: Iterable<{ id: string }>): Json[] {
  return [...rows].map((r) => ({ id: r.id }));
}
