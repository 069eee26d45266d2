# shellcheck shell=bash
# Neutron: the server; in the libvirt profile the linuxbridge, DHCP, metadata and L3 agents.

NEUTRON=(--config-file "$ETC/neutron.conf" --config-file "$ETC/ml2.ini")

neutron_config() {
  cat >"$ETC/neutron.conf" <<C
[DEFAULT]
core_plugin = ml2
service_plugins = router,port_forwarding
transport_url = $RABBIT
bind_host = $H
bind_port = 9696
api_workers = 2
rpc_workers = 1
rpc_state_report_workers = 0
state_path = $LAB_DIR/neutron
api_paste_config = /etc/neutron/api-paste.ini
use_stderr = true
notify_nova_on_port_status_changes = true
notify_nova_on_port_data_changes = true
send_events_interval = 1
dhcp_agents_per_network = 1
agent_down_time = 75
allow_overlapping_ips = true
global_physnet_mtu = 1500
[agent]
root_helper = $([ $PROFILE = fake ] || echo "sudo /usr/bin/neutron-rootwrap /etc/neutron/rootwrap.conf")
report_interval = 10
$(common neutron)
$(authtoken neutron network)
$(client nova nova)
$(client placement placement)
[experimental]
linuxbridge = true
[quotas]
quota_network = -1
quota_subnet = -1
quota_port = -1
quota_router = -1
quota_floatingip = -1
quota_security_group = -1
quota_security_group_rule = -1
C
  cat >"$ETC/ml2.ini" <<C
[ml2]
type_drivers = local,flat,vlan,vxlan
tenant_network_types = vxlan
mechanism_drivers = $([ $PROFILE = fake ] && echo lab || echo linuxbridge)
extension_drivers = port_security
[ml2_type_flat]
flat_networks = public
[ml2_type_vlan]
network_vlan_ranges = public:100:199
[ml2_type_vxlan]
vni_ranges = 1:100000
[securitygroup]
enable_security_group = true
enable_ipset = true
firewall_driver = $([ $PROFILE = fake ] && echo noop || echo iptables)
C
}

agents_config() {
  cat >"$ETC/linuxbridge.ini" <<C
[DEFAULT]
host = compute-1
[linux_bridge]
bridge_mappings = public:br-lab-ext
[vxlan]
enable_vxlan = true
local_ip = 10.254.254.1
l2_population = false
[securitygroup]
firewall_driver = iptables
enable_security_group = true
C
  cat >"$ETC/dhcp.ini" <<C
[DEFAULT]
host = compute-1
interface_driver = linuxbridge
dhcp_driver = neutron.agent.linux.dhcp.Dnsmasq
enable_isolated_metadata = true
force_metadata = true
C
  cat >"$ETC/l3.ini" <<C
[DEFAULT]
host = compute-1
interface_driver = linuxbridge
agent_mode = legacy
C
  cat >"$ETC/metadata.ini" <<C
[DEFAULT]
host = compute-1
nova_metadata_host = $H
nova_metadata_port = 8775
metadata_proxy_shared_secret = $PW
metadata_workers = 1
C
}

neutron_database() { neutron-db-manage "${NEUTRON[@]}" upgrade heads; }
neutron_start() { launch neutron neutron-server "${NEUTRON[@]}"; }

agents_start() {
  launch neutron-linuxbridge-agent /usr/bin/python3 -c \
    'import sys; sys.argv[0] = "neutron-linuxbridge-agent"; from lablinuxbridge import main; main()' \
    "${NEUTRON[@]}" --config-file "$ETC/linuxbridge.ini"
  launch neutron-dhcp-agent neutron-dhcp-agent "${NEUTRON[@]}" --config-file "$ETC/dhcp.ini"
  launch neutron-metadata-agent neutron-metadata-agent "${NEUTRON[@]}" --config-file "$ETC/metadata.ini"
  launch neutron-l3-agent neutron-l3-agent "${NEUTRON[@]}" --config-file "$ETC/l3.ini"
}

agents_alive() {
  [ "$(sql 'select count(*) from neutron.agents where heartbeat_timestamp > utc_timestamp() - interval 60 second')" -ge 4 ]
}
