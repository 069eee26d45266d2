# shellcheck shell=bash
# OCI archives out of the binaries, near enough to what upstream's images are.

WORK=$OUT/src/images

# layer_base: what distroless/static has
layer_base() {
  local layer=$WORK/base; [ ! -d "$layer" ] || return 0
  apt ca-certificates
  mkdir -p "$layer"/{etc/ssl/certs,tmp,var/run,root}; chmod 1777 "$layer/tmp"
  printf '%s\n' root:x:0:0:root:/root:/sbin/nologin nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin \
    nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin >"$layer/etc/passwd"
  printf '%s\n' root:x:0: nobody:x:65534: nonroot:x:65532: >"$layer/etc/group"
  echo 'hosts: files dns' >"$layer/etc/nsswitch.conf"
  cp -L /etc/ssl/certs/ca-certificates.crt "$layer/etc/ssl/certs/"
}

# unpack_debs DIRECTORY PACKAGE…: Debian packages as files of a layer, without what nobody reads; /bin and the like are links
unpack_debs() {
  local part=$1 file; shift
  rm -rf "$part" "$part.debs"; mkdir -p "$part.debs" "$part/usr"/{bin,sbin,lib,lib64}
  for file in bin sbin lib lib64; do ln -sfn usr/$file "$part/$file"; done
  apt-get -qq -o DPkg::Lock::Timeout=900 update || true
  (cd "$part.debs" && apt-get -qq -o APT::Sandbox::User=root download "$@")
  for file in "$part.debs"/*.deb; do dpkg-deb --fsys-tarfile "$file" | tar -x --keep-directory-symlink -C "$part"; done
  rm -rf "$part.debs" "$part"/usr/share "$part"/usr/lib/*/gconv "$part"/usr/lib/systemd "$part"/lib/systemd "$part"/etc "$part"/var
}

# layer_runs DIRECTORY COMMAND…: says so where a library is missing
layer_runs() {
  local part=$1 command; shift
  for command; do
    # shellcheck disable=SC2086
    PATH=/usr/sbin:/usr/bin chroot "$part" $command >/dev/null 2>&1 || { echo "kubernetes-build: in the layer $part, \"$command\" fails: a library is missing from its package list" >&2; exit 1; }
  done
}

# layer_netfilter: iptables (the nft one, as on the nodes), nft, conntrack, ipset, busybox as the shell
layer_netfilter() {
  local layer=$WORK/netfilter part=$WORK/netfilter.part applet file
  [ ! -d "$layer" ] || return 0
  unpack_debs "$part" iptables nftables conntrack ipset libc6 libxtables12 libip4tc2 libip6tc2 libmnl0 libnfnetlink0 \
    libnetfilter-conntrack3 libnftnl11 libnftables1 libjansson4 libgmp10 libedit2 libbsd0 libmd0 libtinfo6 libipset13 busybox-static
  for file in '' -save -restore; do for applet in iptables ip6tables; do ln -sfn $applet-nft$file "$part/usr/sbin/$applet$file"; done; done
  for applet in sh cp cat ls echo sleep ip ps mount grep sed mkdir rm ln ping nslookup wget nc env id; do
    [ -e "$part/usr/bin/$applet" ] || ln -s busybox "$part/usr/bin/$applet"
  done
  layer_runs "$part" 'iptables -V' 'ip6tables-restore -V' 'nft -v' 'conntrack -V' 'sh -c true'
  mv "$part" "$layer"
}

# layer_filesystems: what a CSI driver calls: mount, blkid, mkfs, resize2fs
layer_filesystems() {
  local layer=$WORK/filesystems part=$WORK/filesystems.part
  [ ! -d "$layer" ] || return 0
  unpack_debs "$part" mount util-linux e2fsprogs libc6 libmount1 libblkid1 libuuid1 libselinux1 libpcre2-8-0 libsmartcols1 \
    libudev1 libtinfo6 libext2fs2 libcom-err2 libss2
  layer_runs "$part" 'mount -V' 'umount -V' 'findmnt -V' 'blkid -V' 'mkfs.ext4 -V' 'dumpe2fs -V'
  mv "$part" "$layer"
}

# layer_journal: a shell, what checks of a node call, and the library that reads systemd's journal
layer_journal() {
  local layer=$WORK/journal part=$WORK/journal.part
  [ ! -d "$layer" ] || return 0
  unpack_debs "$part" bash dash coreutils libc6 libtinfo6 libacl1 libattr1 libgmp10 libselinux1 libpcre2-8-0 \
    libsystemd0 libcap2 libgcrypt20 libgpg-error0 liblz4-1 liblzma5 libzstd1
  layer_runs "$part" 'bash -c true' 'sh -c true' 'timeout 5 true' 'ls /usr/bin'
  mv "$part" "$layer"
}

# image VERSION NAME TAG [oci-image option or layer]… → DIR/images/NAME_TAG.tar, linked into DIR/VERSION/images as LINK or NAME.tar
image() {
  local version=$1 name=$2 tag=$3 file=$OUT/images/$2_$3.tar began=$SECONDS; shift 3
  mkdir -p "$OUT/images" "$OUT/$version/images"
  if [ ! -e "$file" ]; then
    "$HERE/oci-image" -o "$file" -r "$REPO/$name:$tag" "$@"
    say "image $name:$tag: $((SECONDS - began)) s, $(size "$file")"
  fi
  ln -f "$file" "$OUT/$version/images/${LINK:-$name}.tar"
}
# layer_of NAME DIRECTORY FILE…: a fresh layer with the files in that directory
layer_of() {
  local layer=$WORK/bin-$1 dir=$2; shift 2
  rm -rf "$layer"; mkdir -p "$layer/$dir"; cp "$@" "$layer/$dir/"; echo "$layer"
}

# pause: compiled out of Kubernetes' own C file
layer_pause() {
  local layer=$WORK/bin-pause
  apt gcc libc6-dev
  rm -rf "$layer"; mkdir -p "$layer"
  gcc -Os -Wall -static -DVERSION="v$2" -o "$layer/pause" "$(module_dir "k8s.io/kubernetes@$1")/build/pause/linux/pause.c"
  strip "$layer/pause"; echo "$layer"
}

# images VERSION
images() {
  local version=$1 name etcd coredns pause layer
  missing "$OUT/$version/bin" kubeadm kube-apiserver kube-controller-manager kube-scheduler kube-proxy && {
    echo "kubernetes-build: binaries of $version are missing: run it with --only bins first" >&2; exit 1; }
  mkdir -p "$WORK"
  etcd=$(pin "$version" DefaultEtcdVersion) coredns=$(pin "$version" CoreDNSVersion) pause=$(pin "$version" PauseVersion)
  layer_base
  for name in kube-apiserver kube-controller-manager kube-scheduler; do
    image "$version" $name "$version" -e $name "$WORK/base" "$(layer_of $name usr/local/bin "$OUT/$version/bin/$name")"
  done
  image "$version" pause "$pause" -e /pause -u 65535:65535 "$(layer_pause "$version" "$pause")"
  image "$version" etcd "$etcd" -e etcd "$WORK/base" "$(layer_of etcd usr/local/bin "$OUT/etcd/v${etcd%-*}/bin/"{etcd,etcdctl,etcdutl})"
  image "$version" coredns "$coredns" -e /coredns "$WORK/base" "$(layer_of coredns . "$OUT/coredns/$coredns/bin/coredns")"
  layer_netfilter
  image "$version" kube-proxy "$version" -e kube-proxy "$WORK/base" "$WORK/netfilter" "$(layer_of kube-proxy usr/local/bin "$OUT/$version/bin/kube-proxy")"
  for name in "${FLANNELS[@]}"; do flannel_image "$version" "$name"; done
  image "$version" busybox 1 -c /bin/sh "$WORK/base" "$(layer_busybox)"
  mkdir -p "$OUT/manifests"
  sed "s|image: .*/flannel.*|image: $REPO/flannel:${FLANNELS[0]}|" \
    "$(module_dir github.com/flannel-io/flannel@${FLANNELS[0]})/Documentation/kube-flannel.yml" >"$OUT/manifests/kube-flannel.yml"
  # Every image that kubeadm asks for must be there.
  "$OUT/$version/bin/kubeadm" config images list --image-repository "$REPO" --kubernetes-version "$version" 2>/dev/null | while read -r name; do
    layer=${name##*/}; [ -e "$OUT/images/${layer/:/_}.tar" ] || { echo "kubernetes-build: kubeadm $version wants $name, which was not built" >&2; exit 1; }
  done
  rm -rf "$WORK"/bin-*
}

# flannel_image KUBERNETES-VERSION VERSION: with the CNI plugin of the nodes
flannel_image() {
  local layer
  layer=$(layer_of flannel opt/bin "$OUT/flannel/$2/bin/flanneld"); cp "$OUT/node/cni/flannel" "$layer/flannel"
  layer_netfilter
  LINK=flannel_$2 image "$1" flannel "$2" -e /opt/bin/flanneld "$WORK/base" "$WORK/netfilter" "$layer"
}

# layer_busybox: for test pods
layer_busybox() {
  local layer=$WORK/bin-busybox applet
  apt busybox-static
  rm -rf "$layer"; mkdir -p "$layer/bin" "$layer/tmp"; cp /bin/busybox "$layer/bin/busybox"
  for applet in sh ls cat echo sleep uname id ip ping mount ps hostname wget nc httpd nslookup env cut date ln mkdir rm touch true timeout; do
    ln -s busybox "$layer/bin/$applet"
  done
  echo "$layer"
}
