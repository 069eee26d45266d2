/** Name of a KubernetesRelease: a Kubernetes version, and a revision where its image was made anew. */
export const RELEASE_NAME = /^v1\.[0-9]{1,3}\.[0-9]{1,3}(-[0-9]{1,3})?$/;

/** A release's name as numbers, for comparing. */
export interface ReleaseNumbers {
  minor: number;
  patch: number;
  revision: number;
}

/**
 * Reads `v1.35.4` or `v1.35.4-2`.
 *
 * @returns undefined where it is no release's name
 */
export function parseRelease(name: string): ReleaseNumbers | undefined {
  const m = /^v1\.(\d{1,3})\.(\d{1,3})(?:-(\d{1,3}))?$/.exec(name);
  return m ? { minor: Number(m[1]), patch: Number(m[2]), revision: Number(m[3] ?? 0) } : undefined;
}

/** Negative where `a` is older than `b`, 0 where they are equal, else positive. Unreadable names count as equal. */
export function compareReleases(a: string, b: string): number {
  const x = parseRelease(a);
  const y = parseRelease(b);
  if (!x || !y) return 0;
  return x.minor - y.minor || x.patch - y.patch || x.revision - y.revision;
}
