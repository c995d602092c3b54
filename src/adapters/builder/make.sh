# Runs a command with all rights of ours, but with no container of the machine in sight: its containers keep their
# state below /run and /var/lib/containers, which are empty here and end with the mount namespace. Started by
# make.ts inside new namespaces.
#
#   sh make.sh CGROUP PROGRAM [ARGUMENT]...
#
# What it starts belongs to the control groups CGROUP, as far as we may make them: a runtime that is killed leaves
# groups behind, and below these they are found.
set -eu
umask 022
group=$1
shift

# Two levels: of version 2, runc makes its groups beside that of its own process; of version 1, below it.
enter() {
  for inner in "$group" "$group/make"; do
    mkdir -p "$1/$inner" || return 0
    for file in cpuset.cpus cpuset.mems; do
      [ ! -e "$1/$file" ] || cat "$1/$file" >"$1/$inner/$file" || true
    done
  done
  echo 0 >"$1/$group/make/cgroup.procs" || true
}

while IFS=: read -r _ controllers path; do
  if [ -n "$controllers" ]; then
    hierarchy=/sys/fs/cgroup/${controllers#name=}
  elif [ -e /sys/fs/cgroup/unified ]; then
    hierarchy=/sys/fs/cgroup/unified
  else
    hierarchy=/sys/fs/cgroup
  fi
  above=$hierarchy${path%/}
  [ -w "$above/cgroup.procs" ] || continue
  enter "$above"
  # Where both versions are mounted, runc makes groups of version 2 at the top, wherever its own process is.
  [ "$hierarchy" != /sys/fs/cgroup/unified ] || mount --bind "$above/$group" "$hierarchy" || true
done </proc/self/cgroup 2>/dev/null

# Where a resolver of the machine writes its settings below /run.
resolver=$(readlink -f /etc/resolv.conf || true)
settings=$(cat /etc/resolv.conf 2>/dev/null || true)
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock
case $resolver in
  /run/*)
    mkdir -p "${resolver%/*}"
    printf '%s\n' "$settings" >"$resolver"
    ;;
esac
[ ! -d /var/lib/containers ] || mount -t tmpfs -o mode=755 tmpfs /var/lib/containers

exec "$@"
