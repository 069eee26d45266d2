import { type KubeClient, KubeError, type KubeObject, PODS } from '@shoto/kube';

/** What of a pod is read here. */
export interface Pod extends KubeObject {
  spec?: { nodeName?: string };
  status?: {
    phase?: string;
    reason?: string;
    message?: string;
    conditions?: { type: string; status: string; reason?: string; message?: string }[];
    initContainerStatuses?: ContainerStatus[];
    containerStatuses?: ContainerStatus[];
  };
}
interface Ended {
  exitCode?: number;
  reason?: string;
}
interface ContainerStatus {
  name: string;
  ready?: boolean;
  state?: { waiting?: { reason?: string; message?: string }; terminated?: Ended };
  lastState?: { terminated?: Ended };
}

/** Why a pod does not run. */
interface Why {
  reason: string;
  /** As the API says it. */
  message?: string | undefined;
  /** How its program ended. */
  end?: string | undefined;
  /** It may be on its way still, so that others say more. */
  passing: boolean;
}

/** So many pods of a workload are looked at. */
const PODS_AT_MOST = 500;
/** So much of what the API says of a pod is passed on. */
const WORDS = 300;
/** What a container waits for that starts. */
const STARTING: ReadonlySet<string> = new Set(['ContainerCreating', 'PodInitializing']);
/** Their messages name images, nodes and objects; those of others may repeat commands and values. */
const HARMLESS: ReadonlySet<string> = new Set([
  'CrashLoopBackOff',
  'CreateContainerConfigError',
  'ErrImageNeverPull',
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'Unschedulable',
]);

/**
 * The first pod of a workload that does not run, and why, as the API says it: `pod log-x7k2p on node web-1: ImagePullBackOff of container log: ...`.
 * Costs one LIST.
 *
 * @param workload - an object with `spec.selector`, as DaemonSets, Deployments, StatefulSets and Jobs have
 * @param confidential - the bundle was rendered with secrets: messages that may repeat them are left out
 * @returns undefined where all run, where there are none, where the object has no selector, or where the cluster does not tell
 */
export async function ailingPod(
  c: { client: KubeClient; signal: AbortSignal | undefined; confidential: boolean },
  workload: KubeObject | undefined,
): Promise<string | undefined> {
  const labelSelector = selectorOf(workload);
  const namespace = workload?.metadata.namespace;
  if (!labelSelector || !namespace) return undefined;
  const o = c.signal ? { signal: c.signal } : {};
  try {
    const { items } = await c.client.list<Pod>(PODS, { namespace, labelSelector, limit: PODS_AT_MOST }, o);
    return ailmentOfPods(items, c.confidential);
  } catch (e) {
    if (!(e instanceof KubeError) || c.signal?.aborted) throw e;
    return undefined;
  }
}

/** As `labelSelector` of a list; undefined where an object selects no pods. */
function selectorOf(workload: KubeObject | undefined): string | undefined {
  const { selector } = (workload as { spec?: { selector?: unknown } } | undefined)?.spec ?? {};
  if (selector === null || typeof selector !== 'object') return undefined;
  const { matchLabels = {}, matchExpressions = [] } = selector as {
    matchLabels?: Record<string, string>;
    matchExpressions?: { key: string; operator: string; values?: string[] }[];
  };
  const terms = matchExpressions.map(({ key, operator, values = [] }) => {
    if (operator === 'Exists') return key;
    if (operator === 'DoesNotExist') return `!${key}`;
    return `${key} ${operator === 'In' ? 'in' : 'notin'} (${values.join(',')})`;
  });
  return [...Object.entries(matchLabels).map(([k, v]) => `${k}=${v}`), ...terms].join(',') || undefined;
}

/** {@link ailingPod} among these. Pure. */
export function ailmentOfPods(pods: readonly Pod[], confidential: boolean): string | undefined {
  const ailing = pods
    .filter((pod) => !pod.metadata.deletionTimestamp)
    .flatMap((pod) => whyNot(pod) ?? [])
    .sort((a, b) => Number(a.passing) - Number(b.passing) || (a.name < b.name ? -1 : 1));
  const [first] = ailing;
  if (!first) return undefined;
  const { name, node, reason, of, message, end } = first;
  const isTold = !confidential || HARMLESS.has(reason);
  const details = [isTold ? message : undefined, end].filter(Boolean).join('; ');
  const words = `${reason}${of ? ` of container ${of}` : ''}${details ? `: ${details}` : ''}`;
  return `pod ${name}${node ? ` on node ${node}` : ''}: ${words.length > WORDS ? `${words.slice(0, WORDS - 1)}…` : words}`;
}

type Ailing = Why & { name: string; node: string | undefined; of?: string };

function whyNot(pod: Pod): Ailing | undefined {
  const { status } = pod;
  const at = { name: pod.metadata.name, node: pod.spec?.nodeName };
  const condition = (type: string) => status?.conditions?.find((c) => c.type === type);
  if (status?.phase === 'Succeeded' || condition('Ready')?.status === 'True') return undefined;
  const scheduled = condition('PodScheduled');
  if (scheduled?.status === 'False')
    return { ...at, reason: scheduled.reason ?? 'Unschedulable', message: scheduled.message, passing: false };
  const containers = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  const found = containers.flatMap((c): Ailing[] => {
    const why = whyContainer(c);
    return why ? [{ ...at, ...why, of: c.name }] : [];
  });
  const told = found.find((f) => !f.passing);
  if (told) return told;
  if (status?.phase === 'Failed')
    return { ...at, reason: status.reason ?? 'Failed', message: status.message, passing: false };
  if (found[0]) return found[0];
  const ready = condition('Ready');
  const isRunning = status?.phase === 'Running';
  return isRunning
    ? { ...at, reason: ready?.reason ?? 'NotReady', message: ready?.message, passing: false }
    : { ...at, reason: status?.phase ?? 'Pending', passing: true };
}

function whyContainer({ state, lastState }: ContainerStatus): Why | undefined {
  const { waiting, terminated } = state ?? {};
  if (waiting) {
    const { reason = 'Waiting', message } = waiting;
    return { reason, message, end: inWords(lastState?.terminated), passing: STARTING.has(reason) };
  }
  if (terminated && terminated.exitCode !== 0)
    return { reason: terminated.reason ?? 'Error', end: inWords(terminated), passing: false };
  return undefined;
}

const inWords = (e: Ended | undefined): string | undefined =>
  e && `it ended with exit code ${e.exitCode}${e.reason ? ` (${e.reason})` : ''}`;
