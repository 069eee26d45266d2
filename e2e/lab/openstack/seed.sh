# shellcheck shell=bash
# What a test finds: users and endpoints, flavors, an image, the external network, credentials.

# write_drivers: our drivers on PYTHONPATH; a dist-info folder is enough to declare entry points
write_drivers() {
  mkdir -p "$DRIVERS/shotolab-1.dist-info"
  cp "$HERE"/drivers/*.py "$HERE/../lxc-exec" "$DRIVERS/"   # lxc-exec is what labnova calls
  printf 'Metadata-Version: 2.1\nName: shotolab\nVersion: 1\n' >"$DRIVERS/shotolab-1.dist-info/METADATA"
  cat >"$DRIVERS/shotolab-1.dist-info/entry_points.txt" <<C
[neutron.ml2.mechanism_drivers]
lab = labneutron:LabMechanismDriver
[octavia.network.drivers]
lab = laboctavia:LabNetworkDriver
[octavia.amphora.drivers]
lab = laboctavia:LabAmphoraDriver
C
  rm -rf "$DRIVERS/labneutron-1.dist-info"
  export PYTHONPATH=$DRIVERS PYTHONWARNINGS=ignore
}

# seed_python SCRIPT ARGUMENT…
seed_python() {
  local script=$1; shift
  /usr/bin/python3 "$HERE/seed/$script.py" "$@" >"$LOG/seed-$script.log" 2>&1 ||
    { tail -20 "$LOG/seed-$script.log" >&2; fail "seed/$script.py failed: $LOG/seed-$script.log"; }
}

seed_identity() { seed_python identity "$H" "$PW" "$OCTAVIA" "$CINDER"; }

seed_project() {
  if [ $PROFILE = fake ]; then truncate -s 1M "$LAB_DIR/node.img"; else make_guest; fi
  seed_python project "$H" "$PW" "$PROFILE" "$LAB_DIR" "$EXT_NET" "$EXT_CIDR" "$VIRT_TYPE" "$CINDER"
}

# seed_machines: the APIs as machines reach them; databases of older labs get it too
seed_machines() {
  [ -e "$LAB_DIR/machines" ] || { seed_python machines "$H" "$PW" "$EXT_NET.1"; touch "$LAB_DIR/machines"; }
}

openrc() { cat <<C
export OS_AUTH_URL=http://$H:5000/v3 OS_IDENTITY_API_VERSION=3 OS_REGION_NAME=RegionOne
export OS_USERNAME=$1 OS_PASSWORD=$PW OS_PROJECT_NAME=$1
export OS_USER_DOMAIN_NAME=Default OS_PROJECT_DOMAIN_NAME=Default
export OS_COMPUTE_API_VERSION=2.92 OS_PLACEMENT_API_VERSION=1.39
C
}

write_credentials() {
  openrc admin >"$LAB_DIR/admin-openrc.sh"
  openrc lab >"$LAB_DIR/openrc.sh"
  seed_python clouds "$H" "$PW" "$LAB_DIR"
}
