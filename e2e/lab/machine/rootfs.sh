# shellcheck shell=bash
# A Debian 12 root tree with what a node needs, kept in the cache.

make_rootfs() {
  local root=$CACHE/rootfs mirror list
  list=sudo,systemd,systemd-sysv,dbus,udev,procps,kmod,mount,netbase,iproute2,iputils-ping,ifupdown,isc-dhcp-client
  list+=,cloud-init,python3-cffi-backend      # debootstrap cannot resolve python3-cryptography's virtual dependency
  list+=,openssh-server,ca-certificates,openssl,less
  list+=,containerd,runc,containernetworking-plugins,iptables,ebtables,conntrack,socat,ethtool
  [ ! -e "$root/.complete" ] || return 0
  # The mirror that this machine's own apt uses.
  mirror=$(cat /etc/apt/sources.list.d/*.sources 2>/dev/null | awk '$1 == "URIs:" { print $2; exit }')
  [ -n "$mirror" ] || mirror=$(awk '$1 == "deb" { print $2; exit }' /etc/apt/sources.list)
  rm -rf "$root"
  debootstrap --variant=minbase --include="$list" bookworm "$root" "$mirror" >"$CACHE/rootfs.log" 2>&1 ||
    { tail -20 "$CACHE/rootfs.log" >&2; fail "debootstrap failed: $CACHE/rootfs.log"; }
  rm -f "$root"/var/cache/apt/archives/*.deb
  touch "$root/.complete"
}
