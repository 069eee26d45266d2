# shellcheck shell=bash disable=SC2034
# Every version that the lab pins. etcd, CoreDNS and pause follow from what kubeadm of the version asks for.

declare -A KUBERNETES=([1.35]=v1.35.4 [1.36]=v1.36.3)
GO_VERSION=go1.26.8          # fetched as a Go module where the machine's own is older than what Kubernetes wants
GO_MINIMUM=1.26
CONTAINERD=v2.2.9 RUNC=v1.3.6 CNI=v1.9.1 FLANNEL_CNI=v0.9.1 FLANNEL=v0.28.4
HELM=v3.20.2 KWOK=v0.7.0
REPO=${K8S_REPO:-registry.shoto.local/k8s}
