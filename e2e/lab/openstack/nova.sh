# shellcheck shell=bash
# Nova: API, metadata, scheduler, conductor; one compute host on libvirt, or several in memory.

NOVA=(--config-file "$ETC/nova.conf")

nova_config() {
  # Quotas are unlimited here; a test of quota errors sets them for its project.
  cat >"$ETC/nova.conf" <<C
[DEFAULT]
transport_url = $RABBIT
state_path = $LAB_DIR/nova
my_ip = $H
enabled_apis = osapi_compute,metadata
osapi_compute_listen = $H
osapi_compute_workers = 2
metadata_listen = $H
metadata_workers = 1
use_stderr = true
rootwrap_config = /etc/nova/rootwrap.conf
shutdown_timeout = 10
instance_name_template = lab-%08x
[api_database]
connection = $(db nova_api)
$(common nova)
$(authtoken nova compute)
[api]
auth_strategy = keystone
[conductor]
workers = 1
[scheduler]
workers = 1
discover_hosts_in_cells_interval = 10
[filter_scheduler]
enabled_filters = ComputeFilter,ComputeCapabilitiesFilter,ImagePropertiesFilter,ServerGroupAntiAffinityFilter,ServerGroupAffinityFilter
track_instance_changes = true
[quota]
instances = -1
cores = -1
ram = -1
key_pairs = -1
server_groups = -1
server_group_members = -1
[glance]
api_servers = http://$H:9292
[service_user]
send_service_user_token = true
$(client service_user nova | tail -n +2)
$(client placement nova)
$(client neutron nova)
service_metadata_proxy = true
metadata_proxy_shared_secret = $PW
[cinder]
os_region_name = RegionOne
catalog_info = volumev3::publicURL
$(client cinder nova | tail -n +2)
[vnc]
enabled = false
[spice]
enabled = false
[upgrade_levels]
compute = auto
C
  compute_config_$PROFILE
}

compute_config_fake() {
  local i
  for i in $(seq 1 "$FAKE_HOSTS"); do
    mkdir -p "$LAB_DIR/nova-compute-$i"
    cat >"$ETC/compute-$i.conf" <<C
[DEFAULT]
host = compute-$i
compute_driver = fake.FakeDriver
state_path = $LAB_DIR/nova-compute-$i
reserved_host_memory_mb = 0
[oslo_concurrency]
lock_path = $LAB_DIR/nova-compute-$i
C
  done
}

compute_config_libvirt() {
  mkdir -p "$LAB_DIR/nova/instances"
  # libvirt under-reports this machine's memory, hence the ratios. images_type raw is what a container's root needs.
  # libvirt-lxc tells no event when a disk is gone, hence the short wait for it; volumes of lxc: see drivers/labnova.py.
  cat >"$ETC/compute-1.conf" <<C
[DEFAULT]
host = compute-1
compute_driver = libvirt.LibvirtDriver
instances_path = $LAB_DIR/nova/instances
reserved_host_memory_mb = 512
ram_allocation_ratio = 4.0
disk_allocation_ratio = 8.0
cpu_allocation_ratio = 32.0
force_config_drive = false
vif_plugging_timeout = 60
vif_plugging_is_fatal = true
use_cow_images = $([ "$VIRT_TYPE" = lxc ] && echo false || echo true)
[libvirt]
virt_type = $VIRT_TYPE
$(case $VIRT_TYPE in kvm) echo cpu_mode = host-passthrough ;; qemu) echo cpu_mode = none ;; lxc) printf '%s\n' 'connection_uri = lxc:///' 'disk_prefix = vd' 'device_detach_timeout = 1' ;; esac)
images_type = default
C
}

nova_database() {
  nova-manage "${NOVA[@]}" api_db sync
  nova-manage "${NOVA[@]}" cell_v2 map_cell0 --database_connection "$(db nova_cell0)"
  nova-manage "${NOVA[@]}" db sync
  nova-manage "${NOVA[@]}" cell_v2 create_cell --name cell1 || nova-manage "${NOVA[@]}" cell_v2 list_cells | grep -q cell1
}

nova_start() {
  launch nova-conductor nova-conductor "${NOVA[@]}"
  launch nova-scheduler nova-scheduler "${NOVA[@]}"
  launch nova-api nova-api "${NOVA[@]}"
}

computes_fake() {
  local i
  for i in $(seq 1 "$FAKE_HOSTS"); do
    launch "nova-compute-$i" /usr/bin/python3 -c \
      'import sys; sys.argv[0] = "nova-compute"; from nova.cmd.compute import main; main()' \
      "${NOVA[@]}" --config-file "$ETC/compute-$i.conf"
  done
}

computes_libvirt() {
  local command=(nova-compute)
  [ "$VIRT_TYPE" != lxc ] || command=(/usr/bin/python3 -c 'import labnova; labnova.main()')
  launch nova-compute-1 "${IN_NAMESPACE[@]}" "${command[@]}" "${NOVA[@]}" --config-file "$ETC/compute-1.conf"
}

# hosts_mapped: a compute host must be mapped into the cell before a server can be scheduled to it
hosts_mapped() {
  computes_$PROFILE
  [ "$(sql 'select count(*) from nova_api.host_mappings')" -ge "$(find "$ETC" -name 'compute-*.conf' | wc -l)" ] && return
  nova-manage "${NOVA[@]}" cell_v2 discover_hosts >>"$LOG/nova-db.log" 2>&1
  false
}
