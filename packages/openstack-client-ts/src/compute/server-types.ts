import type { Fields, Query } from '../types.ts';

/** Nova's `status` of a server. A newer Nova may know others. */
export type ServerStatus =
  | 'ACTIVE'
  | 'BUILD'
  | 'DELETED'
  | 'ERROR'
  | 'HARD_REBOOT'
  | 'MIGRATING'
  | 'PASSWORD'
  | 'PAUSED'
  | 'REBOOT'
  | 'REBUILD'
  | 'RESCUE'
  | 'RESIZE'
  | 'REVERT_RESIZE'
  | 'SHELVED'
  | 'SHELVED_OFFLOADED'
  | 'SHUTOFF'
  | 'SOFT_DELETED'
  | 'SUSPENDED'
  | 'UNKNOWN'
  | 'VERIFY_RESIZE'
  | (string & {});

export interface ServerAddress {
  addr: string;
  version: 4 | 6;
  'OS-EXT-IPS:type'?: 'fixed' | 'floating';
  'OS-EXT-IPS-MAC:mac_addr'?: string;
}

/** A server, as GET and the detailed list give it. */
export interface Server extends Fields {
  id: string;
  name: string;
  status: ServerStatus;
  tenant_id: string;
  user_id: string;
  /** RFC 3339. */
  created: string;
  updated: string;
  metadata: Record<string, string>;
  /** By network name. */
  addresses: Record<string, ServerAddress[]>;
  /** An empty string for a server that boots from a volume. */
  image: { id: string } | '';
  /** From 2.47 the flavor's content in place of its id. */
  flavor: {
    id?: string;
    original_name?: string;
    vcpus?: number;
    ram?: number;
    disk?: number;
    ephemeral?: number;
    swap?: number;
    extra_specs?: Record<string, string>;
  };
  /** From 2.26. */
  tags?: string[];
  key_name?: string | null;
  config_drive?: string;
  progress?: number;
  hostId?: string;
  description?: string | null;
  locked?: boolean;
  locked_reason?: string | null;
  /** Ids of its server groups, from 2.71 (only in GET). */
  server_groups?: string[];
  security_groups?: { name: string }[];
  /** Why it is in ERROR. */
  fault?: { code: number; created: string; message: string; details?: string };
  'OS-EXT-STS:task_state'?: string | null;
  'OS-EXT-STS:vm_state'?: string;
  /** 1 running, 3 paused, 4 shut down, 6 crashed, 7 suspended. */
  'OS-EXT-STS:power_state'?: number;
  'OS-EXT-AZ:availability_zone'?: string;
  'OS-EXT-SRV-ATTR:host'?: string | null;
  'OS-EXT-SRV-ATTR:hypervisor_hostname'?: string | null;
  'OS-EXT-SRV-ATTR:instance_name'?: string;
  'OS-EXT-SRV-ATTR:user_data'?: string | null;
  'OS-SRV-USG:launched_at'?: string | null;
  'OS-SRV-USG:terminated_at'?: string | null;
  'os-extended-volumes:volumes_attached'?: { id: string; delete_on_termination?: boolean }[];
}

/** What `create` answers; the rest comes with `get`. */
export interface ServerCreated extends Fields {
  id: string;
  adminPass?: string;
  security_groups?: { name: string }[];
}

export interface ServerNetwork {
  /** A port that exists; Nova leaves it alone when the server goes. */
  port?: string;
  /** A network, on which Nova makes a port. */
  uuid?: string;
  fixed_ip?: string;
  /** Device tag for the metadata, from 2.42. */
  tag?: string;
}

export interface BlockDevice {
  boot_index?: number | null;
  uuid?: string;
  source_type: 'image' | 'volume' | 'snapshot' | 'blank';
  destination_type?: 'local' | 'volume';
  /** GiB. */
  volume_size?: number;
  /** From 2.67. */
  volume_type?: string;
  delete_on_termination?: boolean;
  device_type?: string;
  disk_bus?: string;
  device_name?: string;
  guest_format?: string;
  tag?: string;
}

export interface ServerCreate extends Fields {
  name: string;
  flavorRef: string;
  /** Left out for a boot from volume. */
  imageRef?: string;
  /** Nova wants it from 2.37. */
  networks: 'auto' | 'none' | ServerNetwork[];
  block_device_mapping_v2?: BlockDevice[];
  /** Base64, at most 65,535 bytes of it; see `encodeUserData`. */
  user_data?: string;
  key_name?: string;
  metadata?: Record<string, string>;
  /** From 2.52. */
  tags?: string[];
  availability_zone?: string;
  /** Only for ports that Nova makes. */
  security_groups?: { name: string }[];
  config_drive?: boolean;
  description?: string;
  /** From 2.90. */
  hostname?: string;
  min_count?: number;
  max_count?: number;
  return_reservation_id?: boolean;
  'OS-DCF:diskConfig'?: 'AUTO' | 'MANUAL';
  /** Goes beside the server in the request, as Nova wants it. */
  'os:scheduler_hints'?: { group?: string; same_host?: string[]; different_host?: string[]; [hint: string]: unknown };
}

export interface ServerUpdate extends Fields {
  name?: string;
  description?: string | null;
  hostname?: string;
  accessIPv4?: string;
  accessIPv6?: string;
  'OS-DCF:diskConfig'?: 'AUTO' | 'MANUAL';
}

/** Filters of the server list. Nova takes `name` and `ip` for regular expressions. */
export interface ServerQuery extends Query {
  name?: string | undefined;
  status?: string | readonly string[] | undefined;
  /** Also those deleted since then; not together with tag filters, which deleted servers have lost. */
  'changes-since'?: string | Date | undefined;
  'changes-before'?: string | Date | undefined;
  deleted?: boolean | undefined;
  all_tenants?: boolean | undefined;
  project_id?: string | undefined;
  image?: string | undefined;
  flavor?: string | undefined;
  host?: string | undefined;
  ip?: string | undefined;
  availability_zone?: string | undefined;
  key_name?: string | undefined;
  tags?: readonly string[] | undefined;
  'tags-any'?: readonly string[] | undefined;
  'not-tags'?: readonly string[] | undefined;
  'not-tags-any'?: readonly string[] | undefined;
  sort_key?: string | undefined;
  sort_dir?: 'asc' | 'desc' | undefined;
  limit?: number | undefined;
  marker?: string | undefined;
}

export interface VolumeAttachment extends Fields {
  volumeId: string;
  serverId: string;
  device: string | null;
  id?: string;
  tag?: string | null;
  delete_on_termination?: boolean;
}

export interface InterfaceAttachment extends Fields {
  port_id: string;
  net_id: string;
  mac_addr: string;
  port_state: string;
  fixed_ips: { ip_address: string; subnet_id: string }[] | null;
}

export interface InstanceAction extends Fields {
  action: string;
  request_id: string;
  start_time: string;
  message: string | null;
  instance_uuid: string;
  events?: { event: string; result: string | null; start_time: string; finish_time: string | null }[];
}
