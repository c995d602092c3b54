#!/usr/bin/env bash
# Installs what Tributary needs on a Debian 12 machine and only what is missing:
#   scripts/setup.sh         to run it and the demo
#   scripts/setup.sh test    also the programs that the tests compare ourselves with (Go) or are asked by (Python)
#   scripts/setup.sh cluster also what `make cluster` starts: Kubernetes, Tekton, OLM and what is below them
#   scripts/setup.sh image   also what `make image` packs
# Debian packages need root; without it, what is missing is listed. Everything else goes into .tools and node_modules.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$PWD/.tools
mode=${1-}
mkdir -p "$tools/bin"
export PATH=$tools/bin:$PATH

node_version=24.21.0 npm_version=11.19.1 go_version=1.26.8

debian_packages() {
  local missing=() row
  # program:package
  local needed=(git:git make:make curl:curl buildah:buildah skopeo:skopeo runc:runc docker-registry:docker-registry ip:iproute2
    newuidmap:uidmap unshare:util-linux setpriv:util-linux update-ca-certificates:ca-certificates)
  [ "$mode" != test ] || needed+=(openssl:openssl)
  ! for_cluster || needed+=(etcd:etcd-server containerd:containerd mmdebstrap:mmdebstrap iptables:iptables openssl:openssl
    nsenter:util-linux mount:mount /usr/lib/cni/bridge:containernetworking-plugins)
  for row in "${needed[@]}"; do
    command -v "${row%%:*}" >/dev/null || missing+=("${row##*:}")
  done
  busybox_is_static || missing+=(busybox-static)
  [ "$mode" != test ] || python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
  command -v npm >/dev/null || missing+=(nodejs npm)
  recent_go || command -v go >/dev/null || [ -x "$tools/go/bin/go" ] || missing+=(golang-go)
  [ ${#missing[@]} -gt 0 ] || return 0

  if [ "$(id -u)" != 0 ]; then
    echo "Missing Debian packages: ${missing[*]}" >&2
    echo "  As root: apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 4
  fi
  echo "installing Debian packages: ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  # These packages start a service of their own where systemd runs; ours are started when they are needed.
  local package service
  for row in docker-registry:docker-registry etcd-server:etcd containerd:containerd; do
    package=${row%%:*} service=${row##*:}
    [[ " ${missing[*]} " == *" $package "* ]] && [ -d /run/systemd/system ] || continue
    systemctl disable --quiet --now "$service" || true
  done
}

# The tests use one where one can run.
for_cluster() { [ "$mode" = cluster ] || { [ "$mode" = test ] && test/cluster/possible.sh 2>/dev/null; }; }

busybox_is_static() { [ -x /bin/busybox ] && ! ldd /bin/busybox >/dev/null 2>&1; }

# Node 24 and npm 11 by npm itself, whatever version of both the machine has.
node_and_npm() {
  [ "$(node --version 2>/dev/null)" = "v$node_version" ] && [ "$(npm --version 2>/dev/null)" = "$npm_version" ] && return 0
  echo "installing Node $node_version and npm $npm_version into .tools"
  mkdir -p "$tools/node"
  npm install --silent --no-audit --no-fund --prefix "$tools/node" "node@$node_version" "npm@$npm_version"
  ln -sf "$tools/node/node_modules/node/bin/node" "$tools/bin/node"
  ln -sf "$tools/node/node_modules/npm/bin/npm-cli.js" "$tools/bin/npm"
  ln -sf "$tools/node/node_modules/npm/bin/npx-cli.js" "$tools/bin/npx"
  hash -r
}

node_modules() {
  local stamp=node_modules/.from-$(sha256sum package-lock.json | cut -c1-16)
  [ -e "$stamp" ] && return 0
  echo "installing npm packages"
  npm ci --silent --no-audit --no-fund
  touch "$stamp"
}

recent_go() { go version 2>/dev/null | grep -qE 'go1\.(2[6-9]|[3-9][0-9])'; }

# A Go that is too old can still fetch a newer toolchain, which is a Go module.
go_toolchain() {
  recent_go && return 0
  local module goroot
  module=golang.org/toolchain@v0.0.1-go$go_version.linux-$(dpkg --print-architecture)
  echo "installing Go $go_version into .tools"
  goroot=$(cd / && GOFLAGS=-mod=mod go mod download -json "$module" | sed -n 's/.*"Dir": "\(.*\)",*/\1/p')
  rm -rf "$tools/go"
  cp -r "$goroot" "$tools/go"
  chmod -R u+w "$tools/go"
  chmod +x "$tools"/go/bin/* "$tools"/go/pkg/tool/*/* 2>/dev/null || true
  ln -sf "$tools/go/bin/go" "$tools/bin/go"
  ln -sf "$tools/go/bin/gofmt" "$tools/bin/gofmt"
}

# schemathesis, which asks the service whatever its description allows (test/integration/description.test.ts).
schemathesis_version=4.32.5
schemathesis() {
  [ "$("$tools/python/bin/schemathesis" --version 2>/dev/null)" = "schemathesis, version $schemathesis_version" ] && return 0
  echo "installing schemathesis $schemathesis_version into .tools"
  rm -rf "$tools/python"
  python3 -m venv "$tools/python"
  "$tools/python/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$schemathesis_version"
}

debian_packages
node_and_npm
node_modules
go_toolchain
case $mode in
  test)
    schemathesis
    scripts/go-tools.sh ko kustomize operator-sdk opm
    ;;
  cluster)
    scripts/go-tools.sh kubernetes coredns tekton olm opm operator-sdk grpc-health-probe kustomize
    ln -sfn ../programs/kubernetes/kubernetes .tools/bin/kubectl
    ;;
  image) scripts/go-tools.sh kustomize ;;
esac
