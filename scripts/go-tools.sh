#!/usr/bin/env bash
# Builds Go programs at the versions that scripts/go-tools/*/go.mod pin:
#   scripts/go-tools.sh NAME...
# What was built lies in a cache for all clones, keyed by go.mod, go.sum and sources: <cache>/programs/NAME-KEY/PROGRAM.
# .tools/programs/NAME leads there, and .tools/bin/NAME is the program that is called like its folder.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/tributary/programs
mkdir -p "$cache" .tools/bin .tools/programs
export CGO_ENABLED=0 GOFLAGS=-trimpath

main() {
  local name
  for name in "$@"; do
    local module=scripts/go-tools/$name key
    key=$(cat "$module"/* | sha256sum | cut -c1-16)
    [ -d "$cache/$name-$key" ] || build "$name" "$module" "$cache/$name-$key"
    ln -sfn "$cache/$name-$key" ".tools/programs/$name"
    # No symbolic link: a container build cannot follow one that leads out of the clone.
    [ ! -e "$cache/$name-$key/$name" ] || cp --force --remove-destination --link "$cache/$name-$key/$name" .tools/bin/ 2>/dev/null ||
      cp --force "$cache/$name-$key/$name" .tools/bin/
  done
}

# A folder with a main.go is a program; else its go.mod names programs of other modules. `ldflags`: what the linker is told besides.
build() {
  local name=$1 module=$2 folder=$3 packages=tool flags='-s -w' started=$SECONDS
  [ ! -e "$module/main.go" ] || packages=.
  [ ! -e "$module/ldflags" ] || flags+=" $(cat "$module/ldflags")"
  echo "building $name ($(grep -c . "$module/go.sum") checksums pinned) ..."
  rm -rf "$folder".*
  local fresh
  fresh=$(mktemp -d "$folder.XXXXXX")
  # The operator-framework tools and kustomize need no libgpgme: signatures are not what the tests look at.
  (cd "$module" && go build -mod=readonly -ldflags "$flags" \
    -tags 'containers_image_openpgp exclude_graphdriver_btrfs exclude_graphdriver_devicemapper json1' \
    -o "$fresh/" "$packages")
  chmod 755 "$fresh"
  mv -T "$fresh" "$folder"
  echo "  took $((SECONDS - started)) s"
}

main "$@"
