#!/bin/sh
# Generates bundle/ (manifests and metadata of the OLM bundle) from config/: CRDs, samples, rules, images and the CSV's template.
# OPERATOR_VERSION, PREVIOUS_VERSION, CHANNELS (comma separated, the first is the default) and IMAGE_REGISTRY may be set.
set -eu
cd "$(dirname "$0")/.."

version=${OPERATOR_VERSION:-$(cat VERSION)}
previous=${PREVIOUS_VERSION:-1.6.0}
channels=${CHANNELS:-latest,pipelines-1.7}
registry=${IMAGE_REGISTRY:-registry.example.com/openshift-pipelines}
parts=$(mktemp -d)
trap 'rm -rf "$parts"' EXIT

# Lines: name, image reference.
sed -e '/^#/d' -e '/^$/d' -e "/ [^ ]*\//!s|\$|:devel|" -e "/ [^ ]*\//!s| | ${registry}/|" config/images.list >"$parts/images"

sed -n 's/^\(IMAGE_[^ ]*\) \(.*\)$/                - name: \1\n                  value: \2/p' "$parts/images" >"$parts/environment"
sed 's/^\([^ ]*\) \(.*\)$/  - name: \1\n    image: \2/' "$parts/images" >"$parts/related"
sed -e '/^#/d' -e 's/^/        /' config/rbac/rules.yaml >"$parts/rules"

first=yes
for sample in config/samples/*.json; do
  [ "$first" = yes ] || echo '        ,'
  first=no
  sed 's/^/        /' "$sample"
done >"$parts/examples"

for crd in config/crds/*.yaml; do
  name=$(sed -n 's/^  name: //p' "$crd")
  kind=$(sed -n 's/^    kind: //p' "$crd")
  served=$(sed -n 's/^  - name: //p' "$crd" | tail -n 1)
  description=$(sed -n 's/^        description: //p' "$crd" | head -n 1)
  printf '    - name: %s\n      kind: %s\n      version: %s\n      displayName: %s\n      description: %s\n' \
    "$name" "$kind" "$served" "$kind" "$description"
done >"$parts/owned"

# Images of containers: the names that are no environment variables.
sed -n '/^IMAGE_/!s/^\([^ ]*\) \(.*\)$/s|@\1@|\2|/p' "$parts/images" >"$parts/containers"

rm -rf bundle
mkdir -p bundle/manifests bundle/metadata
cp config/crds/*.yaml bundle/manifests/
sed -e '/^#/d' \
  -e "s/@VERSION@/$version/" -e "s/@PREVIOUS@/$previous/" -f "$parts/containers" \
  -e "/^@EXAMPLES@\$/r $parts/examples" -e "/^@OWNED@\$/r $parts/owned" -e "/^@RULES@\$/r $parts/rules" \
  -e "/^@ENVIRONMENT@\$/r $parts/environment" -e "/^@RELATED@\$/r $parts/related" -e '/^@[A-Z]*@$/d' \
  config/csv/clusterserviceversion.yaml >bundle/manifests/openshift-pipelines-operator-rh.clusterserviceversion.yaml
cat >bundle/metadata/annotations.yaml <<EOF
annotations:
  operators.operatorframework.io.bundle.mediatype.v1: registry+v1
  operators.operatorframework.io.bundle.manifests.v1: manifests/
  operators.operatorframework.io.bundle.metadata.v1: metadata/
  operators.operatorframework.io.bundle.package.v1: openshift-pipelines-operator-rh
  operators.operatorframework.io.bundle.channels.v1: $channels
  operators.operatorframework.io.bundle.channel.default.v1: ${channels%%,*}
EOF
