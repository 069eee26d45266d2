import { ApiError } from '../../core/message.ts';
import { background, type Cloud } from '../cloud.ts';
import type { AttachedVolume, RequestedDisk, Server } from '../compute/state.ts';
import type { Volume } from './state.ts';

/** 413 in Cinder's words if a project may not have one more volume of that size. */
export function checkVolumeQuota(cloud: Cloud, projectId: string, size: number): void {
  const limits = cloud.quotas.all('volume', projectId);
  const own = [...cloud.volume.volumes.by('project', projectId)];
  const used =
    own.reduce((sum, v) => sum + v.size, 0) +
    [...cloud.volume.snapshots.by('project', projectId)].reduce((sum, s) => sum + s.size, 0);
  if (limits.gigabytes! >= 0 && used + size > limits.gigabytes!) {
    throw new ApiError(
      413,
      `VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota. Requested ${size}G, quota is ${limits.gigabytes}G and ${used}G has been consumed.`,
      '',
      { 'Retry-After': '0' },
    );
  }
  if (limits.volumes! >= 0 && own.length + 1 > limits.volumes!) {
    throw new ApiError(
      413,
      `VolumeLimitExceeded: Maximum number of volumes allowed (${limits.volumes}) exceeded for quota 'volumes'.`,
      '',
      { 'Retry-After': '0' },
    );
  }
}

/** A volume that is being made; it becomes available in the background. */
export function makeVolume(
  cloud: Cloud,
  given: Pick<Volume, 'projectId' | 'userId' | 'size'> & Partial<Volume>,
): Volume {
  const now = cloud.clock.now();
  const volume: Volume = {
    id: cloud.ids.uuid(),
    name: '',
    description: null,
    status: 'creating',
    zone: 'nova',
    type: [...cloud.volume.types.values()][0]?.name ?? '',
    bootable: false,
    multiattach: false,
    metadata: {},
    imageId: null,
    imageMetadata: {},
    snapshotId: null,
    sourceVolumeId: null,
    attachments: [],
    createdAt: now,
    updatedAt: now,
    ...given,
  };
  cloud.volume.volumes.save(volume);
  background(cloud, 'cinder.volume.provision', () => {
    if (volume.status !== 'creating') return;
    volume.status = 'available';
    volume.updatedAt = cloud.clock.now();
    cloud.volume.volumes.save(volume);
  });
  return volume;
}

/** The volume that Nova makes for a server's disk; its id. */
export function createVolumeFor(cloud: Cloud, s: Server, disk: RequestedDisk): string {
  const snapshot = disk.source === 'snapshot' ? cloud.volume.snapshots.get(disk.uuid ?? '') : undefined;
  const size = disk.sizeGiB ?? snapshot?.size ?? 1;
  checkVolumeQuota(cloud, s.projectId, size);
  const origin = snapshot ? cloud.volume.volumes.get(snapshot.volumeId) : undefined;
  return makeVolume(cloud, {
    projectId: s.projectId,
    userId: s.userId,
    size,
    imageId: disk.source === 'image' ? disk.uuid : (origin?.imageId ?? null),
    snapshotId: snapshot?.id ?? null,
    bootable: disk.source !== 'blank',
    ...(disk.volumeType ? { type: disk.volumeType } : {}),
  }).id;
}

/** Puts a volume into a server. */
export function attachVolume(
  cloud: Cloud,
  s: Server,
  volumeId: string,
  how: Omit<AttachedVolume, 'volumeId' | 'attachmentId'>,
): AttachedVolume {
  const volume = cloud.volume.volumes.get(volumeId);
  if (!volume) throw new ApiError(404, `Volume ${volumeId} could not be found.`);
  const attached: AttachedVolume = { volumeId, attachmentId: cloud.ids.uuid(), ...how };
  volume.attachments.push({
    id: attached.attachmentId,
    serverId: s.id,
    host: s.host,
    device: how.device,
    attachedAt: cloud.clock.now(),
  });
  volume.status = 'in-use';
  volume.updatedAt = cloud.clock.now();
  cloud.volume.volumes.save(volume);
  s.volumes = [...s.volumes, attached];
  s.updatedAt = cloud.clock.now();
  cloud.compute.servers.save(s);
  return attached;
}

/** Takes a volume out of a server. */
export function detachVolume(cloud: Cloud, s: Server, volumeId: string): void {
  const volume = cloud.volume.volumes.get(volumeId);
  if (volume) {
    volume.attachments = volume.attachments.filter((a) => a.serverId !== s.id);
    if (volume.attachments.length === 0) volume.status = 'available';
    volume.updatedAt = cloud.clock.now();
    cloud.volume.volumes.save(volume);
  }
  s.volumes = s.volumes.filter((v) => v.volumeId !== volumeId);
  if (cloud.compute.servers.get(s.id) === s) cloud.compute.servers.save(s);
}

/** Deletes a volume in the background. */
export function removeVolume(cloud: Cloud, volumeId: string): void {
  const volume = cloud.volume.volumes.get(volumeId);
  if (!volume) return;
  volume.status = 'deleting';
  cloud.volume.volumes.save(volume);
  background(cloud, 'cinder.volume.destroy', () => cloud.volume.volumes.delete(volumeId));
}
