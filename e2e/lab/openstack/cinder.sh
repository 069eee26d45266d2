# shellcheck shell=bash
# Cinder: volumes as sparse files, attached as loop devices; see drivers/labcinder.py.

cinder_config() {
  cat >"$ETC/cinder.conf" <<C
[DEFAULT]
transport_url = $RABBIT
use_stderr = true
my_ip = $H
state_path = $LAB_DIR/cinder
quota_volumes = -1
quota_snapshots = -1
quota_gigabytes = -1
auth_strategy = keystone
api_paste_config = /etc/cinder/api-paste.ini
resource_query_filters_file = /etc/cinder/resource_filters.json
osapi_volume_listen = $H
osapi_volume_workers = 1
glance_api_servers = http://$H:9292
rootwrap_config = /etc/cinder/rootwrap.conf
enabled_backends = lab
default_volume_type = lab
[lab]
volume_driver = labcinder.FileDriver
volume_backend_name = lab
$(common cinder)
$(authtoken cinder volumev3)
$(client nova nova)
[key_manager]
backend = cinder.keymgr.conf_key_mgr.ConfKeyManager
fixed_key = 0000000000000000000000000000000000000000000000000000000000000000
C
}

cinder_database() { cinder-manage --config-file "$ETC/cinder.conf" db sync; }

cinder_start() {
  launch cinder-api cinder-api --config-file "$ETC/cinder.conf"
  launch cinder-scheduler cinder-scheduler --config-file "$ETC/cinder.conf"
  launch cinder-volume cinder-volume --config-file "$ETC/cinder.conf"
}
