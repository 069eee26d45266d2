# shellcheck shell=bash disable=SC2034
# Settings that the other parts share. Wants PROFILE (fake or libvirt).

# Debian's own directories first: another python3, in /usr/local, has none of OpenStack's modules.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
unset PYTHONPATH PYTHONHOME ${!OS_@} || true

case $PROFILE in
  fake) LAB_DIR=${LAB_DIR:-/var/lib/openstack-lab-fake} H=${LAB_HOST:-127.0.0.2} ;;
  libvirt) LAB_DIR=${LAB_DIR:-/var/lib/openstack-lab} H=${LAB_HOST:-127.0.0.1} ;;
esac
FAKE_HOSTS=${LAB_FAKE_HOSTS:-3}
VIRT_TYPE=${LAB_VIRT_TYPE:-lxc}
EXT_CIDR=${LAB_EXT_CIDR:-172.24.4.0/24}
EXT_NET=${EXT_CIDR%.*}                        # 172.24.4
PW=lab                                        # every password of the lab: it listens on loopback only
ETC=$LAB_DIR/etc RUN=$LAB_DIR/run LOG=$LAB_DIR/log
SOCK=$RUN/mysqld.sock
DRIVERS=$LAB_DIR/py                           # our drivers, on PYTHONPATH
# Erlang's port mapper and RabbitMQ's distribution port cannot be told apart by address, so they are by number.
SLOT=$((${H##*.} - 1)) EPMD_PORT=$((4369 + ${H##*.} - 1)) DIST_PORT=$((25672 + ${H##*.} - 1))

STARTED=$EPOCHREALTIME
# say TEXT…: with the seconds since the start
say() { local us=$((${EPOCHREALTIME/./} - ${STARTED/./})); printf '%6d.%ds  %s\n' $((us / 1000000)) $((us / 100000 % 10)) "$*"; }
fail() { echo "openstack-up: $*" >&2; exit 1; }

# remember_choices: databases and endpoints are made once, so a later start must ask for the same
remember_choices() {
  local choices="$PROFILE virt=$([ $PROFILE = fake ] && echo none || echo $VIRT_TYPE) octavia=${OCTAVIA:-0} cinder=${CINDER:-0} host=$H"
  if [ $FRESH = 0 ] && [ -e "$LAB_DIR/choices" ] && [ "$(cat "$LAB_DIR/choices")" != "$choices" ]; then
    fail "$LAB_DIR was made for \"$(cat "$LAB_DIR/choices")\", asked for is \"$choices\": ask for the same, or openstack-down --purge first"
  fi
  echo "$choices" >"$LAB_DIR/choices"
  echo $PROFILE >"$LAB_DIR/profile"
}

# ports_free: a port that somebody else holds shows up much later as a baffling 404 or 401
ports_free() {
  local pair name port
  for pair in keystone:5000 placement:8778 glance:9292 neutron:9696 nova-api:8774 memcached:11211 rabbitmq:5672 \
    ${OCTAVIA:+octavia-api:9876} ${CINDER:+cinder-api:8776}; do
    name=${pair%:*} port=${pair#*:}
    alive "$name" && continue
    if (exec 3<>"/dev/tcp/$H/$port") 2>/dev/null; then
      fail "$H:$port ($name) is taken by a process that is not this lab's: stop it, or set LAB_HOST to another loopback address"
    fi
  done
}
