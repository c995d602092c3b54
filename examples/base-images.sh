#!/usr/bin/env bash
# examples/base-images.sh REGISTRY [GOROOT]: makes the demo's base images, and pushes those that REGISTRY (such as 127.0.0.1:5000) lacks.
#
#   base/shell:1        busybox
#   base/runtime:1      busybox, users, a folder for certificates
#   base/go-toolset:1   busybox, a Go toolchain, and its standard library compiled
#
# No outside registry is asked: busybox comes from Debian's busybox-static, Go from the machine. Nothing needs root or a container, so
# that any user can do it: an image is a few tar files and JSON. The same busybox and Go give the same bytes. Needs busybox, go, skopeo, tar, gzip.
set -euo pipefail
umask 022
export LC_ALL=C

registry=${1:?usage: examples/base-images.sh REGISTRY [GOROOT]}
goroot=${2:-$(go env GOROOT)}
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
blobs=

# The environment of a container of go-toolset.
go_environment=(
  PATH=/usr/local/go/bin:/bin HOME=/root GOROOT=/usr/local/go GOPATH=/go GOCACHE=/var/cache/go-build
  GOTOOLCHAIN=local GOPROXY=off CGO_ENABLED=0 "GOFLAGS=-trimpath -mod=mod -buildvcs=false"
)

main() {
  local missing=()
  for name in shell runtime go-toolset; do
    skopeo inspect --raw --tls-verify=false "docker://$registry/base/$name:1" >/dev/null 2>&1 || missing+=("$name")
  done
  for name in "${missing[@]}"; do
    "make_${name//-/_}"
  done
}

make_shell() {
  new_image shell
  busybox_layer
  push_image '"Cmd":["/bin/sh"]'
}

make_runtime() {
  new_image runtime
  busybox_layer
  local root=$work/runtime-root
  mkdir -p "$root"/{etc/ssl/certs,home/nonroot,ko-app}
  printf 'root:x:0:0:root:/root:/bin/sh\nnonroot:x:65532:65532:nonroot:/home/nonroot:/bin/sh\n' >"$root/etc/passwd"
  printf 'root:x:0:\nnonroot:x:65532:\n' >"$root/etc/group"
  layer "$root"
  push_image '"Cmd":["/bin/sh"],"WorkingDir":"/"'
}

make_go_toolset() {
  new_image go-toolset
  busybox_layer
  local root=$work/go-root
  local go=$root/usr/local/go
  mkdir -p "$go"/{bin,pkg} "$root/var/cache/go-build" "$root/go" "$root/root/.config/go/telemetry"
  echo off >"$root/root/.config/go/telemetry/mode"
  cp "$goroot/VERSION" "$goroot/go.env" "$go/"
  cp "$goroot/bin/go" "$go/bin/"
  mkdir -p "$go/pkg/tool/linux_$(go env GOARCH)"
  for tool in asm compile link; do cp "$goroot/pkg/tool/linux_$(go env GOARCH)/$tool" "$go/pkg/tool/linux_$(go env GOARCH)/"; done
  cp -R "$goroot/pkg/include" "$go/pkg/"
  tar -C "$goroot" --exclude=testdata --exclude='*_test.go' --exclude=src/cmd -cf - src | tar -C "$go" -xf -
  warm_cache "$root"
  layer "$root"
  push_image "\"WorkingDir\":\"/\",\"Env\":[$(printf '"%s"\n' "${go_environment[@]}" | paste -sd,)]"
}

# Compiles what small servers need of the standard library, at the very paths that a container sees: Go's cache knows paths.
warm_cache() {
  local root=$1
  mkdir -p "$root"/{dev,tmp/warm}
  touch "$root/dev/null"
  printf 'module warm\n\ngo 1.22\n' >"$root/tmp/warm/go.mod"
  cat >"$root/tmp/warm/main.go" <<'EOF'
package main

import (
	_ "bytes"
	_ "crypto/sha256"
	_ "crypto/tls"
	_ "embed"
	_ "encoding/base64"
	_ "encoding/json"
	_ "flag"
	_ "fmt"
	_ "log"
	_ "log/slog"
	_ "net/http"
	_ "net/url"
	_ "os/exec"
	_ "os/signal"
	_ "path/filepath"
	_ "regexp"
	_ "sort"
	_ "strconv"
	_ "sync"
	_ "text/template"
)

func main() {}
EOF
  local namespaces=(--mount)
  [ "$(id -u)" = 0 ] || namespaces+=(--user --map-root-user)
  # shellcheck disable=SC2016 # expanded by the inner shell
  unshare "${namespaces[@]}" sh -c 'mount --bind /dev/null "$1/dev/null" && shift && exec env -i "$@"' sh "$root" "${go_environment[@]}" \
    "$(command -v chroot)" "$root" /usr/local/go/bin/go -C /tmp/warm build -ldflags='-s -w' -o /tmp/warm/warm .
  rm -rf "$root"/{dev,tmp}
  # An entry ends with the time of its making: one constant for all.
  find "$root/var/cache/go-build" -name '*-a' -exec sed -i -E 's/[0-9]+$/1767225600000000000/' {} +
  rm -f "$root/var/cache/go-build/trim.txt"
}

busybox_layer() {
  local root=$work/busybox-root
  if [ ! -d "$root" ]; then
    mkdir -p "$root"/{bin,etc,root,usr/bin}
    mkdir -m 1777 "$root/tmp"
    cp "$(command -v busybox)" "$root/bin/busybox"
    for applet in $("$root/bin/busybox" --list); do
      [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
    done
    ln -s /bin/env "$root/usr/bin/env"
  fi
  layer "$root"
}

new_image() {
  name=$1
  layout=$work/$name
  blobs=$layout/blobs/sha256
  mkdir -p "$blobs"
  layers=() diffs=()
}

# Adds a folder as a layer, with one time, one owner and one order for everything.
layer() {
  local tar=$work/layer.tar digest
  tar -C "$1" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --format=gnu -cf "$tar" .
  diffs+=("\"sha256:$(sha256sum "$tar" | cut -d' ' -f1)\"")
  gzip -n -1 "$tar"
  digest=$(sha256sum "$tar.gz" | cut -d' ' -f1)
  layers+=("{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\",\"digest\":\"sha256:$digest\",\"size\":$(stat -c %s "$tar.gz")}")
  mv "$tar.gz" "$blobs/$digest"
}

# Writes the config ($1: fields of its "config") and the manifest, and pushes the image.
push_image() {
  local config manifest
  config=$(blob "{\"architecture\":\"$(go env GOARCH)\",\"os\":\"linux\",\"created\":\"1970-01-01T00:00:00Z\",\"config\":{$1},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[$(join "${diffs[@]}")]}}" config)
  manifest=$(blob "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":$config,\"layers\":[$(join "${layers[@]}")]}" manifest)
  printf '{"schemaVersion":2,"manifests":[%s]}' "$manifest" >"$layout/index.json"
  printf '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"
  skopeo copy --quiet --insecure-policy --dest-tls-verify=false "oci:$layout" "docker://$registry/base/$name:1"
  echo "Pushed $registry/base/$name:1"
}

# Stores a JSON text and prints its descriptor.
blob() {
  local digest
  digest=$(printf '%s' "$1" | sha256sum | cut -d' ' -f1)
  printf '%s' "$1" >"$blobs/$digest"
  printf '{"mediaType":"application/vnd.oci.image.%s.v1+json","digest":"sha256:%s","size":%s}' "$2" "$digest" "${#1}"
}

join() {
  local IFS=,
  printf '%s' "$*"
}

main
