import type { Fields, Query } from '../types.ts';

export interface Volume extends Fields {
  id: string;
  name: string | null;
  description: string | null;
  status:
    | 'creating'
    | 'available'
    | 'reserved'
    | 'attaching'
    | 'detaching'
    | 'in-use'
    | 'maintenance'
    | 'deleting'
    | 'error'
    | 'error_deleting'
    | 'extending'
    | (string & {});
  /** GiB. */
  size: number;
  volume_type: string | null;
  /** The text `true` or `false`. */
  bootable: string;
  availability_zone: string | null;
  attachments: { id: string; attachment_id: string; server_id: string; volume_id: string; device: string | null }[];
  metadata: Record<string, string>;
  snapshot_id: string | null;
  source_volid: string | null;
  created_at: string;
  updated_at: string | null;
}

export interface VolumeCreate extends Fields {
  /** GiB; may be left out for a copy. */
  size?: number;
  name?: string;
  description?: string;
  volume_type?: string;
  availability_zone?: string;
  imageRef?: string;
  snapshot_id?: string;
  source_volid?: string;
  metadata?: Record<string, string>;
}

export interface VolumeQuery extends Query {
  name?: string | undefined;
  status?: string | undefined;
  /** Only for administrators. */
  all_tenants?: boolean | undefined;
  bootable?: boolean | undefined;
  availability_zone?: string | undefined;
  /** A Python dictionary of texts, all of which must be there: see `metadataQuery`. */
  metadata?: string | undefined;
  sort?: string | undefined;
  limit?: number | undefined;
  marker?: string | undefined;
}

export interface Snapshot extends Fields {
  id: string;
  name: string | null;
  description: string | null;
  volume_id: string;
  status: 'creating' | 'available' | 'deleting' | 'error' | 'error_deleting' | (string & {});
  /** GiB. */
  size: number;
  metadata: Record<string, string>;
  created_at: string;
}

export interface VolumeType extends Fields {
  id: string;
  name: string;
  description: string | null;
  is_public: boolean;
  extra_specs?: Record<string, string>;
}

/** Limits of a project; -1 is without limit. */
export interface VolumeQuota extends Fields {
  volumes: number;
  snapshots: number;
  /** GiB. */
  gigabytes: number;
  backups: number;
  backup_gigabytes: number;
  per_volume_gigabytes: number;
}

export interface VolumeQuotaUsage {
  limit: number;
  in_use: number;
  reserved: number;
}

/** From 3.27. */
export interface Attachment extends Fields {
  id: string;
  volume_id: string;
  instance: string | null;
  status: string;
  attach_mode?: string;
  attached_at?: string | null;
  connection_info?: Record<string, unknown>;
}
