import type { Fields, Query } from '../types.ts';

export interface ImageInfo extends Fields {
  id: string;
  name: string | null;
  status:
    | 'queued'
    | 'saving'
    | 'uploading'
    | 'importing'
    | 'active'
    | 'killed'
    | 'deleted'
    | 'deactivated'
    | (string & {});
  visibility: 'public' | 'community' | 'shared' | 'private';
  owner: string;
  protected: boolean;
  tags: string[];
  disk_format: string | null;
  container_format: string | null;
  /** Bytes; null before the upload. */
  size: number | null;
  virtual_size: number | null;
  /** GiB. */
  min_disk: number;
  /** MiB. */
  min_ram: number;
  /** MD5 of the content. */
  checksum: string | null;
  os_hash_algo?: string | null;
  os_hash_value?: string | null;
  created_at: string;
  updated_at: string;
}

/** Custom properties stand beside the fields, all of them strings. */
export interface ImageCreate extends Fields {
  name?: string;
  disk_format?: 'raw' | 'qcow2' | 'vhd' | 'vhdx' | 'vmdk' | 'vdi' | 'iso' | 'ploop' | 'aki' | 'ari' | 'ami';
  container_format?: 'bare' | 'ovf' | 'ova' | 'docker' | 'compressed' | 'aki' | 'ari' | 'ami';
  visibility?: ImageInfo['visibility'];
  min_disk?: number;
  min_ram?: number;
  protected?: boolean;
  tags?: string[];
}

/** One step of an update: JSON patch as Glance knows it. */
export interface ImagePatch {
  op: 'add' | 'replace' | 'remove';
  /** `/name`, `/os_distro` */
  path: string;
  value?: unknown;
}

export interface ImageQuery extends Query {
  name?: string | undefined;
  status?: string | undefined;
  visibility?: ImageInfo['visibility'] | 'all' | undefined;
  owner?: string | undefined;
  /** Having all of them. */
  tag?: string | readonly string[] | undefined;
  /** `os_hidden`, or any custom property. */
  os_hidden?: boolean | undefined;
  sort?: string | undefined;
  limit?: number | undefined;
}
