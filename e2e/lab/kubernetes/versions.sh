# shellcheck shell=bash disable=SC2034
# Every version that the lab pins. etcd, CoreDNS and pause follow from what kubeadm of the version asks for.

declare -A KUBERNETES=([1.35]=v1.35.4 [1.36]=v1.36.3)
GO_VERSION=go1.26.8          # fetched as a Go module where the machine's own is older than what Kubernetes wants
GO_MINIMUM=1.26
CONTAINERD=v2.2.9 RUNC=v1.3.6 CNI=v1.9.1 FLANNEL_CNI=v0.9.1
FLANNELS=(v0.28.4 v0.28.10)  # those of the bundles that ship: one moves with a cluster from one minor to the next
HELM=v3.20.2 KWOK=v0.7.0
REPO=${K8S_REPO:-registry.shoto.local/k8s}
# Addons
METRICS_SERVER=(v0.8.0)
PROMETHEUS=(v3.16.0) NODE_EXPORTER=(v1.12.1)
CSI_PROVISIONER=v5.3.0 CSI_ATTACHER=v4.12.0 CSI_RESIZER=v1.14.0 CSI_SNAPSHOTTER=v8.4.0 CSI_SANITY=v5.3.1
CINDER_CSI=(v1.35.0 v1.36.0) CLOUD_CONTROLLER_MANAGER=(v1.35.0 v1.36.0)
KUBE_STATE_METRICS=(v2.19.1) NODE_PROBLEM_DETECTOR=(v1.36.0)
# Stand-ins of the lab's own (standins/), tagged as what they stand for
CSI_REGISTRAR=v2.15.0 CSI_LIVENESS=v2.17.0 SIDECAR=2.7.3
