import { Table } from '../../core/table.ts';

export interface Attachment {
  id: string;
  serverId: string;
  host: string | null;
  device: string;
  attachedAt: number;
}

export interface Volume {
  id: string;
  name: string;
  description: string | null;
  projectId: string;
  userId: string;
  size: number;
  status: string;
  zone: string;
  type: string;
  bootable: boolean;
  multiattach: boolean;
  metadata: Record<string, string>;
  imageId: string | null;
  /** What was noted about its image on the volume itself. */
  imageMetadata: Record<string, string>;
  snapshotId: string | null;
  sourceVolumeId: string | null;
  attachments: Attachment[];
  createdAt: number;
  updatedAt: number;
}

export interface Snapshot {
  id: string;
  name: string;
  description: string | null;
  projectId: string;
  volumeId: string;
  size: number;
  status: string;
  metadata: Record<string, string>;
  createdAt: number;
}

export interface VolumeType {
  id: string;
  name: string;
  description: string;
  isPublic: boolean;
  extraSpecs: Record<string, string>;
  /** Projects that may use it although it is not public. */
  access: string[];
}

/** Cinder's memory. */
export class VolumeState {
  readonly volumes = new Table<Volume>({ project: (v) => v.projectId, name: (v) => v.name });
  readonly snapshots = new Table<Snapshot>({ project: (s) => s.projectId, volume: (s) => s.volumeId });
  readonly types = new Table<VolumeType>({ name: (t) => t.name });
}
