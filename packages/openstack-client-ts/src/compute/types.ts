import type { Fields } from '../types.ts';

export interface Flavor extends Fields {
  id: string;
  name: string;
  vcpus: number;
  /** MiB. */
  ram: number;
  /** GiB; 0 takes the image's size. */
  disk: number;
  /** MiB, or an empty string for none (a number from 2.75). */
  swap: number | '';
  'OS-FLV-EXT-DATA:ephemeral'?: number;
  'OS-FLV-DISABLED:disabled'?: boolean;
  'os-flavor-access:is_public'?: boolean;
  rxtx_factor?: number;
  description?: string | null;
  /** From 2.61. */
  extra_specs?: Record<string, string>;
}

export interface FlavorCreate extends Fields {
  name: string;
  vcpus: number;
  ram: number;
  disk: number;
  /** Nova makes one up without it. */
  id?: string;
  swap?: number;
  'OS-FLV-EXT-DATA:ephemeral'?: number;
  'os-flavor-access:is_public'?: boolean;
  description?: string;
}

export interface Keypair extends Fields {
  name: string;
  public_key: string;
  fingerprint: string;
  type?: 'ssh' | 'x509';
  user_id?: string;
  /** Only in the answer to a create without public_key, before 2.92. */
  private_key?: string;
}

export interface KeypairCreate extends Fields {
  name: string;
  /** Nova wants it from 2.92. */
  public_key?: string;
  type?: 'ssh' | 'x509';
}

export type ServerGroupPolicy = 'affinity' | 'anti-affinity' | 'soft-affinity' | 'soft-anti-affinity';

export interface ServerGroup extends Fields {
  id: string;
  name: string;
  /** From 2.64. */
  policy?: ServerGroupPolicy;
  /** Before 2.64. */
  policies?: ServerGroupPolicy[];
  rules?: { max_server_per_host?: number };
  members: string[];
  project_id?: string;
  user_id?: string;
}

export interface ServerGroupCreate {
  name: string;
  policy: ServerGroupPolicy;
  /** From 2.64, only with `anti-affinity`. */
  rules?: { max_server_per_host: number };
}

export interface AvailabilityZone extends Fields {
  zoneName: string;
  zoneState: { available: boolean };
  /** Only in the detailed list, for administrators. */
  hosts?: Record<string, unknown> | null;
}

/** Limits of a project; -1 is without limit. */
export interface ComputeQuota extends Fields {
  id?: string;
  cores: number;
  instances: number;
  /** MiB. */
  ram: number;
  key_pairs: number;
  metadata_items: number;
  server_groups: number;
  server_group_members: number;
}

/** One resource of a quota with what is used of it. */
export interface QuotaUsage {
  limit: number;
  in_use: number;
  reserved: number;
}

/** Limits and use of the own project; -1 is without limit. */
export interface AbsoluteLimits extends Fields {
  maxTotalCores: number;
  maxTotalInstances: number;
  maxTotalRAMSize: number;
  totalCoresUsed: number;
  totalInstancesUsed: number;
  totalRAMUsed: number;
  maxServerGroups?: number;
  totalServerGroupsUsed?: number;
}

export interface Hypervisor extends Fields {
  /** A UUID from 2.53. */
  id: string | number;
  hypervisor_hostname: string;
  hypervisor_type?: string;
  state: 'up' | 'down';
  status: 'enabled' | 'disabled';
  host_ip?: string;
  service?: { host: string; id: string | number; disabled_reason: string | null };
}

export interface ComputeServiceInfo extends Fields {
  id: string | number;
  binary: string;
  host: string;
  zone: string;
  status: 'enabled' | 'disabled';
  state: 'up' | 'down';
  updated_at: string | null;
}
