import { Table } from '../../core/table.ts';

/** What every Octavia object has; rows have the shape they have on the wire. */
export interface LbRow {
  id: string;
  name: string;
  description: string;
  project_id: string;
  tenant_id: string;
  admin_state_up: boolean;
  provisioning_status: string;
  operating_status: string;
  created_at: string;
  updated_at: string | null;
  tags: string[];
  /** The load balancer it belongs to. */
  lb: string;
}

export interface LoadBalancer extends LbRow {
  vip_address: string;
  vip_port_id: string;
  vip_subnet_id: string;
  vip_network_id: string;
  vip_qos_policy_id: null;
  vip_vnic_type: string;
  additional_vips: unknown[];
  provider: string;
  flavor_id: string | null;
  availability_zone: string | null;
  /** The VIP's port is Octavia's own. */
  ownPort: boolean;
}

export interface Listener extends LbRow {
  protocol: string;
  protocol_port: number;
  default_pool_id: string | null;
  /** Everything else, as given or at its default. */
  settings: Record<string, unknown>;
}

export interface Pool extends LbRow {
  protocol: string;
  lb_algorithm: string;
  session_persistence: unknown;
  /** Listener that it was created under. */
  listenerId: string | null;
  settings: Record<string, unknown>;
}

export interface Member extends LbRow {
  poolId: string;
  address: string;
  protocol_port: number;
  weight: number;
  backup: boolean;
  subnet_id: string | null;
  monitor_address: string | null;
  monitor_port: number | null;
}

export interface HealthMonitor extends LbRow {
  poolId: string;
  type: string;
  settings: Record<string, unknown>;
}

export interface L7Policy extends LbRow {
  listenerId: string;
  action: string;
  /** 1 is asked first. */
  position: number;
  redirect_pool_id: string | null;
  redirect_url: string | null;
  redirect_prefix: string | null;
  redirect_http_code: number | null;
}

export interface L7Rule extends LbRow {
  policyId: string;
  type: string;
  compare_type: string;
  key: string | null;
  value: string;
  invert: boolean;
}

/** Octavia's memory. */
export class LoadBalancerState {
  readonly balancers = new Table<LoadBalancer>({ project: (b) => b.project_id, name: (b) => b.name });
  readonly listeners = new Table<Listener>({ project: (l) => l.project_id, lb: (l) => l.lb });
  readonly pools = new Table<Pool>({ project: (p) => p.project_id, lb: (p) => p.lb });
  readonly members = new Table<Member>({ project: (m) => m.project_id, lb: (m) => m.lb, pool: (m) => m.poolId });
  readonly monitors = new Table<HealthMonitor>({
    project: (h) => h.project_id,
    lb: (h) => h.lb,
    pool: (h) => h.poolId,
  });
  readonly policies = new Table<L7Policy>({
    project: (p) => p.project_id,
    lb: (p) => p.lb,
    listener: (p) => p.listenerId,
  });
  readonly rules = new Table<L7Rule>({ lb: (r) => r.lb, policy: (r) => r.policyId });
}
