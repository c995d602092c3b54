#!/usr/bin/env bash
# Builds the Go programs that the tests compare ourselves with, at the versions that scripts/go-tools/*/go.mod
# pin, into .tools/bin. A program is built again only when its go.mod or go.sum changed.
#   scripts/go-tools.sh [NAME...]        default: every folder of scripts/go-tools
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$PWD/.tools/bin
mkdir -p "$bin"
export CGO_ENABLED=0 GOFLAGS=-trimpath

names=("$@")
[ ${#names[@]} -gt 0 ] || names=($(ls scripts/go-tools))

for name in "${names[@]}"; do
  module=scripts/go-tools/$name
  stamp=$bin/.$name.$(cat "$module"/go.mod "$module"/go.sum | sha256sum | cut -c1-16)
  [ -e "$stamp" ] && [ -x "$bin/$name" ] && continue
  echo "building $name ($(grep -c . "$module/go.sum") checksums pinned) ..."
  package=$(sed -n 's/^tool //p' "$module/go.mod")
  # The operator-framework tools and kustomize need no libgpgme: signatures are not what the tests look at.
  (cd "$module" && go build -mod=readonly -ldflags '-s -w' \
    -tags 'containers_image_openpgp exclude_graphdriver_btrfs exclude_graphdriver_devicemapper json1' \
    -o "$bin/$name" "$package")
  rm -f "$bin/.$name".*
  touch "$stamp"
done
