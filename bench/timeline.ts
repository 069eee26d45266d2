import { ClusterKind, MachineKind, resourceOf } from '@shoto/api';
import { type HasMeta, type KubeClient, Reflector } from '@shoto/kube';

/**
 * Says every change of Clusters and Machines when it comes, and what changed: where the time of one cluster goes.
 *
 * @returns ends it
 */
export function watchTimeline(kube: KubeClient, say: (text: string) => void): () => Promise<void> {
  const reflectors = [ClusterKind, MachineKind].map(
    (kind) =>
      new Reflector<HasMeta & { status?: object }>({
        client: kube,
        type: resourceOf(kind),
        onChange: (key, now, before) =>
          say(
            `${key} ${!now ? 'gone' : !before ? 'born' : changes(before.status, now.status).join(', ') || 'metadata'}`,
          ),
      }),
  );
  for (const r of reflectors) r.start();
  return async () => {
    await Promise.all(reflectors.map((r) => r.stop()));
  };
}

/** `controlPlane.initialized=true` for every leaf that is not as it was; times and revisions left out. */
function changes(before: unknown, now: unknown, path = ''): string[] {
  if (JSON.stringify(before) === JSON.stringify(now)) return [];
  if (!now || typeof now !== 'object') return /revision|At$|Time$|id$|Id$/.test(path) ? [] : [`${path}=${String(now)}`];
  const named = (o: unknown): Record<string, unknown> =>
    Array.isArray(o)
      ? Object.fromEntries(o.map((x, i) => [(x as { type?: string; name?: string })?.type ?? x?.name ?? i, x]))
      : ((o ?? {}) as Record<string, unknown>);
  const old = named(before);
  return Object.entries(named(now)).flatMap(([key, value]) => changes(old[key], value, path ? `${path}.${key}` : key));
}
