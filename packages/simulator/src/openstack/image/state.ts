import type { Clock } from '../../core/clock.ts';
import type { Random } from '../../core/random.ts';
import { Table } from '../../core/table.ts';
import type { Server } from '../compute/state.ts';

export interface Image {
  id: string;
  name: string | null;
  status: 'queued' | 'saving' | 'active' | 'deactivated' | 'importing';
  visibility: 'public' | 'private' | 'shared' | 'community';
  owner: string;
  minDisk: number;
  minRam: number;
  diskFormat: string | null;
  containerFormat: string | null;
  size: number | null;
  checksum: string | null;
  sha512: string | null;
  protected: boolean;
  hidden: boolean;
  tags: string[];
  properties: Record<string, string>;
  createdAt: number;
  updatedAt: number;
  /** Only of images that were uploaded. */
  data: Buffer | null;
  /** Projects it is shared with, and what they said. */
  members: Map<string, { status: 'pending' | 'accepted' | 'rejected'; createdAt: number; updatedAt: number }>;
}

/** Glance's memory. */
export class ImageState {
  readonly images = new Table<Image>({ owner: (i) => i.owner, name: (i) => i.name });

  /** Whether a caller may see an image. */
  mayRead(image: Image, auth: { projectId: string; isAdmin: boolean }): boolean {
    return (
      auth.isAdmin ||
      image.owner === auth.projectId ||
      image.visibility === 'public' ||
      image.visibility === 'community' ||
      image.members.has(auth.projectId)
    );
  }

  /** An image made from a server; its id. */
  snapshotOf(
    cloud: { ids: Random; clock: Clock },
    s: Server,
    name: string,
    auth: { projectId: string; isAdmin: boolean },
  ): string {
    const source = this.images.get(s.imageId);
    const image = newImage(cloud.ids, cloud.clock.now(), auth.projectId, name);
    Object.assign(image, {
      status: 'active',
      size: source?.size ?? 0,
      diskFormat: source?.diskFormat ?? 'qcow2',
      containerFormat: source?.containerFormat ?? 'bare',
      minDisk: s.flavor.disk,
      properties: { ...source?.properties, image_type: 'snapshot', instance_uuid: s.id, base_image_ref: s.imageId },
      checksum: cloud.ids.hex(32),
      sha512: cloud.ids.hex(128),
    });
    this.images.save(image);
    return image.id;
  }
}

/** A queued image without data. */
export function newImage(ids: Random, now: number, owner: string, name: string | null): Image {
  return {
    id: ids.uuid(),
    name,
    status: 'queued',
    visibility: 'shared',
    owner,
    minDisk: 0,
    minRam: 0,
    diskFormat: null,
    containerFormat: null,
    size: null,
    checksum: null,
    sha512: null,
    protected: false,
    hidden: false,
    tags: [],
    properties: {},
    createdAt: now,
    updatedAt: now,
    data: null,
    members: new Map(),
  };
}
