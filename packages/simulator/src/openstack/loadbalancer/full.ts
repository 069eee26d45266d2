import type { Json } from '../../core/message.ts';
import type { Cloud } from '../cloud.ts';
import { lbViews } from './kinds.ts';
import { policyView, ruleView } from './l7.ts';
import type { Listener, LoadBalancer, Pool } from './state.ts';

/** A balancer with everything below it in full, as Octavia answers when a whole tree is created at once. */
export function fullBalancer(cloud: Cloud, lb: LoadBalancer): Json {
  const s = cloud.loadBalancer;
  const views = lbViews(cloud);
  const pool = (p: Pool): Json => {
    const { healthmonitor_id: _id, ...view } = views.pool(p);
    const monitor = [...s.monitors.by('pool', p.id)][0];
    return {
      ...view,
      members: [...s.members.by('pool', p.id)].map(views.member),
      healthmonitor: monitor ? views.monitor(monitor) : null,
    };
  };
  const listener = (l: Listener): Json => {
    const first = s.pools.get(l.default_pool_id ?? '');
    return {
      ...views.listener(l),
      default_pool: first ? pool(first) : null,
      l7policies: [...s.policies.by('listener', l.id)].map((p) => {
        const target = s.pools.get(p.redirect_pool_id ?? '');
        return {
          ...policyView(cloud, p),
          ...(target ? { redirect_pool: pool(target) } : {}),
          rules: [...s.rules.by('policy', p.id)].map(ruleView),
        };
      }),
    };
  };
  return {
    ...views.balancer(lb),
    listeners: [...s.listeners.by('lb', lb.id)].map(listener),
    pools: [...s.pools.by('lb', lb.id)].map(pool),
  };
}
