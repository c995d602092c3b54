#!/bin/sh
# hack/bundle.sh IMAGE…: builds the bundle, with the images (each has its digest in .build/IMAGE.digest) as REMOTE has them.
set -eu
umask 022
cd "$(dirname "$0")/.."

context=.build/$BUNDLE
rm -rf "$context"
mkdir -p .build
cp -R "distgit/containers/$BUNDLE" "$context"
for image in "$@"; do
  sed -i "s|registry\.example\.com/openshift-pipelines/$image[:@][^ \"']*|$REMOTE/$image@$(cat ".build/$image.digest")|" "$context"/manifests/*.clusterserviceversion.yaml
done
# shellcheck disable=SC2086 # a list of flags
buildah bud -q $BUILD_FLAGS -t "$REMOTE/$BUNDLE:$TAG" "$context" >/dev/null
echo "built $BUNDLE"
