#!/usr/bin/env bash
# Installs, through apt, the third-party clients that tests and demo use, those that are missing.
#   clients.sh          what `make test` and `make demo` need
#   clients.sh bench    also the peers that `make bench` measures against
set -euo pipefail

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
  [/usr/lib/python3/dist-packages/winrm/__init__.py]=python3-winrm
)
[ "${1:-}" = bench ] && wanted[tgtd]=tgt

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
