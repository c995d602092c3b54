# A step program for tests of engines: does what the rig wrote for it.
#   sh scripted-step.sh FOLDER --plan FILE [OPTIONS] --config FILE ID...
set -u
folder=$1
shift
while [ "${1#--}" != "$1" ]; do
  case $1 in
    --rebuild) shift ;;
    --plan) plan=$2; shift 2 ;;
    *) shift 2 ;;
  esac
done
tag=$(basename "$(dirname "$(dirname "$plan")")")
name=${tag%-*}
tell() { printf '%s\n' "$1" >&3; }
for id in "$@"; do
  file=$(printf %s "$id" | tr / '~')
  printf 'x' >>"$folder/$name/$file.starts"
  tell "{\"kind\":\"step-started\",\"step\":\"$id\"}"
  . "$folder/$name/$file.sh"
done
