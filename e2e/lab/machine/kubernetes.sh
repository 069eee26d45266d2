# shellcheck shell=bash
# Kubernetes' part of the node image: binaries, units, containerd's configuration, unpacked images.

# image_names VERSION: what kubeadm of that version asks for
image_names() { "$CACHE/$1/bin/kubeadm" config images list --kubernetes-version "$1" --image-repository "$REPO"; }

kubernetes_files() {
  local tree=$1 bin=$CACHE/$VERSION/bin
  [ $KIND = plain ] || install -m 755 "$bin/kubelet" "$bin/kubeadm" "$bin/kubectl" "$tree/usr/bin/"
  install -m 755 "$CACHE"/node/bin/{containerd,containerd-shim-runc-v2,ctr} "$tree/usr/bin/"
  install -m 755 "$CACHE/node/bin/runc" "$tree/usr/sbin/runc"
  # csi-sanity, and what it looks at, outside of any container
  [ $KIND != addons ] || install -m 755 "$CACHE"/addons/csi-sanity/*/bin/csi-sanity "$CACHE"/addons/cinder-csi-plugin/$CINDER_CSI/bin/cinder-csi-plugin "$tree/usr/local/bin/"
  mkdir -p "$tree"/opt/cni/bin "$tree"/etc/{containerd,cni/net.d,kubernetes/manifests} "$tree/etc/systemd/system/kubelet.service.d"
  install -m 755 "$CACHE"/node/cni/* "$tree/opt/cni/bin/"
  cat >"$tree/etc/containerd/config.toml" <<C
version = 3
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = '$(image_names "$VERSION" | grep /pause:)'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = 'io.containerd.runc.v2'
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
    SystemdCgroup = true
    BinaryName = '/usr/local/sbin/node-runc'
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ['/opt/cni/bin']
C
  # As in the Kubernetes project's own packages, but that it waits for kubeadm instead of failing every ten seconds.
  install -m 644 "$HERE/machine/files/kubelet.service" "$tree/etc/systemd/system/kubelet.service"
  install -m 644 "$HERE/machine/files/10-kubeadm.conf" "$tree/etc/systemd/system/kubelet.service.d/10-kubeadm.conf"
  mkdir -p "$tree/etc/systemd/system/multi-user.target.wants"
  ln -sfn /etc/systemd/system/kubelet.service "$tree/etc/systemd/system/multi-user.target.wants/kubelet.service"
  printf 'net.ipv4.ip_forward = 1\nnet.bridge.bridge-nf-call-iptables = 1\n' >"$tree/etc/sysctl.d/90-kubernetes.conf"
  echo 'export KUBECONFIG=/etc/kubernetes/admin.conf' >"$tree/etc/profile.d/kubernetes.sh"
  printf 'KUBE_VERSION=%s\n' "$VERSION" >"$tree/etc/node-release"
}

# archives: files of all images that such a machine holds. Flannel's are those that a cluster has before and after an upgrade
archives() {
  local name names
  names=$(image_names "$VERSION")
  for name in "${ALSO[@]}"; do names+=" $(image_names "$name" | grep -E '/(kube-proxy|coredns):')"; done
  for name in $names "${FLANNELS[@]/#//flannel:}" /busybox:1; do name=${name##*/}; printf '%s\n' "$CACHE/images/${name%:*}_${name#*:}.tar"; done
  [ "$KIND" != addons ] || ls "$CACHE"/addons/images/*.tar
}

# unpack_images: by a containerd that runs here, on the image's own store
unpack_images() {
  local tree=$1 state=$1.state name archive
  mkdir -p "$state" "$tree/var/lib/containerd"
  cat >"$state/config.toml" <<C
version = 3
root = '$tree/var/lib/containerd'
state = '$state/run'
disabled_plugins = ['io.containerd.cri.v1.images', 'io.containerd.cri.v1.runtime', 'io.containerd.grpc.v1.cri',
  'io.containerd.nri.v1.nri', 'io.containerd.internal.v1.opt', 'io.containerd.tracing.processor.v1.otlp']
[grpc]
  address = '$state/c.sock'
[ttrpc]
  address = '$state/c.sock.ttrpc'
C
  "$CACHE/node/bin/containerd" -c "$state/config.toml" >"$state/log" 2>&1 9>&- & CONTAINERD_PID=$!
  for _ in $(seq 100); do [ ! -S "$state/c.sock" ] || break; sleep 0.1; done
  ctr() { "$CACHE/node/bin/ctr" -a "$state/c.sock" -n k8s.io "$@"; }

  while read -r archive; do
    ctr images import --digests=false "$archive" >/dev/null 2>"$state/err" ||
      { tail -5 "$state/log" "$state/err" >&2; fail "$archive could not be imported"; }
  done < <(archives)
  for name in $(ctr images ls -q 2>/dev/null); do
    # "managed" as the CRI plugin labels its own; pinned, since kubelet's garbage collection deletes what nothing brings back
    ctr images label "$name" io.cri-containerd.image=managed io.cri-containerd.pinned=pinned >/dev/null 2>&1
  done
  ctr images ls -q >&2
  kill $CONTAINERD_PID; wait $CONTAINERD_PID 2>/dev/null || true; CONTAINERD_PID=''
  rm -rf "$state"
}
