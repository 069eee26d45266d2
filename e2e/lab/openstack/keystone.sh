# shellcheck shell=bash
# Keystone, and the sections by which the others speak to it.

# authtoken USER TYPE: how a service checks the tokens it gets. Without its type, as the catalog has it, it takes no credential with access rules.
authtoken() { cat <<C
[keystone_authtoken]
www_authenticate_uri = http://$H:5000
auth_url = http://$H:5000
auth_type = password
project_domain_name = Default
user_domain_name = Default
project_name = service
username = $1
password = $PW
region_name = RegionOne
memcached_servers = $H:11211
service_type = $2
service_token_roles_required = true
service_token_roles = service
C
}

# client SECTION USER: how a service asks another one
client() { cat <<C
[$1]
auth_type = password
auth_url = http://$H:5000
project_domain_name = Default
user_domain_name = Default
project_name = service
username = $2
password = $PW
region_name = RegionOne
C
}

keystone_config() {
  # uwsgi's HTTP socket closes after every answer: without the header a client that keeps its connection now and then
  # writes into a closed one.
  cat >"$ETC/uwsgi.ini" <<C
[uwsgi]
plugin = python3
master = true
die-on-term = true
lazy-apps = true
enable-threads = true
need-app = true
thunder-lock = true
buffer-size = 65535
listen = 128
processes = 2
threads = 4
disable-logging = true
add-header = Connection: close
C
  # Four rounds of bcrypt: twelve cost 0.3 s for every password login.
  cat >"$ETC/keystone.conf" <<C
[DEFAULT]
log_file = $LOG/keystone.log
max_token_size = 255
$(common keystone)
[identity]
password_hash_rounds = 4
[token]
provider = fernet
[fernet_tokens]
key_repository = $LAB_DIR/keys/fernet
[credential]
key_repository = $LAB_DIR/keys/credential
[cache]
enabled = true
backend = dogpile.cache.memcached
memcache_servers = $H:11211
C
}

keystone_database() {
  local manage=(keystone-manage --config-file "$ETC/keystone.conf") url=http://$H:5000/v3/
  install -d -m 700 "$LAB_DIR/keys" "$LAB_DIR/keys/fernet" "$LAB_DIR/keys/credential"
  "${manage[@]}" db_sync
  "${manage[@]}" fernet_setup --keystone-user root --keystone-group root
  "${manage[@]}" credential_setup --keystone-user root --keystone-group root
  "${manage[@]}" bootstrap --bootstrap-password $PW --bootstrap-region-id RegionOne \
    --bootstrap-public-url "$url" --bootstrap-internal-url "$url" --bootstrap-admin-url "$url"
}

keystone_start() {
  launch keystone OS_KEYSTONE_CONFIG_DIR="$ETC" uwsgi --ini "$ETC/uwsgi.ini" --http-socket "$H:5000" \
    --wsgi-file /usr/bin/keystone-wsgi-public
}
