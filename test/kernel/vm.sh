#!/usr/bin/env bash
# A small Linux guest with Debian's kernel and open-iscsi, to try what we serve with the initiator that hosts have.
#   vm.sh build          makes the guest's image, once; prints where it is
#   vm.sh run SCRIPT     boots it and runs SCRIPT with busybox sh; its output and input are ours, its exit status too
# The guest reaches this machine's 127.0.0.1 as 10.0.2.2. It has busybox, iscsid (running), iscsiadm, mke2fs, e2fsck,
# lsblk, blkdiscard, fio, mkfs.xfs and dmsetup. What a script is to know is given as variables of the environment named GUEST_*.
#   TWINLUN_VM_FILE      a program that the script finds as /job/program
#   TWINLUN_VM_ACCEL     tcg, which works everywhere and is the default, or kvm
#   TWINLUN_VM_SECONDS   when to give up on a guest, 240
# `test/setup/clients.sh kernel` installs what it is made of. The kernel itself is only downloaded.
set -euo pipefail
shopt -s inherit_errexit
self=$(readlink -f "$0")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/twinlun-test
export PATH=$PATH:/usr/sbin:/sbin
say() { echo "vm: $*" >&2; }

# the_kernel prints the name of the Debian package of the newest cloud kernel.
the_kernel() { apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1; }

# image prints the folder that the image is cached in: another for another guest.
image() { echo "$cache/guest-$({ cat "$self"; uname -m; } | sha256sum | cut -c 1-16)"; }

# put_program ROOT PROGRAM copies a program and the libraries that it is linked to.
put_program() {
  local root=$1 path lib
  path=$(command -v "$2") || { say "$2 is missing"; return 1; }
  cp -L "$path" "$root/bin/"
  { ldd "$path" 2>/dev/null || true; } | { grep -o '/[^ ]*' || true; } | while read -r lib; do
    [ -e "$root$lib" ] || { mkdir -p "$root$(dirname "$lib")"; cp -L "$lib" "$root$lib"; }
  done
}

# put_modules ROOT TREE copies the kernel modules that the guest needs, and lists them in the order of loading.
put_modules() {
  local root=$1 tree=$2 version wanted
  version=$(ls "$tree/lib/modules")
  depmod -b "$tree" "$version"
  for wanted in virtio_pci virtio_net crc32c_intel sd_mod iscsi_tcp loop xfs dm_flakey; do
    modprobe -d "$tree" -S "$version" --show-depends "$wanted" | sed -n 's/^insmod \([^ ]*\).*/\1/p'
  done | awk '!seen[$0]++' | while read -r wanted; do
    cp "$wanted" "$root/modules/"
    basename "$wanted" >>"$root/modules/order"
  done
}

write_init() {
  cat >"$1/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin HOME=/ LD_LIBRARY_PATH=/usr/lib/x86_64-linux-gnu/ceph
mount -t proc proc /proc && mount -t sysfs sys /sys && mount -t devtmpfs dev /dev && mount -t tmpfs run /run && mount -t tmpfs tmp /tmp
echo 3 >/proc/sys/kernel/printk
stty -F /dev/console raw -echo
mkdir -p /run/lock/iscsi /var/lock
while read -r m; do insmod "/modules/$m" 2>/dev/null; done </modules/order
ip link set lo up && ip link set eth0 up && ip addr add 10.0.2.15/24 dev eth0 && ip route add default via 10.0.2.2
iscsid
. /job/environment
sh /job/script
echo "guest-ended $?"
sync
poweroff -f
INIT
  chmod +x "$1/init"
}

archive() { (cd "$1" && find . -print0 | cpio --null --create --format newc --owner 0:0 --quiet); }

build() {
  local dir=$1 work package program
  work=$(mktemp -d "$cache/build.XXXXXX")
  package=$(the_kernel)
  [ -n "$package" ] || { say "apt knows no linux-image-cloud-amd64"; return 1; }
  say "making the guest's image of $package"
  (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$package" && dpkg-deb -x ./*.deb tree) >&2
  mkdir -p "$work"/root/{bin,modules,proc,sys,dev,run,tmp,mnt,etc/iscsi,var/lib/iscsi}
  for program in busybox iscsid iscsiadm mke2fs e2fsck lsblk blkdiscard fio mkfs.xfs dmsetup; do put_program "$work/root" $program; done
  ln -s bin "$work/root/sbin"
  put_modules "$work/root" "$work/tree"
  grep -v '^iscsid.startup' /etc/iscsi/iscsid.conf >"$work/root/etc/iscsi/iscsid.conf" 2>/dev/null ||
    echo 'node.startup = manual' >"$work/root/etc/iscsi/iscsid.conf"
  echo 'InitiatorName=iqn.2026-11.test.twinlun:guest' >"$work/root/etc/iscsi/initiatorname.iscsi"
  echo 'root:x:0:0::/:/bin/sh' >"$work/root/etc/passwd"
  cp /etc/mke2fs.conf "$work/root/etc/" 2>/dev/null || true
  write_init "$work/root"
  mkdir "$work/image"
  cp "$work"/tree/boot/vmlinuz-* "$work/image/kernel"
  archive "$work/root" >"$work/image/root.cpio"
  rm -rf "$cache"/guest-*
  mv "$work/image" "$dir"
  rm -rf "$work"
}

ensure() {
  local dir
  mkdir -p "$cache"
  dir=$(image)
  exec 9>"$cache/lock"
  flock 9
  [ -e "$dir/root.cpio" ] || build "$dir"
  exec 9>&-
  echo "$dir"
}

# job DIR SCRIPT puts what this run adds to the image into DIR.
job() {
  local name
  mkdir -p "$1/job"
  cp "$2" "$1/job/script"
  [ -z "${TWINLUN_VM_FILE:-}" ] || cp "$TWINLUN_VM_FILE" "$1/job/program"
  for name in $(compgen -e GUEST_ || true); do printf 'export %s=%q\n' "$name" "${!name}"; done >"$1/job/environment"
}

run() {
  local dir work accel=${TWINLUN_VM_ACCEL:-tcg} status=0 code
  dir=$(ensure)
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  job "$work/added" "$1"
  { cat "$dir/root.cpio"; archive "$work/added"; } >"$work/initrd"
  timeout --foreground "${TWINLUN_VM_SECONDS:-240}" qemu-system-x86_64 -accel "$accel" -cpu max -smp 2 -m 768 \
    -nodefaults -no-user-config -display none -serial stdio -no-reboot -kernel "$dir/kernel" -initrd "$work/initrd" \
    -append 'console=ttyS0 quiet panic=-1' -netdev user,id=net -device virtio-net-pci,netdev=net,romfile= |
    tee "$work/output" || status=$?
  code=$(sed -n 's/.*guest-ended \([0-9]*\).*/\1/p' "$work/output" | tail -n 1)
  [ -n "$code" ] || say "the guest did not get to the end (qemu: $status)"
  exit "${code:-125}"
}

case ${1:-} in
  build) ensure ;;
  run) run "${2:?a script}" ;;
  *) sed -n '2,10p' "$self"; exit 2 ;;
esac
