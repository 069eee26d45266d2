#!/usr/bin/env bash
# A redis-server or valkey-server on PATH; installed from the distribution where root may.
set -euo pipefail
if command -v redis-server >/dev/null || command -v valkey-server >/dev/null; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "installing redis-server"
  policy=/usr/sbin/policy-rc.d made=
  # The package must not start a server of its own: ours are started, and ended, by the supervisor.
  if [ ! -e $policy ]; then made=1; printf '#!/bin/sh\nexit 101\n' >$policy; chmod 755 $policy; fi
  trap '[ -z "$made" ] || rm -f $policy' EXIT
  apt-get -o DPkg::Lock::Timeout=600 -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 -qq -y install --no-install-recommends redis-server >/dev/null
  exit 0
fi
echo "redis-server is missing: put redis-server (7 or newer) or valkey-server on PATH, or run this once as root on Debian or Ubuntu" >&2
exit 1
