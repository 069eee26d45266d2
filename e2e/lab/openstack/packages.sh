# shellcheck shell=bash
# What each profile needs of Debian, and its installation on a machine where others use apt too.

packages() {
  echo "curl jq sudo iproute2 procps mariadb-server rabbitmq-server memcached keystone glance-api placement-api nova-api
    nova-conductor nova-scheduler neutron-server uwsgi-core uwsgi-plugin-python3 python3-pymysql python3-memcache
    python3-openstackclient python3-fixtures"
  # The fake profile does without the nova-compute package, which brings all of qemu; it runs the module itself.
  [ $PROFILE = fake ] || echo "nova-compute neutron-linuxbridge-agent neutron-dhcp-agent neutron-metadata-agent
    neutron-l3-agent libvirt-daemon-system libvirt-daemon-driver-lxc libvirt-clients qemu-system-x86 qemu-utils ipset
    genisoimage bridge-utils busybox-static cpio"
  [ -z "$OCTAVIA" ] || echo "octavia-api octavia-worker openssl haproxy"
  [ -z "$CINDER" ] || echo "cinder-api cinder-scheduler cinder-volume qemu-utils"
}

apt_get() {
  # An archive folder of our own: another apt's clean-up (docker-clean's rm) must not take packages away halfway.
  apt-get -o DPkg::Lock::Timeout=900 -o Dir::Cache::archives="$LAB_DIR/debs" -o APT::Sandbox::User=root -qq -y "$@" \
    </dev/null >>"$LOG/apt.log" 2>&1
}

install_packages() {
  local p missing=() policy='' try
  for p in $(packages); do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing+=("$p")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing ${#missing[@]} packages and what they need (log: $LOG/apt.log)"
  if [ ! -e /usr/sbin/policy-rc.d ]; then      # the packages' own services must not start: they take the same ports
    policy=1; printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d
  fi
  mkdir -p "$LAB_DIR/debs/partial"; : >"$LOG/apt.log"
  # A second try mends what another apt's interference left.
  for try in 1 2 3; do
    if [ $try != 1 ] || [ -z "$(find /var/lib/apt/lists -name '*_Packages*' -mtime -7 2>/dev/null | head -1)" ]; then
      apt_get update || true                   # another apt may hold the lists' lock; the install says what is missing
    fi
    if apt_get -o Dpkg::Options::=--force-unsafe-io -o Dpkg::Options::=--force-confdef \
      -o Dpkg::Options::=--force-confold install --no-install-recommends "${missing[@]}"; then break; fi
    [ $try != 3 ] || { tail -30 "$LOG/apt.log" >&2; fail "packages could not be installed"; }
    apt_get --fix-broken install --no-install-recommends || true
  done
  rm -rf "$LAB_DIR/debs"
  [ -z "$policy" ] || rm -f /usr/sbin/policy-rc.d
}
