import { CLUSTERROLEBINDINGS, type HasMeta } from '@shoto/kube';
import type { Kube } from '../world.ts';

const RBAC = 'rbac.authorization.k8s.io';

interface Binding extends HasMeta {
  roleRef: { apiGroup: string; kind: string; name: string };
  subjects: { apiGroup: string; kind: string; name: string }[];
}

/**
 * As `kubeadm init` and `kubeadm upgrade` of 1.36 make it, and `kubeadm join` does not: from 1.36 on an API server's own certificate for kubelets is in
 * no group, so that without this binding logs, exec and port-forward through a new machine's API server end in Forbidden. Older ones need it
 * not, and it gives them nothing that they had not.
 */
const KUBELET_CLIENT: Binding = {
  metadata: { name: 'kubeadm:apiserver-kubelet-client' },
  roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: 'system:kubelet-api-admin' },
  subjects: [{ apiGroup: RBAC, kind: 'User', name: 'kube-apiserver-kubelet-client' }],
};

/** Gives a cluster the roles that kubeadm of a newer release counts on. Safe to repeat. @throws {KubeError} */
export async function applyKubeadmRoles(workload: Kube, signal?: AbortSignal): Promise<void> {
  await workload.apply(CLUSTERROLEBINDINGS, KUBELET_CLIENT, {
    fieldManager: 'shoto-bootstrap-worker',
    force: true,
    ...(signal ? { signal } : {}),
  });
}
