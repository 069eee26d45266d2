import { ApiError, isObject, type Json } from '../../core/message.ts';
import type { Auth, Cloud } from '../cloud.ts';
import { schemaError, show } from './dialect.ts';
import type { RequestedDisk } from './state.ts';

/** The disks of block_device_mapping_v2; 400 in Nova's words. */
export function requestedDisks(
  cloud: Cloud,
  given: Json,
  auth: Auth,
): { disks: RequestedDisk[]; bootsFromVolume: boolean } {
  const list = given.block_device_mapping_v2;
  if (list === undefined) return { disks: [], bootsFromVolume: false };
  if (!Array.isArray(list)) throw schemaError('block_device_mapping_v2', list, `${show(list)} is not of type 'array'`);
  const disks = list.map((item): RequestedDisk => {
    if (!isObject(item)) throw schemaError('block_device_mapping_v2', item, `${show(item)} is not of type 'object'`);
    const source = item.source_type ?? (item.volume_id ? 'volume' : 'blank');
    if (source !== 'image' && source !== 'volume' && source !== 'snapshot' && source !== 'blank') {
      throw schemaError(
        'source_type',
        source,
        `'${show(source)}' is not one of ['volume', 'image', 'snapshot', 'blank']`,
      );
    }
    const disk: RequestedDisk = {
      source,
      destination:
        item.destination_type === 'volume' ||
        (item.destination_type === undefined && (source === 'volume' || source === 'snapshot'))
          ? 'volume'
          : 'local',
      uuid: typeof item.uuid === 'string' ? item.uuid : typeof item.volume_id === 'string' ? item.volume_id : null,
      sizeGiB:
        item.volume_size === undefined || item.volume_size === null || item.volume_size === ''
          ? null
          : Number(item.volume_size),
      bootIndex:
        item.boot_index === undefined || item.boot_index === null || Number(item.boot_index) < 0
          ? null
          : Number(item.boot_index),
      deleteOnTermination:
        item.delete_on_termination === true || String(item.delete_on_termination).toLowerCase() === 'true',
      volumeType: typeof item.volume_type === 'string' ? item.volume_type : null,
      device: typeof item.device_name === 'string' && item.device_name !== '' ? item.device_name : null,
      tag: typeof item.tag === 'string' ? item.tag : null,
    };
    checkDisk(cloud, disk, auth);
    return disk;
  });
  const boots = disks.filter((d) => d.bootIndex === 0);
  const image = given.imageRef !== undefined && given.imageRef !== null && given.imageRef !== '';
  if (boots.length > 1 || (!image && disks.length > 0 && boots.length === 0)) {
    throw new ApiError(
      400,
      'Block Device Mapping is Invalid: Boot sequence for the instance and image/block device mapping combination is not valid.',
    );
  }
  return { disks, bootsFromVolume: boots[0]?.destination === 'volume' };
}

function checkDisk(cloud: Cloud, disk: RequestedDisk, auth: Auth): void {
  const invalid = (why: string) => new ApiError(400, `Block Device Mapping is Invalid: ${why}`);
  if (disk.source === 'volume') {
    const volume = cloud.volume.volumes.get(disk.uuid ?? '');
    if (!volume || volume.projectId !== auth.projectId) throw invalid(`failed to get volume ${disk.uuid}.`);
    if (volume.status !== 'available')
      throw new ApiError(
        400,
        `Invalid volume: volume ${volume.id} status must be 'available' or 'in-use'. Currently in '${volume.status}'`,
      );
  } else if (disk.source === 'snapshot') {
    if (!cloud.volume.snapshots.get(disk.uuid ?? '')) throw invalid(`failed to get snapshot ${disk.uuid}.`);
  } else if (disk.source === 'image') {
    const image = cloud.image.images.get(disk.uuid ?? '');
    if (!image || !cloud.image.mayRead(image, auth)) throw invalid(`failed to get image ${disk.uuid}.`);
    if (disk.destination === 'volume' && disk.sizeGiB === null)
      throw new ApiError(
        400,
        "Block Device Mapping is Invalid: Images with destination_type 'volume' need to have a non-zero size specified",
      );
    if (disk.destination === 'volume' && disk.sizeGiB! < image.minDisk)
      throw new ApiError(
        400,
        `Volume is smaller than the minimum size specified in image metadata. Volume size is ${disk.sizeGiB! * 1024 ** 3} bytes, minimum size is ${image.minDisk * 1024 ** 3} bytes.`,
      );
  } else if (disk.destination === 'volume' && disk.sizeGiB === null) {
    throw new ApiError(
      400,
      "Block Device Mapping is Invalid: Blank volumes (source: 'blank', dest: 'volume') need to have non-zero size",
    );
  }
}
