import type { KubernetesRelease } from '@shoto/api';
import { TerminalError } from '@shoto/reconciler';
import type { Deps } from '../../deps.ts';
import type { ClusterPass } from '../pass.ts';
import { CONTROL_PLANE, type Pool } from '../plan-machines.ts';

/** IDs that the machines of a pool are made from. */
export interface PoolIds {
  image: string;
  flavor: string;
}

/**
 * Finds everything that the spec names: releases, images, flavors, zones.
 *
 * @returns ids by pool
 * @throws {TerminalError} that names field, value and mend when there is no such thing
 */
export async function resolveReferences(pass: ClusterPass, pools: readonly Pool[]): Promise<Map<string, PoolIds>> {
  const { d, region, cluster } = pass;
  const { apiEndpoint } = region.region.spec;
  const { count } = cluster.spec.controlPlane;
  if (apiEndpoint.type === 'MachineAddress' && count > 1)
    throw new TerminalError(
      'UnsupportedEndpoint',
      `spec.controlPlane.count: ${count} control-plane machines need an address that is not one machine's, and region ${cluster.spec.region} has none (apiEndpoint MachineAddress): ask for 1, or choose another region`,
    );
  const ids = new Map<string, PoolIds>();
  await Promise.all(
    pools.map(async (pool) => {
      const releaseField =
        pool.name !== CONTROL_PLANE && pool.release !== cluster.spec.release ? `${pool.path}.release` : 'spec.release';
      const image = imageOf(d, releaseField, pool.release, cluster.spec.region);
      const offered = region.region.spec.flavors;
      if (offered.length > 0 && !offered.includes(pool.flavor))
        throw new TerminalError(
          'FlavorNotOffered',
          `${pool.path}.flavor: "${pool.flavor}" is not offered in region ${cluster.spec.region}: choose one of ${[...offered].sort().join(', ')}`,
        );
      const [imageId, flavorId] = await Promise.all([
        region.references.image(`KubernetesRelease ${pool.release}, spec.images`, image),
        region.references.flavor(`${pool.path}.flavor`, pool.flavor),
        region.references.zones(`${pool.path}.zones`, pool.zones),
      ]);
      ids.set(pool.name, { image: imageId, flavor: flavorId });
    }),
  );
  return ids;
}

function imageOf(d: Deps, field: string, name: string, regionName: string): string {
  const release: KubernetesRelease | undefined = d.release(name);
  if (!release) {
    const names = d.releaseNames().sort();
    throw new TerminalError(
      'ReleaseNotFound',
      `${field}: there is no KubernetesRelease "${name}": ${names.length ? `choose one of ${names.join(', ')}` : 'none has been published yet'}`,
    );
  }
  const image = release.spec.images.find((i) => i.region === regionName)?.image;
  if (image === undefined)
    throw new TerminalError(
      'ReleaseNotOffered',
      `${field}: release "${name}" is not offered in region "${regionName}", only in ${release.spec.images
        .map((i) => i.region)
        .sort()
        .join(', ')}: choose another release or region`,
    );
  return image;
}
