#!/bin/sh
# hack/container.sh build IMAGE COMPONENT: builds an image from distgit/containers/IMAGE and sources/COMPONENT.
# hack/container.sh patches IMAGE [FOLDER]: puts the patches of a folder beside the image's Dockerfile.
# hack/container.sh push IMAGE: pushes it to REMOTE, and keeps its digest in .build/IMAGE.digest.
set -eu
umask 022
cd "$(dirname "$0")/.."

patches() {
  folder=distgit/containers/$1/patches
  rm -rf "$folder"
  mkdir -p "$folder"
  touch "$folder/.placeholder"
  [ -z "${2:-}" ] || cp "$2"/*.patch "$folder/"
}

build() {
  context=.build/$1
  rm -rf "$context"
  mkdir -p "$context/remote-source"
  cp -R "distgit/containers/$1/." "$context/"
  # git's own folder and ignored files are no source.
  git -C "sources/$2" ls-files -z --cached --others --exclude-standard |
    (mkdir "$context/remote-source/app" && cd "sources/$2" && xargs -0 cp --parents -t "../../$context/remote-source/app")
  # The Dockerfile that is built names the base images where they are; the context keeps the product's own.
  sed "s|registry\.example\.com/|$BASES/|" "distgit/containers/$1/Dockerfile" >"$context.Dockerfile"

  set -- "$1" "$2" --build-arg REMOTE_SOURCE=remote-source --build-arg REMOTE_SOURCE_DIR=/remote-source
  prefix=CI_$(echo "$2" | tr 'a-z-' 'A-Z_')_UPSTREAM
  if grep -q "^ARG ${prefix}_COMMIT" "$context/Dockerfile"; then
    set -- "$@" --build-arg "${prefix}_COMMIT=$(git -C "sources/$2" rev-parse HEAD)"
  fi
  image=$1
  shift 2
  # shellcheck disable=SC2086 # a list of flags
  buildah bud -q $BUILD_FLAGS --tls-verify="$TLS_VERIFY" "$@" -f "$context.Dockerfile" -t "$REMOTE/$image:$TAG" "$context" >/dev/null
  echo "built $image"
}

push() {
  buildah push -q --tls-verify="$TLS_VERIFY" --digestfile ".build/$1.digest" "$REMOTE/$1:$TAG"
  echo "pushed $REMOTE/$1:$TAG"
}

"$@"
