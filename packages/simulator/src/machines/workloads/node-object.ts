import { rfc3339 } from '../../kubernetes/types.ts';
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
  imageRepository: string;
  /** Of the control plane that it runs. */
  kubernetesVersion: string;
}

/** The state of a kubelet that its node's conditions tell. */
export interface NodeState {
  networkReady: boolean;
  /** Whether the CNI has said that pods reach each other. */
  networkReported: boolean;
  diskPressure: boolean;
}

const CONTROL_PLANE = 'node-role.kubernetes.io/control-plane';

interface Condition {
  type: string;
  status: string;
  reason: string;
  message: string;
}

/** The conditions that a kubelet (and its CNI) reports. */
export function conditions(s: NodeState): Condition[] {
  const fine = (type: string, reason: string, message: string): Condition => ({
    type,
    status: 'False',
    reason,
    message,
  });
  return [
    ...(s.networkReported ? [fine('NetworkUnavailable', 'FlannelIsUp', 'Flannel is running on this node')] : []),
    fine('MemoryPressure', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'),
    s.diskPressure
      ? { type: 'DiskPressure', status: 'True', reason: 'KubeletHasDiskPressure', message: 'kubelet has disk pressure' }
      : fine('DiskPressure', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
    fine('PIDPressure', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
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
