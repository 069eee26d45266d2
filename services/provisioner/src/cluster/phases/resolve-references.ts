import type { KubernetesRelease, Region } from '@shoto/api';
import { ReconcileError, TerminalError } from '@shoto/reconciler';
import type { Deps } from '../../deps.ts';
import type { RegionRuntime } from '../../region/runtime.ts';
import { type Ids, idsOf } from '../ids.ts';
import { CONTROL_PLANE, type Pool } from '../pools.ts';
import { type Step, workerRelease } from '../release-step.ts';

/** What names are looked up with. */
export interface Lookup {
  release: Deps['release'];
  releaseNames: Deps['releaseNames'];
  region: Pick<RegionRuntime, 'region' | 'references'>;
}

/**
 * Finds everything that the spec names and machines may be made from now: the images of the step's releases, flavors, zones. What does not exist is
 * an answer like any other, so that one pool's mistake holds up no other.
 *
 * @param extra - more releases to look up
 * @throws {RetryableError} when the cloud does not answer
 */
export async function findReferences(
  d: Lookup,
  pools: readonly Pool[],
  step: Step,
  extra: readonly string[] = [],
): Promise<Ids> {
  const { region, references } = d.region;
  const images = new Map<string, string | TerminalError>();
  const flavors = new Map<string, string | TerminalError>();
  const wanted = new Map<string, string>();
  for (const [pool, release] of pools.flatMap((p) => releasesOf(p, step).map((r) => [p, r] as const)))
    if (!wanted.has(release)) wanted.set(release, pool.pinned ? `${pool.path}.release` : 'spec.release');
  for (const release of extra) if (!wanted.has(release)) wanted.set(release, 'spec.release');
  await Promise.all([
    ...[...wanted].map(async ([name, field]) => {
      const of = async () =>
        await references.image(`KubernetesRelease ${name}, spec.images`, imageOf(d, field, name, region.metadata.name));
      images.set(name, await orMistake(of()));
    }),
    ...pools.map(async (pool) => {
      const of = async () => {
        offered(region, pool);
        const [flavor] = await Promise.all([
          references.flavor(`${pool.path}.flavor`, pool.flavor),
          references.zones(`${pool.path}.zones`, pool.zones),
        ]);
        return flavor;
      };
      flavors.set(pool.name, await orMistake(of()));
    }),
  ]);
  return { images, flavors };
}

/**
 * A cluster that does not run yet is made from all that it names, or not at all.
 *
 * @throws {TerminalError} that names field, value and mend when there is no such thing
 */
export function insist(ids: Ids, pools: readonly Pool[], step: Step): void {
  for (const pool of pools) {
    const found = idsOf(ids, pool.name, releasesOf(pool, step)[0] as string);
    if (found instanceof TerminalError) throw found;
  }
}

/** @throws {TerminalError} `UnsupportedEndpoint` where several control-plane machines would need more than the region's endpoints have */
export function checkEndpoint({ region }: RegionRuntime, count: number): void {
  if (region.spec.apiEndpoint.type === 'MachineAddress' && count > 1)
    throw new TerminalError(
      'UnsupportedEndpoint',
      `spec.controlPlane.count: ${count} control-plane machines need an address that is not one machine's, and region ${region.metadata.name} has none (apiEndpoint MachineAddress): ask for 1, or choose another region`,
    );
}

/** Releases that machines of a pool may be made with at this step. */
const releasesOf = (pool: Pool, step: Step): string[] =>
  pool.name === CONTROL_PLANE
    ? [step.aim, ...(step.current === undefined || step.current === step.aim ? [] : [step.current])]
    : [workerRelease(pool, step)];

async function orMistake(found: Promise<string>): Promise<string | TerminalError> {
  try {
    return await found;
  } catch (e) {
    if (e instanceof ReconcileError && e.kind === 'terminal') return e as TerminalError;
    throw e;
  }
}

function offered(region: Region, pool: Pool): void {
  const { flavors } = region.spec;
  if (flavors.length > 0 && !flavors.includes(pool.flavor))
    throw new TerminalError(
      'FlavorNotOffered',
      `${pool.path}.flavor: "${pool.flavor}" is not offered in region ${region.metadata.name}: choose one of ${[...flavors].sort().join(', ')}`,
    );
}

function imageOf(d: Pick<Lookup, 'release' | 'releaseNames'>, field: string, name: string, regionName: string): string {
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
