# Runs a command in a root folder of its own that shows nothing of the machine but programs (/usr), devices
# that hold nothing, and the folders it is given. Started by sandbox.ts inside new namespaces; what is
# mounted here ends with them.
#
#   sh sandbox.sh MODE ROOT ETC [ro:PATH | rw:PATH | in:FILE | overlay PATH FOLDER OPTIONS]... -- PROGRAM [ARGUMENT]...
#
# MODE is "root", "user" (root of a user namespace) or "pod" (the same in a container, whose /proc it sees); ROOT an empty folder; ETC the folder that becomes /etc;
# FILE the cgroup.procs of a control group to join.
# Ends with 99 where the sandbox cannot be made.
set -eu
trap 'exit 99' EXIT
umask 022
mode=$1 root=$2 etc=$3
shift 3

# Mounts a path of the machine at the same place. Read-only is a second look at what file modes and runc
# already forbid: in a user namespace the kernel may refuse it.
show() {
  mount --rbind "$2" "$root$2"
  if [ "$1" = ro ]; then
    mount -o remount,bind,ro "$root$2" 2>/dev/null || [ "$mode" != root ]
  fi
}

# Where memory runs out in spite of all limits, this build ends before anything else of the machine.
echo 1000 >/proc/self/oom_score_adj

# Joins a control group. One that holds memory or processes alone (version 1) is hidden: the container runtime
# would make a group of its own in it, and what the kernel counts there is gone before it can be read.
join() {
  echo 0 >"$1"
  for controller in memory pids; do
    case $1 in
    /sys/fs/cgroup/$controller/*) umount "$root/sys/fs/cgroup/$controller" ;;
    esac
  done
}

mount -t tmpfs -o mode=755,size=64m tmpfs "$root"
for name in usr bin sbin lib lib32 lib64 libx32; do
  if [ -L "/$name" ]; then
    cp -P "/$name" "$root/$name"
  elif [ -d "/$name" ]; then
    mkdir "$root/$name"
    show ro "/$name"
  fi
done

mkdir -p "$root/proc" "$root/sys" "$root/dev/pts" "$root/dev/shm" "$root/etc" "$root/run" "$root/var/tmp" "$root/machine"
mkdir -m 1777 "$root/tmp"
if [ "$mode" = pod ]; then mount --rbind /proc "$root/proc"; else mount -t proc proc "$root/proc"; fi
mount --rbind /sys "$root/sys"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for name in null zero full random urandom tty; do
  : >"$root/dev/$name"
  mount --bind "/dev/$name" "$root/dev/$name"
done
cp -R "$etc/." "$root/etc/"

while [ "$1" != -- ]; do
  if [ "$1" = overlay ]; then
    # Its layers are named relative to a folder: no path has to be quoted, and none is too long.
    (cd "$3" && mount -t overlay -o "$4" overlay "$root$2")
    shift 4
    continue
  fi
  path=${1#??:}
  if [ "${1%%:*}" = in ]; then
    join "$path"
    shift
    continue
  elif [ -d "$path" ]; then
    mkdir -p "$root$path"
  else
    mkdir -p "$(dirname "$root$path")"
    : >"$root$path"
  fi
  show "${1%%:*}" "$path"
  shift
done
shift

cd "$root"
pivot_root . machine
umount -l /machine
rmdir /machine
cd /
trap - EXIT
exec "$@"
