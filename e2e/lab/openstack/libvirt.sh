# shellcheck shell=bash
# The libvirt profile's host side: bridges, host-wide settings, libvirtd in the right mount namespace.

IN_NAMESPACE=()

libvirt_start() {
  local bridge
  # The external network's bridge, with this machine as its gateway, and one that only holds the tunnels' local address
  # (this kernel has no dummy device).
  for bridge in "br-lab-ext:$EXT_NET.1/${EXT_CIDR#*/}" br-lab-tun:10.254.254.1/32; do
    ip link show "${bridge%%:*}" >/dev/null 2>&1 || ip link add "${bridge%%:*}" type bridge
    ip addr replace "${bridge#*:}" dev "${bridge%%:*}"
    ip link set "${bridge%%:*}" up
  done
  sysctl -qw net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1 || true
  # What kubelets in containers would set for the whole machine, and inotify's limit, which all nodes' root shares.
  [ "$VIRT_TYPE" != lxc ] || sysctl -qw vm.overcommit_memory=1 kernel.panic=10 kernel.panic_on_oops=1 \
    fs.inotify.max_user_instances=8192 fs.inotify.max_user_watches=1048576 || true
  machines_reach_apis
  launch virtlogd virtlogd --pid-file "$RUN/virtlogd.real.pid"
  if [ "$VIRT_TYPE" = lxc ]; then
    # libvirt 9.0 starts no container where cgroup2 is mounted next to cgroup v1, and Nova mounts the root that libvirt
    # then uses: both run in one mount namespace that lacks the former and shares its mounts.
    # shellcheck disable=SC2016
    launch mount-namespace unshare -m --propagation private sh -c 'mount --make-rshared /
      umount /sys/fs/cgroup/unified 2>/dev/null
      touch "$0"; exec sleep infinity' "$RUN/namespace-ready"
    until_ok 10 mount-namespace test -e "$RUN/namespace-ready"
    IN_NAMESPACE=(nsenter -m -t "$(cat "$RUN/mount-namespace.pid")")
  fi
  launch libvirtd "${IN_NAMESPACE[@]}" libvirtd --pid-file "$RUN/libvirtd.real.pid"
  until_ok 60 libvirtd virsh -c "$([ "$VIRT_TYPE" = lxc ] && echo lxc:/// || echo qemu:///system)" version
}

# machines_reach_apis: what runs in machines (a CSI driver) calls the cloud at this host's address on the external network; the APIs
# listen on loopback, and this host may call that address too
machines_reach_apis() {
  local ports=5000,8774,8776,9292,9696${OCTAVIA:+,9876} chain
  sysctl -qw net.ipv4.conf.br-lab-ext.route_localnet=1
  for chain in "PREROUTING -i br-lab-ext" OUTPUT; do
    # shellcheck disable=SC2086
    set -- $chain -d "$EXT_NET.1" -p tcp -m multiport --dports $ports -m comment --comment shoto-lab -j DNAT --to-destination "$H"
    iptables -t nat -C "$@" 2>/dev/null || iptables -t nat -A "$@"
  done
}
