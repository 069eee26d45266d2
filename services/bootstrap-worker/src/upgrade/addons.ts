import { createHash } from 'node:crypto';
import { type Cluster, compareReleases, type KubernetesRelease, keepOf, type Machine } from '@shoto/api';
import {
  DAEMONSETS,
  DEPLOYMENTS,
  type HasMeta,
  type JsonPatchOp,
  KubeError,
  keyOf,
  type ResourceType,
} from '@shoto/kube';
import type { Outcome } from '@shoto/reconciler';
import type { Clock, Logger } from '@shoto/service';
import { controlPlaneOf, type SayCluster } from '../cluster-status.ts';
import { CLUSTER_CONDITIONS } from '../conditions.ts';
import { merge, OverrideError, parseOverride } from '../kubeadm/merge.ts';
import type { WorkloadAccess } from '../workload/access.ts';
import { type Kube, uidOf, type World } from '../world.ts';
import { ConfigError, changeDocument } from './kubeadm-config.ts';

/** What brings kubeadm's own addons to another release. */
export interface AddonsDeps {
  world: World;
  access: WorkloadAccess;
  clock: Clock;
  log: Logger;
}

/** Why the addons stay behind. */
interface Behind {
  reason: string;
  message: string;
}
class BehindError extends Error {
  readonly why: Behind;
  constructor(why: Behind) {
    super(why.message);
    this.why = why;
  }
}

interface Workload extends HasMeta {
  spec?: {
    template?: {
      metadata?: { annotations?: Record<string, string> };
      spec?: { containers?: { name: string; image?: string }[] };
    };
  };
}

/** On the pods of kube-proxy: which configuration they were started with. They do not notice another. */
const CONFIG_ANNOTATION = 'shoto.dev/config';
const AGAIN_MS = 60_000;

const isUsable = (m: Machine): boolean => m.status?.bootstrap.joinedAt !== undefined && m.status.health.ready === true;

/**
 * The release that a whole cluster runs: all its control-plane machines and the workers of every pool that has no older release of its
 * own. Machines that are kept for study count for nothing.
 *
 * @param now - milliseconds since the epoch
 * @returns undefined while machines of different releases are there, or some are not usable yet
 */
export function releaseOfAll(cluster: Cluster, machines: readonly Machine[], now: number): string | undefined {
  const here = machines.filter((m) => keepOf(m, now).state !== 'kept');
  const controlPlane = here.filter((m) => m.spec.role === 'control-plane');
  const release = controlPlane.find((m) => !m.metadata.deletionTimestamp)?.spec.release;
  if (release === undefined) return undefined;
  const follows = new Set(
    cluster.spec.nodePools
      .filter((p) => p.release === undefined || compareReleases(p.release, release) >= 0)
      .map((p) => p.name),
  );
  const workers = here.filter((m) => m.spec.role === 'worker' && follows.has(m.spec.pool));
  const isThere = (m: Machine): boolean =>
    m.spec.release === release && (m.metadata.deletionTimestamp !== undefined || isUsable(m));
  return [...controlPlane, ...workers].every(isThere) ? release : undefined;
}

/**
 * Lets kube-proxy and CoreDNS follow, once every machine runs a release: kubeadm leaves them where `kubeadm init` put them. Only their
 * images change, and kube-proxy's configuration where the release overrides it.
 */
export async function followAddons(
  d: AddonsDeps,
  cluster: Cluster,
  say: SayCluster,
  signal: AbortSignal,
): Promise<Outcome> {
  const { addonsRelease, configRelease } = controlPlaneOf(cluster);
  const machines = d.world.machines.byIndex('cluster', uidOf(cluster));
  const release = releaseOfAll(cluster, machines, d.clock.now());
  if (release === undefined || release === addonsRelease) return undefined;
  if (addonsRelease === undefined && configRelease === undefined) {
    // From before these were written, and never upgraded: they are what the cluster was made with.
    await say([], { addonsRelease: release, configRelease: release });
    return undefined;
  }
  const type = CLUSTER_CONDITIONS.addonsFollow;
  const behind = await move(d, cluster, release, signal);
  if (behind) {
    const message = `kube-proxy and CoreDNS stay behind: ${behind.message}`;
    await say([{ type, status: 'False', reason: behind.reason, message }]);
    return { requeueAfterMs: AGAIN_MS };
  }
  const message = `kube-proxy and CoreDNS run at ${release}`;
  await say([{ type, status: 'True', reason: 'Followed', message }], { addonsRelease: release });
  d.log.info({ cluster: keyOf(cluster), release }, 'kube-proxy and CoreDNS follow');
  return undefined;
}

/** Moves them. @returns why that cannot be; undefined where it is done */
async function move(d: AddonsDeps, cluster: Cluster, name: string, signal: AbortSignal): Promise<Behind | undefined> {
  const release = d.world.releases.get(name);
  const image = controlPlaneOf(cluster).images?.find((i) => i.release === name);
  if (!release) return { reason: 'ReleaseInvalid', message: `there is no KubernetesRelease ${name} any more` };
  if (!image)
    return {
      reason: 'ImageUnknown',
      message: `no machine has said which images of kube-proxy and CoreDNS belong to ${name}; a control-plane machine says it when it has joined`,
    };
  try {
    await moveAddons(await d.access.client(cluster), release, image, signal);
    return undefined;
  } catch (e) {
    if (e instanceof BehindError) return e.why;
    if (e instanceof ConfigError) return { reason: 'AddonMissing', message: e.message };
    if (e instanceof OverrideError) return { reason: 'ReleaseInvalid', message: e.message };
    throw e;
  }
}

async function moveAddons(
  workload: Kube,
  release: KubernetesRelease,
  image: { kubeProxy: string; coreDNS: string },
  signal: AbortSignal,
): Promise<void> {
  const { overrides } = release.spec;
  const skipped = parseOverride('initConfiguration', overrides.initConfiguration).skipPhases;
  const isSkipped = (addon: string): boolean =>
    Array.isArray(skipped) && (skipped.includes('addon') || skipped.includes(`addon/${addon}`));
  if (!isSkipped('kube-proxy')) {
    const over = parseOverride('kubeProxyConfiguration', overrides.kubeProxyConfiguration);
    let config: string | undefined;
    if (Object.keys(over).length > 0) {
      const at = { name: 'kube-proxy', key: 'config.conf' };
      const text = await changeDocument(workload, at, (before) => merge(before, over), signal);
      config = createHash('sha256').update(text).digest('hex').slice(0, 16);
    }
    await setImage(
      workload,
      DAEMONSETS,
      { name: 'kube-proxy', container: 'kube-proxy', image: image.kubeProxy, config },
      signal,
    );
  }
  if (!isSkipped('coredns'))
    await setImage(workload, DEPLOYMENTS, { name: 'coredns', container: 'coredns', image: image.coreDNS }, signal);
}

/** Sets the image of one container, and nothing else of it. Nothing is written where it is set. */
async function setImage(
  workload: Kube,
  type: ResourceType,
  o: { name: string; container: string; image: string; config?: string | undefined },
  signal: AbortSignal,
): Promise<void> {
  const ref = { namespace: 'kube-system', name: o.name };
  const found = await workload.get<Workload>(type, ref, { signal });
  const template = found?.spec?.template;
  const at = template?.spec?.containers?.findIndex((c) => c.name === o.container) ?? -1;
  if (at < 0)
    throw new BehindError({
      reason: 'AddonMissing',
      message: `${type.kind} kube-system/${o.name} ${found ? `has no container ${o.container}` : 'is missing'}; where something else does its work, say so in the release (overrides.initConfiguration: skipPhases: [addon/${o.name}])`,
    });
  const container = `/spec/template/spec/containers/${at}`;
  const ops: JsonPatchOp[] = [];
  if (template?.spec?.containers?.[at]?.image !== o.image)
    ops.push({ op: 'replace', path: `${container}/image`, value: o.image });
  const { annotations } = template?.metadata ?? {};
  if (o.config !== undefined && annotations?.[CONFIG_ANNOTATION] !== o.config) {
    const path = '/spec/template/metadata/annotations';
    if (!annotations) ops.push({ op: 'add', path, value: {} });
    ops.push({ op: 'add', path: `${path}/${CONFIG_ANNOTATION.replace('/', '~1')}`, value: o.config });
  }
  if (ops.length === 0) return;
  try {
    await workload.jsonPatch(type, ref, [{ op: 'test', path: `${container}/name`, value: o.container }, ...ops], {
      signal,
    });
  } catch (e) {
    if (e instanceof KubeError && e.isNotFound)
      throw new BehindError({
        reason: 'AddonMissing',
        message: `${type.kind} kube-system/${o.name} went a moment ago`,
      });
    throw e;
  }
}
