# shellcheck shell=bash
# Go modules without a checkout: scratch modules, versions, directories; and Go itself.

export GOFLAGS='-mod=mod -buildvcs=false -trimpath' CGO_ENABLED=0 GOTOOLCHAIN=local

# say TEXT…: on stderr, so that functions that print a path may use it
say() { printf '%(%H:%M:%S)T %s\n' -1 "$*" >&2; }
size() { du -shcL "$@" | awk 'END { print $1 }'; }
# missing DIR FILE…: is something not there?
missing() { local dir=$1 file; shift; for file; do [ -e "$dir/$file" ] || return 0; done; return 1; }

# apt PACKAGE…: installs what is not there
apt() {
  local p need=()
  for p; do [[ $(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null) == installed* ]] || need+=("$p"); done
  [ ${#need[@]} -gt 0 ] || return 0
  say "apt-get install ${need[*]}"
  apt-get -qq -o DPkg::Lock::Timeout=900 update || true     # another apt may hold the lists' lock
  apt-get -qq -o DPkg::Lock::Timeout=900 install -y --no-install-recommends "${need[@]}" </dev/null >/dev/null
}

# need_go: Debian 12's Go is too old to build Kubernetes, but it can fetch a new one: toolchains are Go modules
need_go() {
  local have toolchain
  if [ -x "$OUT/go/bin/go" ]; then export PATH=$OUT/go/bin:$PATH; fi
  have=$(go env GOVERSION 2>/dev/null | sed 's/^go//' || true)
  if [ -n "$have" ] && [ "$(printf '%s\n' $GO_MINIMUM "$have" | sort -V | head -1)" = $GO_MINIMUM ]; then return; fi
  [ -n "$have" ] || apt ca-certificates golang-go
  say "Go ${have:-is missing}: fetching $GO_VERSION"
  toolchain=$(module_dir "golang.org/toolchain@v0.0.1-$GO_VERSION.linux-amd64")
  [ -d "$toolchain" ] || { echo "kubernetes-build: the module golang.org/toolchain@v0.0.1-$GO_VERSION.linux-amd64 could not be fetched" >&2; exit 1; }
  rm -rf "$OUT/go.part"; cp -r "$toolchain" "$OUT/go.part"; chmod -R u+w "$OUT/go.part"
  chmod 755 "$OUT"/go.part/bin/* "$OUT"/go.part/pkg/tool/*/*   # an old Go unpacks modules without the executable bit
  find "$OUT/go.part" -name _go.mod -execdir mv {} go.mod \;      # in a module zip, go.mod files of the tree are renamed
  mv "$OUT/go.part" "$OUT/go"; export PATH=$OUT/go/bin:$PATH; hash -r
  say "$(go version)"
}

# module_dir MODULE@VERSION: where its source lies
module_dir() { (cd / && GOFLAGS='' go mod download -json "$1" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p'); }
# module_field MODULE@VERSION TEMPLATE
module_field() { (cd / && GOFLAGS='' go list -m -f "{{$2}}" "$1"); }

# go_module NAME MODULE@VERSION…: a scratch module with the first one's go directive; lines on stdin are added to go.mod
go_module() {
  local name=$1 first=$2 m; shift; mkdir -p "$OUT/src/$name"
  {
    printf 'module lab/%s\n\ngo %s\n\n' "$name" "$(module_field "$first" .GoVersion)"
    for m; do echo "require ${m/@/ }"; done
    echo; cat
  } >"$OUT/src/$name/go.mod"
}

# go_build NAME OUT_DIR GO_BUILD_ARGUMENT…: in that scratch module. RENAME="from:to …" renames binaries.
go_build() {
  local name=$1 dir=$2 began=$SECONDS pair; shift 2
  say "building $name"
  rm -rf "$OUT/src/$name/bin"; mkdir -p "$OUT/src/$name/bin" "$dir"
  (cd "$OUT/src/$name" && go build -o bin/ "$@" 2> >(grep -v '^go: \(downloading\|added\|finding\)' >&2))
  for pair in ${RENAME:-}; do mv "$OUT/src/$name/bin/${pair%%:*}" "$OUT/src/$name/bin/${pair#*:}"; done
  say "$name: $((SECONDS - began)) s, $(size "$OUT/src/$name/bin")"
  mv "$OUT/src/$name"/bin/* "$dir/"; rmdir "$OUT/src/$name/bin"
}
