import type { KubernetesRelease } from './kinds/kubernetes-release.ts';
import { compareReleases, parseRelease } from './release-name.ts';

/** Whether clusters of a region may ask for a release at this time. @param now - milliseconds since the epoch */
export function isOffered(r: KubernetesRelease, region: string, now: number): boolean {
  const { from, until, withdrawn } = r.spec.support;
  return (
    !withdrawn &&
    (!from || Date.parse(from) <= now) &&
    (!until || now < Date.parse(until)) &&
    r.spec.images.some((i) => i.region === region)
  );
}

/** Whether a cluster may go from one release to another in one step: never down, one minor at most, and as the release itself allows. */
export function mayUpgrade(from: string, to: Pick<KubernetesRelease, 'metadata' | 'spec'>): boolean {
  const target = to.metadata.name;
  const [a, b] = [parseRelease(from), parseRelease(target)];
  if (!a || !b || compareReleases(from, target) >= 0 || b.minor - a.minor > 1) return false;
  const { upgradableFrom } = to.spec;
  return upgradableFrom.length === 0 || upgradableFrom.includes(from);
}

/** The way from one release to another. */
export type ReleasePath =
  /** Releases to go through, the last one included; none where it is there already. */
  { steps: string[] } | { blocked: 'Down' | 'NotOffered' | 'NoWay'; message: string };

/**
 * The shortest way up from one release to another; of equally short ones that by the newest releases. Releases in between must be on offer;
 * so must the target, which the caller checks where it is new.
 *
 * @param releases - all that there are
 * @param now - milliseconds since the epoch
 */
export function releasePath(
  from: string,
  to: string,
  o: { releases: readonly KubernetesRelease[]; region: string; now: number },
): ReleasePath {
  if (from === to) return { steps: [] };
  if (compareReleases(to, from) < 0)
    return { blocked: 'Down', message: `${to} is older than ${from}: Kubernetes has no way back` };
  const target = o.releases.find((r) => r.metadata.name === to);
  if (!target) return { blocked: 'NotOffered', message: `there is no KubernetesRelease ${to}` };
  const between = o.releases
    .filter((r) => r === target || (isOffered(r, o.region, o.now) && compareReleases(r.metadata.name, to) < 0))
    .sort((a, b) => compareReleases(b.metadata.name, a.metadata.name));
  let reached = new Map<string, string[]>([[from, []]]);
  const seen = new Set([from]);
  while (reached.size > 0) {
    const next = new Map<string, string[]>();
    for (const [at, steps] of [...reached].sort(([a], [b]) => compareReleases(b, a)))
      for (const r of between) {
        const { name } = r.metadata;
        if (seen.has(name) || next.has(name) || !mayUpgrade(at, r)) continue;
        if (name === to) return { steps: [...steps, name] };
        next.set(name, [...steps, name]);
      }
    for (const name of next.keys()) seen.add(name);
    reached = next;
  }
  return { blocked: 'NoWay', message: noWay(from, to, o) };
}

function noWay(
  from: string,
  to: string,
  o: { releases: readonly KubernetesRelease[]; region: string; now: number },
): string {
  const [a, b] = [parseRelease(from), parseRelease(to)];
  const offered = o.releases.filter((r) => isOffered(r, o.region, o.now)).map((r) => r.metadata.name);
  for (let minor = (a?.minor ?? 0) + 1; minor < (b?.minor ?? 0); minor++)
    if (!offered.some((name) => parseRelease(name)?.minor === minor))
      return `the way from ${from} to ${to} goes through 1.${minor}, and no release of it is on offer in region ${o.region}: ask for an older one, or have one published`;
  const nearer = offered.filter((name) => {
    const r = o.releases.find((x) => x.metadata.name === name);
    return r !== undefined && mayUpgrade(from, r);
  });
  return `no way leads from ${from} to ${to}: the releases say what they may be reached from (spec.upgradableFrom); from ${from} one may go to ${nearer.sort(compareReleases).join(', ') || 'none'}`;
}
