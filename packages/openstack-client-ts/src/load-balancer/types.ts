import type { Fields } from '../types.ts';

export type ProvisioningStatus =
  | 'ACTIVE'
  | 'PENDING_CREATE'
  | 'PENDING_UPDATE'
  | 'PENDING_DELETE'
  | 'DELETED'
  | 'ERROR'
  | (string & {});

export type OperatingStatus = 'ONLINE' | 'OFFLINE' | 'DRAINING' | 'DEGRADED' | 'ERROR' | 'NO_MONITOR' | (string & {});

interface Common extends Fields {
  id: string;
  name: string;
  project_id: string;
  admin_state_up: boolean;
  provisioning_status: ProvisioningStatus;
  operating_status: OperatingStatus;
  tags: string[];
  created_at: string;
  updated_at: string | null;
}

export interface LoadBalancerInfo extends Common {
  description: string;
  provider: string;
  vip_address: string;
  vip_port_id: string;
  vip_subnet_id: string;
  vip_network_id: string;
  flavor_id: string | null;
  availability_zone?: string | null;
  listeners: { id: string }[];
  pools: { id: string }[];
}

export interface LoadBalancerCreate extends Fields {
  name?: string;
  description?: string;
  vip_subnet_id?: string;
  vip_network_id?: string;
  vip_port_id?: string;
  vip_address?: string;
  provider?: string;
  flavor_id?: string;
  availability_zone?: string;
  admin_state_up?: boolean;
  tags?: string[];
  /** With all below them: the whole tree in one call, all or none. */
  listeners?: ListenerTree[];
  /** Pools beside the listeners, named so that listeners can refer to them. */
  pools?: PoolTree[];
}

export interface Listener extends Common {
  description: string;
  protocol: 'HTTP' | 'HTTPS' | 'TCP' | 'TERMINATED_HTTPS' | 'UDP' | 'SCTP' | 'PROMETHEUS' | (string & {});
  protocol_port: number;
  default_pool_id: string | null;
  connection_limit: number;
  loadbalancers: { id: string }[];
  allowed_cidrs: string[] | null;
  /** Milliseconds. */
  timeout_client_data?: number;
  timeout_member_connect?: number;
  timeout_member_data?: number;
}

export interface ListenerCreate extends Fields {
  loadbalancer_id: string;
  protocol: Listener['protocol'];
  protocol_port: number;
  name?: string;
  description?: string;
  default_pool_id?: string;
  connection_limit?: number;
  allowed_cidrs?: string[];
  timeout_client_data?: number;
  timeout_member_connect?: number;
  timeout_member_data?: number;
  admin_state_up?: boolean;
  tags?: string[];
}

/** A listener inside a load balancer's create. */
export interface ListenerTree extends Fields {
  protocol: Listener['protocol'];
  protocol_port: number;
  name?: string;
  allowed_cidrs?: string[];
  timeout_client_data?: number;
  timeout_member_data?: number;
  tags?: string[];
  /** With its content, or by the name of one in `pools`. */
  default_pool?: PoolTree | { name: string };
}

export interface Pool extends Common {
  description: string;
  protocol: 'HTTP' | 'HTTPS' | 'TCP' | 'PROXY' | 'PROXYV2' | 'UDP' | 'SCTP' | (string & {});
  lb_algorithm: 'ROUND_ROBIN' | 'LEAST_CONNECTIONS' | 'SOURCE_IP' | 'SOURCE_IP_PORT' | (string & {});
  session_persistence: { type: string; cookie_name?: string | null } | null;
  healthmonitor_id: string;
  listeners: { id: string }[];
  loadbalancers: { id: string }[];
  members: { id: string }[];
}

export interface PoolCreate extends Fields {
  protocol: Pool['protocol'];
  lb_algorithm: Pool['lb_algorithm'];
  /** One of both. */
  listener_id?: string;
  loadbalancer_id?: string;
  name?: string;
  description?: string;
  session_persistence?: { type: string; cookie_name?: string };
  admin_state_up?: boolean;
  tags?: string[];
}

/** A pool inside a load balancer's create. */
export interface PoolTree extends Fields {
  name?: string;
  protocol: Pool['protocol'];
  lb_algorithm: Pool['lb_algorithm'];
  members?: MemberCreate[];
  healthmonitor?: HealthMonitorTree;
  tags?: string[];
}

export interface Member extends Common {
  address: string;
  protocol_port: number;
  subnet_id: string | null;
  weight: number;
  backup: boolean;
  monitor_address: string | null;
  monitor_port: number | null;
}

export interface MemberCreate extends Fields {
  address: string;
  protocol_port: number;
  name?: string;
  subnet_id?: string;
  weight?: number;
  backup?: boolean;
  monitor_address?: string | null;
  monitor_port?: number | null;
  admin_state_up?: boolean;
  tags?: string[];
}

/** A health monitor inside a load balancer's create. */
export interface HealthMonitorTree extends Fields {
  type: 'HTTP' | 'HTTPS' | 'PING' | 'TCP' | 'TLS-HELLO' | 'UDP-CONNECT' | 'SCTP' | (string & {});
  /** Seconds between checks. */
  delay: number;
  /** Seconds; less than `delay`. */
  timeout: number;
  /** Successes before ONLINE, 1 to 10. */
  max_retries: number;
  /** Failures before ERROR, 1 to 10. Default 3. */
  max_retries_down?: number;
  name?: string;
  http_method?: string;
  url_path?: string;
  /** `200`, `200,202`, `200-204` */
  expected_codes?: string;
  admin_state_up?: boolean;
}

export interface HealthMonitorCreate extends HealthMonitorTree {
  pool_id: string;
}

export interface HealthMonitor extends Common, Fields {
  type: HealthMonitorTree['type'];
  delay: number;
  timeout: number;
  max_retries: number;
  max_retries_down: number;
  http_method?: string | null;
  url_path?: string | null;
  expected_codes?: string | null;
  pools: { id: string }[];
}

/** One object of the status tree, with those below it. */
export interface StatusNode extends Fields {
  id: string;
  name?: string;
  provisioning_status: ProvisioningStatus;
  operating_status: OperatingStatus;
  listeners?: StatusNode[];
  pools?: StatusNode[];
  members?: (StatusNode & { address: string; protocol_port: number })[];
  health_monitor?: StatusNode;
}

/** Limits of a project; -1 is without limit. */
export interface LoadBalancerQuota extends Fields {
  load_balancer: number | null;
  listener: number | null;
  pool: number | null;
  member: number | null;
  health_monitor: number | null;
}
