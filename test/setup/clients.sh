#!/usr/bin/env bash
# Installs, through apt, the third-party clients that tests and demo use, those that are missing.
#   clients.sh          what `make test` and `make demo` need
#   clients.sh bench    also the peers that `make bench` measures against
#   clients.sh kernel   also what test/kernel/vm.sh makes its guest of
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin

# command or file -> Debian package
declare -A wanted=(
  [curl]=curl
  [xmllint]=libxml2-utils
  [qemu-img]=qemu-utils
  [qemu-io]=qemu-utils
  [/usr/lib/x86_64-linux-gnu/qemu/block-iscsi.so]=qemu-block-extra
  [iscsi-inq]=libiscsi-bin
  [iscsi-ls]=libiscsi-bin
  [wsl]=wsl
  [uuidgen]=uuid-runtime
  [mkfs.xfs]=xfsprogs
  [mkfs.btrfs]=btrfs-progs
  [mkfs.ext4]=e2fsprogs
  [strace]=strace
  [/usr/lib/python3/dist-packages/winrm/__init__.py]=python3-winrm
)
case ${1:-} in
  bench)
    wanted[tgtd]=tgt
    wanted[mkfs.xfs]=xfsprogs
    ;;
  kernel)
    wanted[qemu-system-x86_64]=qemu-system-x86
    wanted[/bin/busybox]=busybox-static
    wanted[cpio]=cpio
    wanted[modprobe]=kmod
    wanted[mke2fs]=e2fsprogs
    wanted[mkfs.xfs]=xfsprogs
    wanted[dmsetup]=dmsetup
    wanted[lsblk]=util-linux
    wanted[fio]=fio
    wanted[iscsiadm]=open-iscsi
    ;;
esac

missing=()
for what in "${!wanted[@]}"; do
  case $what in
    /*) [ -e "$what" ] || missing+=("${wanted[$what]}") ;;
    *) command -v "$what" >/dev/null || missing+=("${wanted[$what]}") ;;
  esac
done
[ ${#missing[@]} -eq 0 ] && exit 0
mapfile -t packages < <(printf '%s\n' "${missing[@]}" | sort -u)
echo "installing: ${packages[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
$sudo apt-get -qq -o DPkg::Lock::Timeout=300 update
$sudo apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "${packages[@]}" >/dev/null
