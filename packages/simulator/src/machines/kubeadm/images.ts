/** Minor version of `v1.35.4`, as a number; NaN for what is none. */
export const minorOf = (version: string): number => Number(/^v\d+\.(\d+)\./.exec(version)?.[1]);

/** What goes with each minor version of Kubernetes 1: kubeadm has such a table, and of a version that it does not know it takes the nearest. */
const SHIPPED: Record<number, { etcd: string; coreDns: string }> = {
  33: { etcd: '3.5.24-0', coreDns: 'v1.12.0' },
  34: { etcd: '3.6.6-0', coreDns: 'v1.12.1' },
  35: { etcd: '3.6.6-0', coreDns: 'v1.13.1' },
  36: { etcd: '3.6.8-0', coreDns: 'v1.14.2' },
};
const MINORS = Object.keys(SHIPPED).map(Number);

const shippedWith = (version: string): { etcd: string; coreDns: string } => {
  const minor = Math.min(Math.max(minorOf(version), Math.min(...MINORS)), Math.max(...MINORS));
  return SHIPPED[minor]!;
};

/** The etcd beside a control plane of this version, such as `3.6.6`. */
export const etcdVersion = (kubernetes: string): string => shippedWith(kubernetes).etcd.replace(/-\d+$/, '');

/** Images of a control plane. */
export interface KubeadmImages {
  etcd: string;
  coreDNS: string;
  kubeProxy: string;
  /** Of the API server, controller-manager and scheduler: their name and a colon come before it. */
  of(component: string): string;
}

/**
 * What `kubeadm config images list --kubernetes-version V --image-repository R` tells. CoreDNS is that of kubeadm's own release.
 *
 * @param kubeadm - version of the program
 */
export function kubeadmImages(repository: string, version: string, kubeadm: string): KubeadmImages {
  // The public registry keeps CoreDNS in a folder of its own.
  const dns = repository === 'registry.k8s.io' ? `${repository}/coredns` : repository;
  const of = (component: string): string => `${repository}/${component}:${version}`;
  return {
    etcd: `${repository}/etcd:${shippedWith(version).etcd}`,
    coreDNS: `${dns}/coredns:${shippedWith(kubeadm).coreDns}`,
    kubeProxy: of('kube-proxy'),
    of,
  };
}
