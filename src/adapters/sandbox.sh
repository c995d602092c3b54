# Runs a command in a root folder of its own that shows nothing of the machine but programs (/usr), devices
# that hold nothing, and the folders it is given. Started by sandbox.ts inside new namespaces; what is
# mounted here ends with them.
#
#   sh sandbox.sh MODE ROOT ETC [ro:PATH | rw:PATH | overlay PATH FOLDER OPTIONS]... -- PROGRAM [ARGUMENT]...
#
# MODE is "root" or "user" (root of a user namespace); ROOT an empty folder; ETC the folder that becomes /etc.
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
    mount -o remount,bind,ro "$root$2" 2>/dev/null || [ "$mode" = user ]
  fi
}

mount -t tmpfs -o mode=755 tmpfs "$root"
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
mount -t proc proc "$root/proc"
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
  path=${1#r?:}
  if [ -d "$path" ]; then
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
