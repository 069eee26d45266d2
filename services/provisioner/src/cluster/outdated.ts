import type { Machine } from '@shoto/api';

/** What a machine would be made from if it were made now. */
export interface Wanted {
  release: string;
  /** ID of the image; undefined where it is not known. */
  image?: string | undefined;
  /** ID of the flavor; undefined where it is not known. */
  flavor?: string | undefined;
  /** Name of the flavor, as the spec has it. */
  flavorName: string;
  rootVolume?: Machine['spec']['rootVolume'];
  /** Zones that the pool itself names; undefined where it leaves them to the region. */
  zones?: readonly string[] | undefined;
}

/**
 * Why a machine is outdated, in words; empty where it is not. A fixed list: release, image, flavor, root volume, and the zone where its pool names
 * zones. Each only when both sides have it: what an older version of Shoto did not write, and what only a default adds, replaces nothing.
 */
export function outdated({ spec }: Pick<Machine, 'spec'>, wanted: Wanted): string[] {
  const why: string[] = [];
  if (spec.release !== wanted.release) why.push(`release ${spec.release} -> ${wanted.release}`);
  // Another release has another image: that is no reason of its own.
  else if (wanted.image !== undefined && spec.image !== wanted.image)
    why.push(`image ${spec.image} -> ${wanted.image}`);
  if (wanted.flavor !== undefined && spec.flavor !== wanted.flavor)
    why.push(`flavor ${spec.flavor} -> ${wanted.flavorName}`);
  const [had, has] = [spec.rootVolume, wanted.rootVolume];
  if (had && has) {
    if (had.sizeGiB !== has.sizeGiB) why.push(`root volume ${had.sizeGiB} GiB -> ${has.sizeGiB} GiB`);
    if (had.type !== undefined && has.type !== undefined && had.type !== has.type)
      why.push(`root volume type ${had.type} -> ${has.type}`);
  }
  if (spec.zone !== undefined && wanted.zones?.length && !wanted.zones.includes(spec.zone))
    why.push(`zone ${spec.zone} -> ${[...wanted.zones].sort().join(', ')}`);
  return why;
}
