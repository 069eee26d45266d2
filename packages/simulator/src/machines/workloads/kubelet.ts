import { formatIp, parseCidr } from '../../core/ip.ts';
import type { KubeObject } from '../../kubernetes/index.ts';
import { rfc3339, rfc3339Micro } from '../../kubernetes/types.ts';
import { at, isRecord, list, record, text } from '../../kubernetes/util/json.ts';
import { mirrorPod, STATIC_PODS } from '../kubeadm/addons.ts';
import type { KubeadmImages } from '../kubeadm/images.ts';
import type { Context } from './context.ts';
import type { Controller } from './engine.ts';
import { say } from './events.ts';
import { conditions, type NodeFacts, type NodeState, nodeObject } from './node-object.ts';
import { conditionOf, controllerOf, keyOf, refOf } from './objects.ts';
import { crashingStatus, runningStatus, waitingStatus } from './pod-status.ts';

const CNI_DIRECTORY = '/etc/cni/net.d';

/** Whether a pod brings the node its network: a DaemonSet's that writes a CNI configuration. */
const bringsNetwork = (pod: KubeObject): boolean =>
  controllerOf(pod)?.kind === 'DaemonSet' &&
  list(at(pod, 'spec', 'volumes')).some((v) => text(at(v, 'hostPath', 'path')).replace(/\/$/, '') === CNI_DIRECTORY);

/** The kubelet of one node: registers it, runs the pods that are bound to it, reports. */
export class Kubelet {
  readonly facts: NodeFacts;
  readonly state: NodeState;
  readonly #x: Context;
  /** When what a pod is at will be done, by uid and what. */
  readonly #due = new Map<string, number>();
  readonly #addresses = new Map<string, string>();
  #nextAddress = 2;
  #registered = false;

  /** @param state - kept on the machine's disk: a CNI configuration survives a reboot */
  constructor(x: Context, facts: NodeFacts, state: NodeState) {
    this.#x = x;
    this.facts = facts;
    this.state = state;
  }

  /** Brings the Node (and the mirror pods of a control plane) in order. */
  report(): void {
    const nodes = this.#x.resources.of('Node');
    const ref = { name: this.facts.name };
    const node = nodes.get(ref);
    if (!node) {
      // A kubelet registers when it starts, and not again when its Node is deleted under it.
      if (this.#registered) return;
      nodes.create(nodeObject(this.facts, this.state, this.#x.clock.now()) as KubeObject);
    } else {
      this.#refresh(node);
    }
    this.#registered = true;
    this.#renewLease();
    if (this.facts.controlPlane) this.#mirror(this.facts.controlPlane);
  }

  /** The Lease of the node. It is renewed with each report, and not every ten seconds: an idle cluster shall cost nothing. */
  #renewLease(): void {
    const leases = this.#x.resources.of('Lease');
    const { name } = this.facts;
    const ref = { namespace: 'kube-node-lease', name };
    const renewTime = rfc3339Micro(this.#x.clock.now());
    if (leases.get(ref)) {
      leases.patch(ref, { spec: { renewTime } });
      return;
    }
    const uid = this.#x.resources.of('Node').get({ name })?.metadata.uid ?? '';
    leases.create({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { ...ref, ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name, uid }] },
      spec: { holderIdentity: name, leaseDurationSeconds: 40, renewTime },
    });
  }

  #refresh(node: KubeObject): void {
    const now = rfc3339(this.#x.clock.now());
    const before = list(at(node, 'status', 'conditions')).filter(isRecord);
    const wanted = conditions(this.state).map((c) => {
      const had = before.find((b) => b.type === c.type);
      const same = had?.status === c.status && had.reason === c.reason;
      return same
        ? had
        : { ...c, lastHeartbeatTime: now, lastTransitionTime: had?.status === c.status ? had.lastTransitionTime : now };
    });
    const isReady = wanted.find((c) => c?.type === 'Ready')?.status === 'True';
    const wasReady = conditionOf(node, 'Ready') === 'True';
    const others = before.filter((b) => !wanted.some((w) => w?.type === b.type));
    const version = at(node, 'status', 'nodeInfo', 'kubeletVersion');
    if (
      others.length + wanted.length === before.length &&
      wanted.every((w) => before.includes(w as never)) &&
      version === this.facts.kubeletVersion
    )
      return;
    const fresh = record(nodeObject(this.facts, this.state, this.#x.clock.now()).status);
    if (isReady !== wasReady) {
      const reason = isReady ? 'NodeReady' : 'NodeNotReady';
      const message = `Node ${this.facts.name} status is now: ${reason}`;
      say(this.#x, node, { type: 'Normal', reason, message, component: 'kubelet' });
    }
    this.#x.resources
      .of('Node')
      .patchStatus({ name: this.facts.name }, { ...fresh, conditions: [...others, ...wanted] });
  }

  #mirror(controlPlane: { version: string; images: KubeadmImages }): void {
    const pods = this.#x.resources.of('Pod');
    const node = this.#x.resources.of('Node').get({ name: this.facts.name });
    for (const component of STATIC_PODS) {
      const pod = mirrorPod(component, { ...controlPlane, nodeName: this.facts.name, address: this.facts.address });
      if (pods.get({ namespace: 'kube-system', name: pod.metadata.name })) continue;
      pods.create({
        ...pod,
        metadata: {
          ...pod.metadata,
          ownerReferences: [
            { apiVersion: 'v1', kind: 'Node', name: this.facts.name, uid: node?.metadata.uid ?? '', controller: true },
          ],
        },
      } as KubeObject);
    }
  }

  /** Brings one pod of the node a step further. */
  sync(pod: KubeObject): void {
    const phase = text(at(pod, 'status', 'phase'));
    if (pod.metadata.deletionTimestamp) this.#stop(pod);
    else if (phase === 'Pending') this.#start(pod);
    else if (phase === 'Running') this.#keepRunning(pod);
  }

  /** A CNI whose network does not come up: its container ends, and is started again with longer and longer pauses. */
  #crash(pod: KubeObject): void {
    if (conditionOf(pod, 'Ready') === 'False') return;
    this.#x.resources.of('Pod').patchStatus(refOf(keyOf(pod)), crashingStatus(pod, this.#x.clock.now()));
  }

  #keepRunning(pod: KubeObject): void {
    if (this.state.networkBroken && bringsNetwork(pod)) {
      this.#crash(pod);
      // Its init container has written the CNI's configuration: that is all that Ready looks at.
      if (this.state.networkReady) return;
      this.state.networkReady = true;
      this.report();
      return;
    }
    if (conditionOf(pod, 'Ready') !== 'True')
      this.#x.resources.of('Pod').patchStatus(refOf(keyOf(pod)), this.#running(pod));
    if (at(pod, 'spec', 'restartPolicy') !== 'Always') this.#finish(pod);
    else if (bringsNetwork(pod)) this.#network(pod);
  }

  #start(pod: KubeObject): void {
    const { hostNetwork } = record(pod.spec);
    if (!hostNetwork && (!this.state.networkReady || this.state.networkBroken)) {
      if (at(pod, 'status', 'startTime') === undefined)
        this.#x.resources
          .of('Pod')
          .patchStatus(refOf(keyOf(pod)), waitingStatus(pod, this.facts.address, this.#x.clock.now()));
      return;
    }
    if (!this.#isDone(pod, 'start')) return;
    this.#x.resources.of('Pod').patchStatus(refOf(keyOf(pod)), this.#running(pod));
  }

  #running(pod: KubeObject): Record<string, unknown> {
    const address = at(pod, 'spec', 'hostNetwork') === true ? this.facts.address : this.#address(pod);
    return runningStatus(pod, { host: this.facts.address, pod: address, now: this.#x.clock.now() });
  }

  #finish(pod: KubeObject): void {
    if (!this.#isDone(pod, 'run')) return;
    const now = rfc3339(this.#x.clock.now());
    const over = (c: unknown): unknown => ({
      ...record(c),
      ready: false,
      started: false,
      state: {
        terminated: {
          exitCode: 0,
          reason: 'Completed',
          startedAt: at(c, 'state', 'running', 'startedAt') ?? now,
          finishedAt: now,
        },
      },
    });
    this.#x.resources.of('Pod').patchStatus(refOf(keyOf(pod)), {
      phase: 'Succeeded',
      conditions: list(at(pod, 'status', 'conditions')).map((c) => {
        const { type } = record(c);
        return type === 'Ready' || type === 'ContainersReady'
          ? { ...record(c), status: 'False', reason: 'PodCompleted', lastTransitionTime: now }
          : c;
      }),
      containerStatuses: list(at(pod, 'status', 'containerStatuses')).map(over),
    });
  }

  #stop(pod: KubeObject): void {
    const grace = pod.metadata.deletionGracePeriodSeconds ?? 30;
    const started = at(pod, 'status', 'phase') !== 'Pending';
    if (started && grace > 0 && !this.#isDone(pod, 'stop', grace * 1000)) return;
    const uid = pod.metadata.uid ?? '';
    this.#addresses.delete(uid);
    for (const what of ['start', 'run', 'stop', 'network']) this.#due.delete(`${uid} ${what}`);
    this.#x.resources.of('Pod').delete(refOf(keyOf(pod)), { gracePeriodSeconds: 0, preconditions: { uid } });
  }

  #network(pod: KubeObject): void {
    if (this.state.networkBroken || this.state.networkReported || !this.#isDone(pod, 'network')) return;
    this.state.networkReady = true;
    this.state.networkReported = true;
    this.report();
    for (const p of this.#x.pods.onNode(this.facts.name)) this.#x.engine.wake('kubelet', keyOf(p));
  }

  /** Whether something that takes time has been done; the kubelet looks at the pod again when it will be. */
  #isDone(pod: KubeObject, what: keyof typeof OPERATIONS, atMostMs = Number.POSITIVE_INFINITY): boolean {
    const key = `${pod.metadata.uid} ${what}`;
    const now = this.#x.clock.now();
    let due = this.#due.get(key);
    if (due === undefined) {
      due =
        now +
        Math.min(
          atMostMs,
          this.#x.latency.sample(OPERATIONS[what], () => this.facts.name),
        );
      this.#due.set(key, due);
    }
    if (due > now) {
      this.#x.engine.wakeAfter('kubelet', keyOf(pod), due - now);
      return false;
    }
    this.#due.delete(key);
    return true;
  }

  /** An address of the node's range that no other of its pods has. */
  #address(pod: KubeObject): string {
    const uid = pod.metadata.uid ?? '';
    const known = this.#addresses.get(uid);
    if (known) return known;
    const cidr = parseCidr(text(at(this.#x.resources.of('Node').get({ name: this.facts.name }), 'spec', 'podCIDR')));
    if (!cidr) return '';
    const taken = new Set(this.#addresses.values());
    const size = Number(cidr.last - cidr.first) - 2;
    for (let i = 0; i < size; i++) {
      const address = formatIp(cidr.version, cidr.first + BigInt(2 + ((this.#nextAddress - 2 + i) % size)));
      if (taken.has(address)) continue;
      this.#nextAddress = 2 + ((this.#nextAddress - 1 + i) % size);
      this.#addresses.set(uid, address);
      return address;
    }
    return '';
  }
}

const OPERATIONS = {
  start: 'machine.pod.start',
  run: 'machine.pod.run',
  stop: 'machine.pod.stop',
  network: 'machine.cni',
} as const;

/** Gives every change of a bound pod to the kubelet of its node. */
export const kubeletController = (x: Context, kubeletOf: (node: string) => Kubelet | undefined): Controller => ({
  name: 'kubelet',
  sees: {
    pods: ({ type, object }) => (type !== 'DELETED' && at(object, 'spec', 'nodeName') ? [keyOf(object)] : []),
  },
  reconcile(key) {
    const pod = x.resources.of('Pod').get(refOf(key));
    if (pod) kubeletOf(text(at(pod, 'spec', 'nodeName')))?.sync(pod);
  },
});

/** Lets kubelets report when they started, or when their state or their Node or mirror pods changed. */
export const kubeletReports = (kubeletOf: (node: string) => Kubelet | undefined): Controller => ({
  name: 'kubelet-report',
  sees: {
    // A kubelet makes a mirror pod again that somebody deleted.
    pods: ({ type, object }) =>
      type === 'DELETED' && object.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined
        ? [text(at(object, 'spec', 'nodeName'))]
        : [],
  },
  reconcile(name) {
    kubeletOf(name)?.report();
  },
});
