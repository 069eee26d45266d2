# shellcheck shell=bash
# Glance: images as files.

glance_config() {
  cp /etc/glance/glance-api-paste.ini "$ETC/"
  cat >"$ETC/glance-api.conf" <<C
[DEFAULT]
bind_host = $H
bind_port = 9292
workers = 1
use_stderr = true
enabled_backends = files:file
$(common glance)
$(authtoken glance image)
[paste_deploy]
flavor = keystone
config_file = $ETC/glance-api-paste.ini
[glance_store]
default_backend = files
[files]
filesystem_store_datadir = $LAB_DIR/images
[os_glance_staging_store]
filesystem_store_datadir = $LAB_DIR/images-staging
[os_glance_tasks_store]
filesystem_store_datadir = $LAB_DIR/images-tasks
C
}

glance_database() { glance-manage --config-file "$ETC/glance-api.conf" db_sync; }
glance_start() { launch glance OS_GLANCE_CONFIG_DIR="$ETC" glance-api --config-file "$ETC/glance-api.conf"; }
