#!/bin/sh
# hack/sources.sh fetch NAME…: puts the commit that upstream_sources.yaml names into sources/NAME, patched where the product patches sources.
# hack/sources.sh upgrade NAME…: moves the commits (but static ones) to the heads of their branches. NAME is the last part of a repository's URL.
set -eu
umask 022
cd "$(dirname "$0")/.."
file=upstream_sources.yaml
export GIT_CEILING_DIRECTORIES="${PWD%/*}:$PWD"

# Prints `field` of the entry of a repository: its keys stand two columns behind the dash, in any order.
entry_field() {
  awk -v name="$1" -v field="$2" '
    function flush() { if (url ~ "/" name "(\\.git)?$") print found; url = found = "" }
    /^  - / { flush(); sub(/^  - /, "    ") }
    /^    [a-z_]+:/ {
      value = $2; gsub(/["\047]/, "", value)
      if ($1 == "url:") url = value
      if ($1 == field ":") found = value
    }
    END { flush() }
  ' "$file"
}

fetch() {
  url=$(entry_field "$1" url)
  branch=$(entry_field "$1" branch)
  commit=$(entry_field "$1" commit)
  folder=sources/$1
  patches=$(ls patches/"$1"/*.patch 2>/dev/null || true)
  [ "$1" = pipeline ] || patches=
  # shellcheck disable=SC2086 # a list of files
  state="$commit $(cat /dev/null $patches | cksum)"
  if [ "$(cat "$folder/.git/state" 2>/dev/null)" = "$state" ]; then
    echo "sources/$1 is at $commit"
    return
  fi
  [ -d "$folder/.git" ] || git init -q "$folder"
  rm -f "$folder/.git/state"
  # Not every server gives a commit by its name alone.
  git -C "$folder" fetch -q --depth=1 "$url" "$commit" || git -C "$folder" fetch -q "$url" "$branch"
  git -C "$folder" checkout -q -f --detach "$commit"
  git -C "$folder" clean -q -d -f -x
  for patch in $patches; do
    git -C "$folder" apply "$PWD/$patch"
  done
  echo "$state" >"$folder/.git/state"
  echo "sources/$1: $commit of $url"
}

upgrade() {
  if [ "$(entry_field "$1" update_policy)" = static ]; then
    echo "$1: static, stays where it is"
    return
  fi
  url=$(entry_field "$1" url)
  branch=$(entry_field "$1" branch)
  commit=$(entry_field "$1" commit)
  head=$(git ls-remote --exit-code "$url" "refs/heads/$branch" | cut -f1)
  if [ "$head" != "$commit" ]; then
    awk -v name="$1" -v old="$commit" -v new="$head" '
      # An entry is kept until its URL is known, then printed with the commit changed or not.
      function flush(  i) {
        for (i = 1; i <= count; i++) { if (mine) sub(old, new, lines[i]); print lines[i] }
        count = mine = 0
      }
      /^  - / { flush() }
      { lines[++count] = $0; text = $0; gsub(/["\047]/, "", text); sub(/[ \t]+#.*/, "", text) }
      text ~ "url: .*/" name "(\\.git)?$" { mine = 1 }
      END { flush() }
    ' "$file" >"$file.next"
    mv "$file.next" "$file"
  fi
  echo "$1: $head"
  fetch "$1"
}

action=$1
shift
for name in "$@"; do
  "$action" "$name"
done
