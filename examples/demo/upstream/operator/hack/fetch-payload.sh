#!/bin/sh
# hack/fetch-payload.sh FOLDER [COMPONENTS]: makes FOLDER the kodata of a release. It starts from the kodata of this tree, then puts
# for each component of COMPONENTS (default: components.yaml) the files that it names into FOLDER/<into>/<version>/, in place of
# what was in <into> (`00-*` folders stay: they are the operator's own). Relative paths are those of the folder of COMPONENTS.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
folder=$1
components=${2:-$here/components.yaml}
base=$(cd "$(dirname "$components")" && pwd)
next=$folder.next.$$
trap 'rm -rf "$next"' EXIT

rm -rf "$next"
mkdir -p "$(dirname "$next")"
cp -R "$here/cmd/openshift/operator/kodata" "$next"

# Lines: component, key, value.
sed -n -e 's/[[:space:]]*#.*//' -e '/./p' "$components" | awk '
  /^[^ ].*:$/ { name = substr($1, 1, length($1) - 1); next }
  { key = $1; sub(/:$/, "", key); print name, key, $2 }
' >"$next/.lines"

for component in $(cut -d' ' -f1 "$next/.lines" | sort -u); do
  field() { awk -v c="$component" -v k="$1" '$1 == c && $2 == k { print $3 }' "$next/.lines"; }
  into=$(field into)
  version=$(field version)
  for old in "$next/$into"/*; do
    case ${old##*/} in 00-*) ;; *) rm -rf "$old" ;; esac
  done
  mkdir -p "$next/$into/$version"
  awk -v c="$component" '$1 == c && $2 != "into" && $2 != "version" { print $2, $3 }' "$next/.lines" |
    while read -r name path; do
      case $path in /*) ;; *) path=$base/$path ;; esac
      cp "$path" "$next/$into/$version/$name"
    done
  echo "kodata: $into/$version"
done

rm -f "$next/.lines"
rm -rf "$folder"
mv "$next" "$folder"
