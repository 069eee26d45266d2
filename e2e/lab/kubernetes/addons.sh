# shellcheck shell=bash
# Programs of addons and their images, out of Go modules. Versions: versions.sh. What cannot be had is in docs/lab.md.

# replaces MODULE@VERSION: its replace directives, as far as they do not point into its own tree
replaces() {
  awk '/^replace \($/ { block = 1; next } block && /^\)/ { block = 0 }
    block || /^replace / { sub(/^replace /, ""); sub(/\/\/.*/, ""); if ($0 !~ /=> \.\.?\//) print "replace " $0 }' "$(module_dir "$1")/go.mod"
}

# addon NAME VERSION MODULE@VERSION [-X VARIABLE=VALUE | -tags TAGS | -with MODULE@VERSION]… COMMAND_DIRECTORY… → DIR/addons/NAME/VERSION/bin
# -with: a module that it takes from its own tree, as it was published of the same version. RENAME="from:to …" renames binaries, CGO_ENABLED=1 lets it call C.
addon() {
  local name=$1 version=$2 module=$3 dir=$OUT/addons/$1/$2/bin flags='-s -w' tags=() packages=() wanted=() with=("$3") pair; shift 3
  while [ $# -gt 0 ]; do case $1 in
    -X) flags+=" -X $2"; shift ;;
    -tags) tags=(-tags "$2"); shift ;;
    -with) with+=("$2"); shift ;;
    *) packages+=("${module%@*}${1:+/$1}"); wanted+=("$([ -n "$1" ] && basename "$1" || echo "$name")") ;;
  esac; shift; done
  for pair in ${RENAME:-}; do wanted=("${wanted[@]/#${pair%%:*}/${pair#*:}}"); done
  missing "$dir" "${wanted[@]}" || return 0
  replaces "$module" | go_module "$name-$version" "${with[@]}"
  go_build "$name-$version" "$dir" "${tags[@]}" -ldflags "$flags" "${packages[@]}"
}

# addon_image REFERENCE DIRECTORY [oci-image option or base layer]… -- BINARY…: an image with the binaries in that directory. Its
# name is what upstream's is (a bundle runs as it ships), and $REPO/NAME:TAG.
addon_image() {
  local reference=$1 where=$2 name options=() tag=${1##*:}; shift 2
  name=${reference%:*}; name=${name##*/}
  while [ "$1" != -- ]; do options+=("$1"); shift; done; shift
  missing "$OUT" "images/${name}_$tag.tar" "addons/images/${name}_$tag.tar" || return 0
  LINK=${name}_$tag image addons "$name" "$tag" -r "$reference" "${options[@]}" "$(layer_of "$name" "$where" "$@")"
}

# csi_sidecar IMAGE[:TAG] VERSION MODULE [-with MODULE@VERSION]: one of the CSI project's, whose command has the image's name
# TAG: of the version that bundles name, where that one cannot be had
csi_sidecar() {
  local tag=$2; case $1 in *:*) tag=${1#*:}; set -- "${1%:*}" "${@:2}" ;; esac
  addon "$1" "$2" "$3@$2" "${@:4}" -X "main.version=$2" "cmd/$1"
  addon_image "registry.k8s.io/sig-storage/$1:$tag" . -e "/$1" "$WORK/base" -- "$OUT/addons/$1/$2/bin/$1"
}

# stand_in REFERENCE DIRECTORY [oci-image option or base layer]…: a program of ours (standins/*) in place of one that cannot be had
stand_in() {
  local name=${1%:*} version=${1##*:} dir
  name=${name##*/} dir=$OUT/addons/${name##*/}/$version/bin
  if missing "$dir" "$name"; then
    say "building $name $version (the lab's own)"; mkdir -p "$dir"
    (cd "$HERE/kubernetes/standins" && go build -mod=readonly -ldflags "-s -w -X main.version=$version" -o "$dir/" "./$name")
  fi
  addon_image "$@" -- "$dir/$name"
}

# cinder_csi VERSION: the CSI driver for Cinder
cinder_csi() {
  local version=$1 module=k8s.io/cloud-provider-openstack
  # A driver that was not built out of the module is the lab's stand-in of former times.
  [ -d "$OUT/src/cinder-csi-plugin-$version" ] || rm -rf "$OUT/addons/cinder-csi-plugin/$version" "$OUT"/{,addons/}images/cinder-csi-plugin_"$version.tar"
  addon cinder-csi-plugin "$version" "$module@$version" -X "k8s.io/component-base/version.gitVersion=$version" -X "$module/pkg/version.Version=$version" cmd/cinder-csi-plugin
  addon_image "registry.k8s.io/provider-os/cinder-csi-plugin:$version" usr/bin -c /bin/cinder-csi-plugin "$WORK/base" "$WORK/filesystems" -- \
    "$OUT/addons/cinder-csi-plugin/$version/bin/cinder-csi-plugin"
}

# cloud_controller_manager VERSION: load balancers of Octavia for Services, out of the driver's module
cloud_controller_manager() {
  local version=$1 module=k8s.io/cloud-provider-openstack name=openstack-cloud-controller-manager
  addon $name "$version" "$module@$version" -X "k8s.io/component-base/version.gitVersion=$version" -X "$module/pkg/version.Version=$version" cmd/$name
  # Its command is named in full by bundles.
  addon_image "registry.k8s.io/provider-os/$name:$version" bin -c /bin/$name "$WORK/base" -- "$OUT/addons/$name/$version/bin/$name"
}

# node_problem_detector VERSION: with its helpers where upstream's image has them. It reads the journal by C; without the exporter to Google's cloud,
# which is most of what there is to compile.
node_problem_detector() {
  local version=$1 name=node-problem-detector dir=$OUT/addons/node-problem-detector/$1/bin module=k8s.io/node-problem-detector
  ! missing "$dir" $name health-checker log-counter || apt gcc libc6-dev libsystemd-dev
  CGO_ENABLED=1 RENAME="nodeproblemdetector:$name healthchecker:health-checker logcounter:log-counter" \
    addon $name "$version" "$module@$version" -X "$module/pkg/version.version=$version" -tags 'journald disable_stackdriver_exporter' \
    cmd/nodeproblemdetector cmd/healthchecker cmd/logcounter
  missing "$OUT" "addons/images/${name}_$version.tar" || return 0
  layer_journal
  addon_image "registry.k8s.io/$name/$name:$version" . -e /$name "$WORK/base" "$WORK/journal" \
    "$(layer_of $name-helpers home/kubernetes/bin "$dir"/{health-checker,log-counter})" -- "$dir/$name"
}

# csi_sanity VERSION: upstream's main.go with csi-sanity/retry.go
csi_sanity() {
  local module=github.com/kubernetes-csi/csi-test/v5@$1 name=csi-sanity-$1 dir=$OUT/addons/csi-sanity/$1/bin
  cmp -s "$HERE/kubernetes/csi-sanity/retry.go" "$OUT/src/$name/retry.go" || rm -rf "$dir"
  missing "$dir" csi-sanity || return 0
  replaces "$module" | go_module "$name" "$module"
  sed 's/config := sanity.NewTestConfig()/&\n\tconfig.DialOptions = append(config.DialOptions, grpc.WithUnaryInterceptor(retry))/; s/^import (/&\n\t"google.golang.org\/grpc"/' \
    "$(module_dir "$module")/cmd/csi-sanity/main.go" >"$OUT/src/$name/main.go"
  cp "$HERE/kubernetes/csi-sanity/retry.go" "$OUT/src/$name/"
  RENAME="$name:csi-sanity" go_build "$name" "$dir" -ldflags '-s -w' .
}

addons() {
  local version bin base=$WORK/base
  mkdir -p "$WORK"; layer_base; layer_filesystems
  for version in "${CINDER_CSI[@]}"; do cinder_csi "$version"; done
  for version in "${CLOUD_CONTROLLER_MANAGER[@]}"; do cloud_controller_manager "$version"; done
  stand_in "registry.k8s.io/sig-storage/csi-node-driver-registrar:$CSI_REGISTRAR" . -e /csi-node-driver-registrar "$base"
  stand_in "registry.k8s.io/sig-storage/livenessprobe:$CSI_LIVENESS" . -e /livenessprobe "$base"
  stand_in "quay.io/kiwigrid/k8s-sidecar:$SIDECAR" . -e /k8s-sidecar -u 65534 "$base"
  for version in "${NODE_EXPORTER[@]}"; do
    addon node_exporter "$version" "github.com/prometheus/node_exporter@$version" -X "github.com/prometheus/common/version.Version=${version#v}" -tags 'netgo osusergo' ''
    addon_image "quay.io/prometheus/node-exporter:$version" bin -e /bin/node_exporter -u 65534 "$base" -- "$OUT/addons/node_exporter/$version/bin/node_exporter"
  done
  csi_sidecar csi-provisioner "$CSI_PROVISIONER" github.com/kubernetes-csi/external-provisioner/v5
  csi_sidecar csi-attacher:v4.10.0 "$CSI_ATTACHER" github.com/kubernetes-csi/external-attacher/v4
  # Prometheus v3.N.P is the Go module v0.3NN.P. Its web page's files are not in it: the API answers, / does not.
  for version in "${PROMETHEUS[@]}"; do
    bin=$OUT/addons/prometheus/$version/bin
    addon prometheus "$version" "github.com/prometheus/prometheus@$(prometheus_module "$version")" -X "github.com/prometheus/common/version.Version=${version#v}" \
      -tags 'netgo remove_all_sd enable_kubernetes_sd enable_dns_sd' cmd/prometheus cmd/promtool
    addon_image "quay.io/prometheus/prometheus:$version" bin -e /bin/prometheus -u 65534 -w /prometheus \
      -c --config.file=/etc/prometheus/prometheus.yml -c --storage.tsdb.path=/prometheus "$base" -- "$bin"/{prometheus,promtool}
  done
  csi_sidecar csi-resizer "$CSI_RESIZER" github.com/kubernetes-csi/external-resizer
  for bin in csi-snapshotter snapshot-controller; do
    csi_sidecar $bin "$CSI_SNAPSHOTTER" github.com/kubernetes-csi/external-snapshotter/v8 \
      -with "github.com/kubernetes-csi/external-snapshotter/client/v8@$CSI_SNAPSHOTTER"
  done
  for version in "${METRICS_SERVER[@]}"; do
    addon metrics-server "$version" "sigs.k8s.io/metrics-server@$version" -X "k8s.io/client-go/pkg/version.gitVersion=$version" cmd/metrics-server
    addon_image "registry.k8s.io/metrics-server/metrics-server:$version" . -e /metrics-server -u 65534 "$base" -- "$OUT/addons/metrics-server/$version/bin/metrics-server"
  done
  # What it says of its version is a variable of Prometheus' library.
  for version in "${KUBE_STATE_METRICS[@]}"; do
    addon kube-state-metrics "$version" "k8s.io/kube-state-metrics/v2@$version" -X "github.com/prometheus/common/version.Version=$version" ''
    addon_image "registry.k8s.io/kube-state-metrics/kube-state-metrics:$version" . -e /kube-state-metrics -e --port=8080 -e --telemetry-port=8081 -u 65534 \
      "$base" -- "$OUT/addons/kube-state-metrics/$version/bin/kube-state-metrics"
  done
  for version in "${NODE_PROBLEM_DETECTOR[@]}"; do node_problem_detector "$version"; done
  csi_sanity "$CSI_SANITY"
  rm -rf "$WORK"/bin-*
}

# prometheus_module v3.16.0 → v0.316.0
prometheus_module() { local major minor patch; IFS=. read -r major minor patch <<<"${1#v}"; printf 'v0.%d%02d.%d\n' "$major" "$minor" "$patch"; }
