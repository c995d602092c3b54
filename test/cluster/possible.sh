#!/usr/bin/env bash
# Whether this machine can run the test cluster: if not, says why in one line and ends with 1.
set -euo pipefail

no() {
  echo "No cluster can run here: $1." >&2
  exit 1
}

[ "$(uname -s)" = Linux ] || no "it takes Linux"
[ "$(id -u)" = 0 ] || no "it takes root"
command -v apt-get >/dev/null || no "its parts are Debian packages, and this is no Debian"
unshare --mount --net --pid --fork true 2>/dev/null || no "namespaces cannot be made (a container without CAP_SYS_ADMIN?)"
for controller in pids memory; do
  [ -w "/sys/fs/cgroup/$controller" ] || grep -qw "$controller" /sys/fs/cgroup/cgroup.controllers 2>/dev/null || no "there is no control group for $controller"
done
