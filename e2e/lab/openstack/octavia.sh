# shellcheck shell=bash
# Octavia: the real API and worker. Its network driver makes real VIP ports; see drivers/laboctavia.py.

octavia_config() {
  mkdir -p "$LAB_DIR/keys"
  cat >"$ETC/octavia.conf" <<C
[DEFAULT]
transport_url = $RABBIT
use_stderr = true
[api_settings]
bind_host = $H
bind_port = 9876
auth_strategy = keystone
enabled_provider_drivers = amphora:Octavia
default_provider_driver = amphora
allow_ping_health_monitors = true
$(common octavia)
$(authtoken octavia load-balancer)
$(client service_auth octavia)
[health_manager]
heartbeat_key = $PW
bind_ip = $H
[oslo_messaging]
topic = octavia_prov
[certificates]
ca_certificate = $LAB_DIR/keys/octavia-ca.pem
ca_private_key = $LAB_DIR/keys/octavia-ca.key
ca_private_key_passphrase = $PW
server_certs_key_passphrase = insecure-key-of-a-lab-do-not-use
[haproxy_amphora]
server_ca = $LAB_DIR/keys/octavia-ca.pem
[controller_worker]
workers = 1
amphora_driver = $([ $PROFILE = libvirt ] && echo lab || echo amphora_noop_driver)
compute_driver = compute_noop_driver
network_driver = lab
volume_driver = volume_noop_driver
image_driver = image_noop_driver
distributor_driver = distributor_noop_driver
amp_boot_network_list = 00000000-0000-0000-0000-000000000000
client_ca = $LAB_DIR/keys/octavia-ca.pem
[task_flow]
engine = serial
C
}

octavia_database() { octavia-db-manage --config-file "$ETC/octavia.conf" upgrade head; }

octavia_start() {
  [ -e "$LAB_DIR/keys/octavia-ca.pem" ] || openssl req -x509 -newkey rsa:2048 -days 3650 -subj /CN=lab -passout pass:$PW \
    -keyout "$LAB_DIR/keys/octavia-ca.key" -out "$LAB_DIR/keys/octavia-ca.pem" 2>"$LOG/octavia-ca.log"
  launch octavia-api uwsgi --ini "$ETC/uwsgi.ini" --http-socket "$H:9876" --wsgi-file /usr/bin/octavia-wsgi \
    --pyargv "--config-file $ETC/octavia.conf"
  launch octavia-worker /usr/bin/python3 -c 'import laboctavia; laboctavia.main()' --config-file "$ETC/octavia.conf"
}
