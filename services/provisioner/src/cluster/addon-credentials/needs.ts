import type { AddonBundle, Cluster } from '@shoto/api';
import type { Infrastructure } from '../../memory.ts';

/** What is stored of a cluster's credentials for addons. */
export type AddonCredentials = NonNullable<Infrastructure['addonCredentials']>;

const DAY_MS = 86_400_000;
/** After this another one takes its place. */
export const ROTATE_MS = 90 * DAY_MS;
/** It ends by itself after this: one that nobody can revoke any more does not live for ever. */
export const LIFE_MS = 2 * ROTATE_MS;
/** So long the one before stays good: what holds it has a day to take the new one. */
export const OVERLAP_MS = DAY_MS;

/** The addons of a cluster: those that are asked for, and those that are there still. */
const addonsOf = ({ spec, status }: Cluster): { name: string; version?: string | undefined }[] => [
  ...spec.addons,
  ...(status?.addons?.items ?? []).map(({ name }) => ({ name })),
];

/**
 * Whether a cluster has an addon that works in its cloud: one of its bundles names `openstack` under `credentials`. `unknown` where an addon has no
 * bundle, so that nobody can tell: then none are made, and those that there are stay. Pure.
 */
export function needsCredentials(cluster: Cluster, bundles: readonly AddonBundle[]): 'yes' | 'no' | 'unknown' {
  let answer: 'no' | 'unknown' = 'no';
  for (const { name, version } of addonsOf(cluster)) {
    const own = bundles.filter(
      ({ spec }) => spec.addon === name && (version === undefined || spec.version === version),
    );
    if (own.some(({ spec }) => spec.credentials?.includes('openstack'))) return 'yes';
    if (own.length === 0) answer = 'unknown';
  }
  return answer;
}

/** Whether another credential is to be made because of the time. */
export const isRotationDue = (have: AddonCredentials | undefined, now: number): boolean =>
  have?.current !== undefined && now >= Date.parse(have.current.createdAt) + ROTATE_MS;

/** Milliseconds until the time alone asks for something; undefined: never. */
export function nextDue(have: AddonCredentials | undefined, now: number): number | undefined {
  const times = (have?.retiring ?? []).map((r) => Date.parse(r.revokeAt));
  if (have?.current) times.push(Date.parse(have.current.createdAt) + ROTATE_MS);
  return times.length === 0 ? undefined : Math.max(0, Math.min(...times) - now);
}

/** What is further away is found by the resync, which looks at everything every ten minutes. */
const SOON_MS = 600_000;

/**
 * Milliseconds until a pass because of the time alone; undefined: none is to be ordered. What is due already was tried in this pass: where it could not
 * be done, that says by itself when it is tried again.
 */
export function dueSoon(have: AddonCredentials | undefined, now: number): number | undefined {
  const ms = nextDue(have, now);
  return ms !== undefined && ms > 0 && ms <= SOON_MS ? ms : undefined;
}

/**
 * Whether a cluster's credentials need a pass.
 *
 * @param have - as stored
 * @param now - milliseconds since the epoch
 */
export function credentialsWant(
  cluster: Cluster,
  have: AddonCredentials | undefined,
  bundles: readonly AddonBundle[],
  now: number,
): boolean {
  if (nextDue(have, now) === 0) return true;
  return have?.current ? needsCredentials(cluster, bundles) === 'no' : needsCredentials(cluster, bundles) === 'yes';
}
