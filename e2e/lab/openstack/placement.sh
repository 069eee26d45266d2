# shellcheck shell=bash
# Placement.

placement_config() {
  mkdir -p "$ETC/placement"
  cat >"$ETC/placement/placement.conf" <<C
[DEFAULT]
use_stderr = true
[placement_database]
connection = $(db placement)
[oslo_concurrency]
lock_path = $LAB_DIR/locks
[api]
auth_strategy = keystone
$(authtoken placement placement)
C
}

placement_database() { placement-manage --config-file "$ETC/placement/placement.conf" db sync; }
placement_start() {
  launch placement OS_PLACEMENT_CONFIG_DIR="$ETC/placement" uwsgi --ini "$ETC/uwsgi.ini" --http-socket "$H:8778" \
    --wsgi-file /usr/bin/placement-api
}
