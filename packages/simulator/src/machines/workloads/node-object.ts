import type { NodeCondition } from '../../core/faults.ts';
import { rfc3339 } from '../../kubernetes/types.ts';
import type { KubeadmImages } from '../kubeadm/images.ts';
import type { Manifest } from '../kubeadm/objects.ts';
import type { Taint } from './fit.ts';

/** What a kubelet knows of its machine. */
export interface NodeFacts {
  name: string;
  role: 'control-plane' | 'worker';
  address: string;
  flavor: { vcpus: number; ramMiB: number; diskGiB: number };
  kubeletVersion: string;
  containerdVersion: string;
  osImage: string;
  machineId: string;
  bootId: string;
  providerId: string;
  criSocket: string;
  labels: Record<string, string>;
  /** Undefined: kubeadm's own. */
  taints: Taint[] | undefined;
  /** What its static pods are made from; on a control plane only. */
  controlPlane: { version: string; images: KubeadmImages } | undefined;
}

/** The state of a kubelet that its node's conditions tell. */
export interface NodeState {
  networkReady: boolean;
  /** Whether the CNI has said that pods reach each other. */
  networkReported: boolean;
  /** Whether the CNI's own pod cannot run. */
  networkBroken: boolean;
  /** Conditions that are ordered to be true. One that a node-problem-detector has told of once stays in the list, as false. */
  ordered: Map<NodeCondition, boolean>;
}

const CONTROL_PLANE = 'node-role.kubernetes.io/control-plane';

interface Condition {
  type: string;
  status: string;
  reason: string;
  message: string;
}

/** What a kubelet says of what it runs out of: word for the reason, while it has enough and when it has not. */
const PRESSURES = [
  [
    'MemoryPressure',
    'KubeletHasSufficientMemory',
    'kubelet has sufficient memory available',
    'KubeletHasInsufficientMemory',
    'kubelet has insufficient memory available',
  ],
  [
    'DiskPressure',
    'KubeletHasNoDiskPressure',
    'kubelet has no disk pressure',
    'KubeletHasDiskPressure',
    'kubelet has disk pressure',
  ],
  [
    'PIDPressure',
    'KubeletHasSufficientPID',
    'kubelet has sufficient PID available',
    'KubeletHasInsufficientPID',
    'kubelet has insufficient PID available',
  ],
] as const;
/** What a node-problem-detector says. */
const PROBLEMS = [
  [
    'KernelDeadlock',
    'KernelHasNoDeadlock',
    'kernel has no deadlock',
    'TaskHung',
    'task kworker/0:1:23 blocked for more than 120 seconds.',
  ],
  [
    'ReadonlyFilesystem',
    'FilesystemIsNotReadOnly',
    'Filesystem is not read-only',
    'FilesystemIsReadOnly',
    'EXT4-fs (vda1): Remounting filesystem read-only',
  ],
] as const;

/** The conditions that a kubelet (and its CNI, and a node-problem-detector) reports. */
export function conditions(s: NodeState): Condition[] {
  const told = ([type, fine, well, ill, bad]: (typeof PRESSURES)[number] | (typeof PROBLEMS)[number]): Condition =>
    s.ordered.get(type) === true
      ? { type, status: 'True', reason: ill, message: bad }
      : { type, status: 'False', reason: fine, message: well };
  return [
    ...PROBLEMS.filter(([type]) => s.ordered.has(type)).map(told),
    ...(s.networkReported
      ? [
          {
            type: 'NetworkUnavailable',
            status: 'False',
            reason: 'FlannelIsUp',
            message: 'Flannel is running on this node',
          },
        ]
      : []),
    ...PRESSURES.map(told),
    s.networkReady
      ? { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status' }
      : {
          type: 'Ready',
          status: 'False',
          reason: 'KubeletNotReady',
          message:
            'container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized',
        },
  ];
}

/** The Node as its kubelet registers it. */
export function nodeObject(f: NodeFacts, s: NodeState, nowMs: number): Manifest {
  const now = rfc3339(nowMs);
  const memory = f.flavor.ramMiB * 1024;
  const disk = Math.max(1, f.flavor.diskGiB) * 1024 * 1024;
  const isControlPlane = f.role === 'control-plane';
  const arch = { 'kubernetes.io/arch': 'amd64', 'kubernetes.io/os': 'linux' };
  const own = f.taints ?? (isControlPlane ? [{ key: CONTROL_PLANE, effect: 'NoSchedule' }] : []);
  const capacity = {
    cpu: String(f.flavor.vcpus),
    'ephemeral-storage': `${disk}Ki`,
    'hugepages-1Gi': '0',
    'hugepages-2Mi': '0',
    memory: `${memory}Ki`,
    pods: '110',
  };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: f.name,
      labels: {
        'beta.kubernetes.io/arch': 'amd64',
        'beta.kubernetes.io/os': 'linux',
        ...arch,
        'kubernetes.io/hostname': f.name,
        ...(isControlPlane
          ? { [CONTROL_PLANE]: '', 'node.kubernetes.io/exclude-from-external-load-balancers': '' }
          : {}),
        ...f.labels,
      },
      annotations: {
        'kubeadm.alpha.kubernetes.io/cri-socket': f.criSocket,
        'node.alpha.kubernetes.io/ttl': '0',
        'volumes.kubernetes.io/controller-managed-attach-detach': 'true',
      },
    },
    spec: {
      ...(f.providerId ? { providerID: f.providerId } : {}),
      taints: [...own, { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }],
    },
    status: {
      addresses: [
        { type: 'InternalIP', address: f.address },
        { type: 'Hostname', address: f.name },
      ],
      capacity,
      // What the kubelet keeps for itself: 100 MiB of memory and a tenth of the disk.
      allocatable: {
        ...capacity,
        'ephemeral-storage': String(Math.floor(disk * 1024 * 0.9)),
        memory: `${Math.max(0, memory - 102_400)}Ki`,
      },
      conditions: conditions(s).map((c) => ({ ...c, lastHeartbeatTime: now, lastTransitionTime: now })),
      daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
      nodeInfo: {
        architecture: 'amd64',
        bootID: f.bootId,
        containerRuntimeVersion: `containerd://${f.containerdVersion}`,
        kernelVersion: '6.1.0-38-cloud-amd64',
        kubeProxyVersion: '',
        kubeletVersion: f.kubeletVersion,
        machineID: f.machineId.replaceAll('-', ''),
        operatingSystem: 'linux',
        osImage: f.osImage,
        systemUUID: f.machineId,
      },
    },
  };
}
