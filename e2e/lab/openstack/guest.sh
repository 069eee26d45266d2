# shellcheck shell=bash
# A guest small enough for software emulation: busybox, and for qemu Debian's cloud kernel.

make_guest() {
  local dir=$LAB_DIR/guest root=$LAB_DIR/guest/root
  [ -e "$dir/root.img" ] && return
  rm -rf "$dir"; mkdir -p "$root"/{bin,sbin,proc,sys,dev,mnt,etc,lib,www,root,tmp}
  cp /bin/busybox "$root/bin/busybox"
  install -m 755 "$HERE/guest/init" "$root/init"
  if [ "$VIRT_TYPE" = lxc ]; then              # a container's image is its root
    install -m 755 "$HERE/guest/init" "$root/sbin/init"
    truncate -s 64M "$dir/root.part"; mkfs.ext4 -q -F -d "$root" "$dir/root.part"
  else
    guest_kernel "$dir" "$root"
    truncate -s 64M "$dir/root.part"; mkfs.ext4 -q -F "$dir/root.part"
  fi
  mv "$dir/root.part" "$dir/root.img"
}

# guest_kernel DIR ROOT: kernel and an initrd with the virtio modules, in the order in which they must be loaded
guest_kernel() {
  local dir=$1 root=$2 package modules m
  mkdir -p "$dir/deb"
  package=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image/{print $2; exit}')
  (cd "$dir/deb" && apt-get -q -o DPkg::Lock::Timeout=900 -o APT::Sandbox::User=root download "$package" &&
    dpkg-deb -x "$package"*.deb kernel) >>"$LOG/guest.log" 2>&1
  cp "$dir"/deb/kernel/boot/vmlinuz-* "$dir/vmlinuz"
  modules=$(echo "$dir"/deb/kernel/lib/modules/*/kernel)
  : >"$root/lib/order"
  for m in drivers/virtio/virtio_ring drivers/virtio/virtio drivers/virtio/virtio_pci_legacy_dev \
    drivers/virtio/virtio_pci_modern_dev drivers/virtio/virtio_pci net/core/failover drivers/net/net_failover \
    drivers/net/virtio_net drivers/block/virtio_blk drivers/char/hw_random/virtio-rng; do
    [ ! -e "$modules/$m.ko" ] || { cp "$modules/$m.ko" "$root/lib/"; echo "${m##*/}.ko" >>"$root/lib/order"; }
  done
  (cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$dir/initrd"
  rm -rf "$dir/deb"
}
