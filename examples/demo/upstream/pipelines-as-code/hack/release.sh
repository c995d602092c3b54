#!/bin/sh
# Prints the release of Pipelines as Code: every file of config/, in order, with the version put in.
# PAC_VERSION names the version. Where TARGET_REPO is set, images come from there; otherwise their
# references stay as `ko://` ones for whoever resolves them.
set -eu
cd "$(dirname "$0")/.."

version=${PAC_VERSION:-devel}
images="s|ko://github.com/openshift-pipelines/pipelines-as-code/cmd/\([a-z-]*\)|${TARGET_REPO:-}/\1:${version}|"
[ -n "${TARGET_REPO:-}" ] || images=

for file in config/*.yaml; do
  sed -e "s|\(app.kubernetes.io/version: \)\"devel\"|\1\"${version}\"|" \
    -e "s|\(value: \)\"devel\"|\1\"${version}\"|" \
    -e "$images" "$file"
  echo ---
done
