# shellcheck shell=bash
# MariaDB on a unix socket, memcached, RabbitMQ: what all of OpenStack stands on.

# Fast and careless on purpose: a crash of the machine may lose the lab's databases.
database_config() {
  cat >"$ETC/my.cnf" <<C
[mariadbd]
user = mysql
datadir = $LAB_DIR/mysql
socket = $SOCK
pid-file = $RUN/mariadbd.real.pid
skip-networking
skip-name-resolve
skip-log-bin
performance-schema = off
max_connections = 600
innodb_buffer_pool_size = 256M
innodb_log_file_size = 64M
innodb_flush_log_at_trx_commit = 0
innodb_flush_method = nosync
innodb_doublewrite = 0
character-set-server = utf8mb3
C
  mkdir -p "$LAB_DIR/rabbit"
  cat >"$ETC/rabbitmq.conf" <<C
listeners.tcp.1 = $H:5672
vm_memory_high_watermark.absolute = 512MB
disk_free_limit.absolute = 50MB
log.file.level = warning
C
  echo '[].' >"$ETC/enabled_plugins"
  RABBIT="rabbit://guest:guest@$H:5672/"
}

# db NAME: the SQLAlchemy URL of a database
db() { echo "mysql+pymysql://root@localhost/$1?unix_socket=$SOCK&charset=utf8"; }
sql() { mariadb --socket="$SOCK" -N -e "$1"; }

database_start() {
  if [ ! -d "$LAB_DIR/mysql/mysql" ]; then
    install -d -o mysql -g mysql "$LAB_DIR/mysql"
    mariadb-install-db --defaults-file="$ETC/my.cnf" --auth-root-authentication-method=normal --skip-test-db \
      >"$LOG/mariadb-install.log" 2>&1
  fi
  chown mysql "$RUN"
  launch mariadbd mariadbd --defaults-file="$ETC/my.cnf"
  launch memcached memcached -u memcache -l "$H" -p 11211 -m 32
  chown -R rabbitmq "$LAB_DIR/rabbit"
  CHUID=rabbitmq launch epmd epmd -address "$H" -port $EPMD_PORT
  CHUID=rabbitmq launch rabbitmq HOME="$LAB_DIR/rabbit" ERL_EPMD_ADDRESS="$H" ERL_EPMD_PORT=$EPMD_PORT \
    RABBITMQ_NODENAME=lab@localhost RABBITMQ_CONFIG_FILE="$ETC/rabbitmq.conf" \
    RABBITMQ_ENABLED_PLUGINS_FILE="$ETC/enabled_plugins" RABBITMQ_MNESIA_BASE="$LAB_DIR/rabbit" \
    RABBITMQ_LOG_BASE="$LAB_DIR/rabbit" RABBITMQ_CONF_ENV_FILE=/dev/null RABBITMQ_DIST_PORT=$DIST_PORT \
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none" \
    /usr/lib/rabbitmq/bin/rabbitmq-server
  until_ok 60 mariadbd sql 'select 1'
}

rabbitmq_answers() { (exec 3<>"/dev/tcp/$H/5672") 2>/dev/null; }

# make_databases: all schemas, in parallel
make_databases() {
  local name job jobs=()
  for name in keystone glance placement nova nova_api nova_cell0 neutron ${OCTAVIA:+octavia} ${CINDER:+cinder}; do
    sql "create database if not exists $name character set utf8mb3"
  done
  for name in keystone nova glance placement neutron ${OCTAVIA:+octavia} ${CINDER:+cinder}; do
    ( set -e; "${name}_database" ) >"$LOG/$name-db.log" 2>&1 9>&- & jobs+=("$!:$name")
  done
  for job in "${jobs[@]}"; do
    wait "${job%:*}" || { tail -20 "$LOG/${job#*:}-db.log" >&2; fail "the database of ${job#*:} could not be made: $LOG/${job#*:}-db.log"; }
  done
}

# common NAME: sections that every service with a database has
common() { cat <<C
[database]
connection = $(db "$1")
max_pool_size = 10
max_overflow = 40
[oslo_concurrency]
lock_path = $LAB_DIR/locks
[oslo_middleware]
enable_proxy_headers_parsing = true
[oslo_messaging_notifications]
driver = noop
C
}
