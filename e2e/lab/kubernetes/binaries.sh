# shellcheck shell=bash
# Binaries out of Go modules.

# pin VERSION CONSTANT: a version that kubeadm of that version pins
pin() { sed -n "s/^\t$2 = \"\(.*\)\"$/\1/p" "$(module_dir "k8s.io/kubernetes@$1")/cmd/kubeadm/app/constants/constants.go"; }
etcd_of() { echo "v$(pin "$1" DefaultEtcdVersion | sed 's/-.*//')"; }

# kubernetes VERSION COMMAND…
kubernetes() {
  local version=$1 name=kubernetes-$1 dir=$OUT/$1/bin source minor package flags='-s -w'; shift
  missing "$dir" "$@" || return 0
  source=$(module_dir "k8s.io/kubernetes@$version") minor=${version#v1.}; minor=${minor%%.*}
  # k8s.io/kubernetes requires its staging repositories at v0.0.0; they are published as v0.Y.Z.
  {
    grep '^godebug ' "$source/go.mod" || true; echo
    awk -v v="v0.${version#v1.}" '$1 ~ /^k8s\.io\// && $2 == "v0.0.0" { print "replace " $1 " => " $1 " " v }' "$source/go.mod"
  } | go_module "$name" "k8s.io/kubernetes@$version"
  # component-base's is what --version says, client-go's the user agent
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    flags+=" -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=$minor"
    flags+=" -X $package.gitTreeState=clean -X $package.gitCommit=unknown"
    flags+=" -X $package.buildDate=$(module_field "k8s.io/kubernetes@$version" '.Time.Format "2006-01-02T15:04:05Z"')"
  done
  go_build "$name" "$dir" -ldflags "$flags" "${@/#/k8s.io/kubernetes/cmd/}"
}

# etcd VERSION [COMMAND]…: etcd, etcdctl and etcdutl, or only those named
etcd() {
  local version=$1 dir=$OUT/etcd/$1/bin command packages=(); shift
  [ $# -gt 0 ] || set -- etcd etcdctl etcdutl
  missing "$dir" "$@" || return 0
  for command; do packages+=("go.etcd.io/etcd/${command/%etcd/server}/v3"); done
  go_module "etcd-$version" go.etcd.io/etcd/{server,etcdctl,etcdutl}/v3@"$version" </dev/null
  RENAME=server:etcd go_build "etcd-$version" "$dir" -ldflags '-s -w' "${packages[@]}"
  (cd "$OUT/etcd" && ln -sfn "$(find . -maxdepth 1 -name 'v*' -printf '%f\n' | sort -V | tail -1)/bin" bin)
}

# coredns VERSION, without the plugins that pull in clouds' SDKs
coredns() {
  local version=$1 dir=$OUT/coredns/$1/bin name=coredns-$1 source
  missing "$dir" coredns || return 0
  source=$(module_dir "github.com/coredns/coredns@$version")
  go_module "$name" "github.com/coredns/coredns@$version" </dev/null
  sed 's/^package plugin/package main/; /coredns\/plugin\/\(azure\|clouddns\|route53\|nomad\|trace\)"/d' \
    "$source/core/plugin/zplugin.go" >"$OUT/src/$name/plugins.go"
  printf 'package main\n\nimport "github.com/coredns/coredns/coremain"\n\nfunc main() { coremain.Run() }\n' >"$OUT/src/$name/main.go"
  RENAME="$name:coredns" go_build "$name" "$dir" -ldflags '-s -w' .
}

# container_runtime: containerd, runc, CNI plugins
container_runtime() {
  local containerd=github.com/containerd/containerd/v2 plugins=github.com/containernetworking/plugins runc=github.com/opencontainers/runc
  local dir=$OUT/node
  if missing "$dir/bin" containerd containerd-shim-runc-v2 ctr; then
    go_module containerd $containerd@$CONTAINERD </dev/null
    go_build containerd "$dir/bin" -tags 'no_btrfs no_devmapper no_zfs no_aufs urfave_cli_no_docs' \
      -ldflags "-s -w -X $containerd/version.Version=$CONTAINERD -X $containerd/version.Package=$containerd" \
      $containerd/cmd/{containerd,containerd-shim-runc-v2,ctr}
  fi
  if missing "$dir/bin" runc; then
    apt gcc libc6-dev pkgconf libseccomp-dev
    go_module runc $runc@$RUNC </dev/null
    CGO_ENABLED=1 go_build runc "$dir/bin" -tags 'seccomp netgo osusergo' -ldflags '-s -w -extldflags -static' $runc
  fi
  if missing "$dir/cni" bridge host-local loopback portmap; then
    go_module cni-plugins $plugins@$CNI </dev/null
    go_build cni-plugins "$dir/cni" -ldflags "-s -w -X $plugins/pkg/utils/buildversion.BuildVersion=$CNI" \
      $plugins/plugins/{main/{bridge,host-device,loopback,macvlan,ptp,vlan,dummy},ipam/{host-local,static,dhcp},meta/{bandwidth,firewall,portmap,sbr,tuning,vrf}}
  fi
  # flannel's own repository for its plugin is no module that can be had; it was here until v1.0
  if missing "$dir/cni" flannel; then
    go_module flannel-cni $plugins@$FLANNEL_CNI </dev/null
    go_build flannel-cni "$dir/cni" -ldflags '-s -w' $plugins/plugins/meta/flannel
  fi
}

# flannel VERSION: its own main.go without two backends; one needs a module that is not to be had, the other (udp) is C
flannel() {
  local module=github.com/flannel-io/flannel name=flannel-$1 dir=$OUT/flannel/$1/bin
  missing "$dir" flanneld || return 0
  go_module "$name" "$module@$1" </dev/null
  sed '/pkg\/backend\/\(tencentvpc\|udp\)"/d' "$(module_dir "$module@$1")/main.go" >"$OUT/src/$name/main.go"
  RENAME="$name:flanneld" go_build "$name" "$dir" -ldflags "-s -w -X $module/pkg/version.Version=$1" .
}

tools() {
  local helm=helm.sh/helm/v3 kwok=sigs.k8s.io/kwok
  if missing "$OUT/tools/bin" helm; then
    go_module helm $helm@$HELM </dev/null
    go_build helm "$OUT/tools/bin" -ldflags "-s -w -X $helm/internal/version.version=$HELM -X $helm/internal/version.gitTreeState=clean" $helm/cmd/helm
  fi
  if missing "$OUT/tools/bin" kwok; then
    go_module kwok $kwok@$KWOK </dev/null
    go_build kwok "$OUT/tools/bin" -ldflags "-s -w -X $kwok/pkg/consts.Version=$KWOK" $kwok/cmd/kwok
  fi
}

# binaries VERSION: all that a node needs
binaries() {
  local version
  kubernetes "$1" kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubeadm kubectl
  etcd "$(etcd_of "$1")"
  container_runtime
  coredns "$(pin "$1" CoreDNSVersion)"
  for version in "${FLANNELS[@]}"; do flannel "$version"; done
}
