# shellcheck shell=bash
# Daemons without systemd: each has a pid file $RUN/NAME.pid and a log $LOG/NAME.log.

# alive NAME: runs, and is not a zombie that waits for pid 1
alive() {
  local state
  [ -s "$RUN/$1.pid" ] && state=$(cut -d' ' -f3 "/proc/$(cat "$RUN/$1.pid")/stat" 2>/dev/null) && [ "$state" != Z ]
}

# all_alive: ends the script with the last errors of a daemon that ended
all_alive() {
  local file name
  for file in "$RUN"/*.pid; do
    name=$(basename "$file" .pid); case $name in *.real) continue ;; esac
    alive "$name" || { echo "$name ended; see $LOG/$name.log:" >&2; grep -E 'rror' "$LOG/$name.log" | tail -n 3 >&2; exit 1; }
  done
}

# launch NAME COMMAND…: in the background; does nothing when it runs. CHUID=user runs it as that user.
launch() {
  local name=$1; shift
  alive "$name" && return 0
  rm -f "$RUN/$name.pid"                      # start-stop-daemon takes a zombie for a running process
  start-stop-daemon --start --background --make-pidfile --pidfile "$RUN/$name.pid" \
    --output "$LOG/$name.log" ${CHUID:+--chuid $CHUID} --startas /usr/bin/env -- "$@" 9>&-
}

# until_ok SECONDS NAME COMMAND…: waits for the command; gives up early when the daemon NAME ended
until_ok() {
  local seconds=$1 name=$2 end=$((SECONDS + $1)); shift 2
  until "$@" >/dev/null 2>&1; do
    if [ $SECONDS -ge $end ] || { [ -e "$RUN/$name.pid" ] && ! alive "$name"; }; then
      echo "$name did not come up in $seconds s, or ended:" >&2; all_alive
      [ ! -e "$LOG/$name.log" ] || tail -n 20 "$LOG/$name.log" >&2
      exit 1
    fi
    sleep 0.2
  done
}

# http PORT PATH: does it answer, whatever it says?
http() { curl -s -o /dev/null --noproxy '*' --max-time 5 "http://$H:$1$2"; }
