#!/bin/sh
# hack/container.sh bases IMAGE…: pulls the base images that their Dockerfiles name.
# hack/container.sh build IMAGE COMPONENT: builds an image from distgit/containers/IMAGE and sources/COMPONENT.
# hack/container.sh patches IMAGE [FOLDER]: puts the patches of a folder beside the image's Dockerfile.
# hack/container.sh push IMAGE: pushes it to REMOTE, and keeps its digest in .build/IMAGE.digest.
set -eu
umask 022
cd "$(dirname "$0")/.."

tls() {
  echo ${TLS_VERIFY:+"--tls-verify=$TLS_VERIFY"}
}

bases() {
  for image in "$@"; do
    dockerfile "$image" | sed -n 's/^FROM \([^ ]*\).*/\1/p'
  done | sort -u | while read -r base; do
    # shellcheck disable=SC2046 # no word, or one
    buildah pull -q $(tls) "$base" >/dev/null
    echo "has $base"
  done
}

# The Dockerfile of an image, with the base images named where they are.
dockerfile() {
  sed "s|registry\.example\.com/|$BASES/|" "distgit/containers/$1/Dockerfile"
}

patches() {
  folder=distgit/containers/$1/patches
  rm -rf "$folder"
  mkdir -p "$folder"
  touch "$folder/.placeholder"
  [ -z "${2:-}" ] || [ ! -d "$2" ] || find "$2" -name '*.patch' -exec cp -t "$folder" {} +
}

build() {
  context=.build/$1
  rm -rf "$context"
  mkdir -p "$context/remote-source"
  cp -R "distgit/containers/$1/." "$context/"
  # git's own folder and ignored files are no source. Hard links: nothing is copied before buildah does.
  git -C "sources/$2" ls-files -z --cached --others --exclude-standard |
    (mkdir "$context/remote-source/app" && cd "sources/$2" && xargs -0 cp --link --parents -t "../../$context/remote-source/app")
  # The context keeps the product's own Dockerfile.
  dockerfile "$1" >"$context.Dockerfile"

  set -- "$1" "$2" --build-arg REMOTE_SOURCE=remote-source --build-arg REMOTE_SOURCE_DIR=/remote-source
  prefix=CI_$(echo "$2" | tr 'a-z-' 'A-Z_')_UPSTREAM
  if grep -q "^ARG ${prefix}_COMMIT" "$context/Dockerfile"; then
    set -- "$@" --build-arg "${prefix}_COMMIT=$(git -C "sources/$2" rev-parse HEAD)"
  fi
  if [ -n "$CACHE" ]; then
    mkdir -p "$CACHE"
    set -- "$@" --volume "$(realpath "$CACHE"):/var/cache/go-build"
  fi
  image=$1
  shift 2
  # shellcheck disable=SC2086 # a list of flags
  buildah bud -q --pull=false $BUILD_FLAGS "$@" -f "$context.Dockerfile" -t "$REMOTE/$image:$TAG" "$context" >/dev/null
  echo "built $image"
}

push() {
  # shellcheck disable=SC2046 # no word, or one
  buildah push -q $(tls) --digestfile ".build/$1.digest" "$REMOTE/$1:$TAG"
  echo "pushed $REMOTE/$1:$TAG"
}

"$@"
