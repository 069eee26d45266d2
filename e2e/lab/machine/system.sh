# shellcheck shell=bash
# What makes the root tree a machine that Nova boots as a system container.

system_files() {
  local tree=$1 unit
  rm -f "$tree/.complete"
  echo node >"$tree/etc/hostname"
  install -m 755 "$HERE/machine/files/node-init" "$HERE/machine/files/node-runc" "$tree/usr/local/sbin/"
  ln -sfn /usr/local/sbin/node-init "$tree/sbin/init"     # Nova's lxc domains start /sbin/init
  : >"$tree/etc/machine-id"
  : >"$tree/etc/resolv.conf"     # the build host's would cost cloud-init 30 s where a node cannot reach its nameserver
  rm -f "$tree"/etc/ssh/ssh_host_*
  echo 'datasource_list: [ OpenStack, None ]' >"$tree/etc/cloud/cloud.cfg.d/90-datasource.cfg"
  cat >"$tree/etc/cloud/cloud.cfg.d/91-node.cfg" <<'C'
locale: false                    # else cloud-config.service fails without the locales package
ssh_genkeytypes: [ed25519]
disable_root: false
apt: {preserve_sources_list: true}
C
  printf 'auto lo\niface lo inet loopback\nsource /etc/network/interfaces.d/*\n' >"$tree/etc/network/interfaces"
  for unit in apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer dpkg-db-backup.timer; do
    ln -sfn /dev/null "$tree/etc/systemd/system/$unit"
  done
  metadata_guard "$tree"
}

# metadata_guard: only root on the machine itself reaches the metadata service, from before the first pod. User-data
# holds the machine's check-in ticket. A pod's packets come in through PREROUTING, before anybody's FORWARD rules.
metadata_guard() {
  local tree=$1
  install -m 755 "$HERE/machine/files/metadata-guard" "$tree/usr/local/sbin/metadata-guard"
  install -m 644 "$HERE/machine/files/metadata-guard.service" "$tree/etc/systemd/system/metadata-guard.service"
  mkdir -p "$tree/etc/systemd/system/containerd.service.d" "$tree/etc/systemd/system/multi-user.target.wants"
  ln -sfn /etc/systemd/system/metadata-guard.service "$tree/etc/systemd/system/multi-user.target.wants/metadata-guard.service"
  printf '[Unit]\n# No container without the guard.\nRequires=metadata-guard.service\nAfter=metadata-guard.service\n' \
    >"$tree/etc/systemd/system/containerd.service.d/10-metadata-guard.conf"
}
