# A step program for tests of engines: waits for units, and does what the rig wrote for each step.
#   sh scripted-step.sh FOLDER       reads a JSON array of arguments from each line, and runs this for each:
#   sh scripted-step.sh FOLDER --plan FILE [OPTIONS] ID...
set -u
folder=$1
shift
tell() { printf '%s\n' "$1" >&3; }

if [ $# = 0 ]; then
  read -r PROCESS </proc/sys/kernel/random/uuid
  export PROCESS
  while read -r line; do
    # Nothing in these arguments means anything to a shell within double quotes.
    eval "set -- $(printf %s "$line" | sed 's/^\[//; s/\]$//; s/","/" "/g')"
    sh "$0" "$folder" "$@" || exit
    tell '{"kind":"unit-over","exitCode":0}'
  done
  exit 0
fi

while [ "${1#--}" != "$1" ]; do
  case $1 in
    --rebuild) shift ;;
    --plan) plan=$2; shift 2 ;;
    *) shift 2 ;;
  esac
done
tag=$(basename "$(dirname "$(dirname "$plan")")")
name=${tag%-*}
echo "$PROCESS" >>"$folder/$name/processes"
for id in "$@"; do
  file=$(printf %s "$id" | tr / '~')
  printf 'x' >>"$folder/$name/$file.starts"
  tell "{\"kind\":\"step-started\",\"step\":\"$id\"}"
  . "$folder/$name/$file.sh"
done
