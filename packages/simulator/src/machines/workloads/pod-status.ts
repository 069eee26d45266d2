import type { KubeObject } from '../../kubernetes/index.ts';
import { rfc3339 } from '../../kubernetes/types.ts';
import { at, list, record, text } from '../../kubernetes/util/json.ts';

type Status = Record<string, unknown>;

const condition = (type: string, status: 'True' | 'False', now: string, reason?: string): Status => ({
  type,
  status,
  lastProbeTime: null,
  lastTransitionTime: now,
  ...(reason ? { reason } : {}),
});

const scheduled = (pod: KubeObject, now: string): unknown =>
  list(at(pod, 'status', 'conditions')).find((c) => record(c).type === 'PodScheduled' && record(c).status === 'True') ??
  condition('PodScheduled', 'True', now);

const imageOf = (c: unknown): { image: string; imageID: string; containerID: string } => {
  const image = text(record(c).image);
  const digest = Buffer.from(image).toString('hex').padEnd(64, '0').slice(0, 64);
  return { image, imageID: `${image.replace(/[:@][^/]*$/, '')}@sha256:${digest}`, containerID: '' };
};

/** Status of a pod whose containers cannot be made yet. */
export function waitingStatus(pod: KubeObject, hostIP: string, nowMs: number): Status {
  const now = rfc3339(nowMs);
  return {
    phase: 'Pending',
    startTime: now,
    hostIP,
    hostIPs: [{ ip: hostIP }],
    conditions: [
      condition('PodReadyToStartContainers', 'False', now),
      condition('Initialized', 'True', now),
      condition('Ready', 'False', now, 'ContainersNotReady'),
      condition('ContainersReady', 'False', now, 'ContainersNotReady'),
      scheduled(pod, now),
    ],
    containerStatuses: list(at(pod, 'spec', 'containers')).map((c) => ({
      name: record(c).name,
      ...imageOf(c),
      imageID: '',
      ready: false,
      started: false,
      restartCount: 0,
      lastState: {},
      state: { waiting: { reason: 'ContainerCreating' } },
    })),
  };
}

/** Status of a pod that runs and is Ready. */
export function runningStatus(pod: KubeObject, o: { host: string; pod: string; now: number }): Status {
  const now = rfc3339(o.now);
  const container = (c: unknown, state: Status, ready: boolean): Status => ({
    name: record(c).name,
    ...imageOf(c),
    containerID: `containerd://${Buffer.from(`${pod.metadata.uid}${text(record(c).name)}`)
      .toString('hex')
      .slice(0, 64)}`,
    ready,
    started: ready,
    restartCount: 0,
    lastState: {},
    state,
  });
  const init = list(at(pod, 'spec', 'initContainers'));
  return {
    phase: 'Running',
    startTime: at(pod, 'status', 'startTime') ?? now,
    hostIP: o.host,
    hostIPs: [{ ip: o.host }],
    ...(o.pod ? { podIP: o.pod, podIPs: [{ ip: o.pod }] } : {}),
    conditions: [
      ...['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady'].map((t) => condition(t, 'True', now)),
      scheduled(pod, now),
    ],
    ...(init.length > 0
      ? {
          initContainerStatuses: init.map((c) =>
            container(c, { terminated: { exitCode: 0, reason: 'Completed', startedAt: now, finishedAt: now } }, true),
          ),
        }
      : {}),
    containerStatuses: list(at(pod, 'spec', 'containers')).map((c) =>
      container(c, { running: { startedAt: now } }, true),
    ),
  };
}

/** Status of a pod that runs no more: its containers end with 1 and wait for their next start. */
export function crashingStatus(pod: KubeObject, nowMs: number): Status {
  const now = rfc3339(nowMs);
  const conditions = list(at(pod, 'status', 'conditions')).map((c) =>
    ['Ready', 'ContainersReady'].includes(text(record(c).type))
      ? condition(text(record(c).type), 'False', now, 'ContainersNotReady')
      : record(c),
  );
  const containerStatuses = list(at(pod, 'status', 'containerStatuses')).map((c) => {
    const restarts = record(c).restartCount;
    return {
      ...record(c),
      ready: false,
      started: false,
      restartCount: (typeof restarts === 'number' ? restarts : 0) + 1,
      state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 5m0s restarting failed container' } },
      lastState: { terminated: { exitCode: 1, reason: 'Error', startedAt: now, finishedAt: now } },
    };
  });
  return { conditions, containerStatuses };
}
