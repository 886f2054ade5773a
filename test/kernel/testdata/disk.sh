# Runs in the guest (vm.sh): a disk that loses power, and one that fails to write, under ext4 and XFS. Given:
# /job/program (../disk), GUEST_ROUNDS.
# Programs that busybox has too are called by their path: its shell would run its own.
set -eu
step() { echo "step $*"; }
fail() { echo "guest-failed: $*"; exit 1; }
trap 'code=$?; [ $code -eq 0 ] || { echo "guest-failed: exit $code"; tail -n 3 /tmp/log; dmesg | tail -n 15; }' EXIT
disk=/job/program
export DM_DISABLE_UDEV=1
: >/tmp/log
mkdir -p /mnt/disk
truncate -s 400M /tmp/image
losetup /dev/loop0 /tmp/image
sectors=$((400 << 11))

# well, cut and broken are how the disk can be: cut writes nothing any more and does not say so.
well="0 $sectors linear /dev/loop0 0"
cut="0 $sectors flakey /dev/loop0 0 0 3600 1 drop_writes"
broken="0 $sectors flakey /dev/loop0 0 0 3600 1 error_writes"

attach() { dmsetup create --noudevsync disk --table "$well"; }
become() {
  dmsetup suspend --nolockfs --noudevsync disk
  dmsetup load disk --table "$1"
  dmsetup resume --noudevsync disk
}
format() {
  case $1 in
    ext4) /bin/mke2fs -q -F -t ext4 /dev/mapper/disk ;;
    xfs) mkfs.xfs -q -f /dev/mapper/disk ;;
  esac
}
put() { mount -t "$1" -o lazytime /dev/mapper/disk /mnt/disk; }
count() { wc -l <"$1"; }
until_notes() { while [ "$(count /tmp/notes)" -lt "$1" ] && kill -0 $writer 2>/dev/null; do usleep 20000; done; }

# restart unmounts what is left, and mounts what is on the disk.
restart() {
  umount /mnt/disk || { usleep 500000; umount /mnt/disk; }
  dmsetup remove --noudevsync --retry disk
  attach
  put $1
}

for kind in ext4 xfs; do
  attach
  format $kind
  put $kind

  for round in $(seq "$GUEST_ROUNDS"); do
    step "$kind: power cut $round"
    $disk write /mnt/disk >/tmp/notes 2>>/tmp/log &
    writer=$!
    until_notes $((150 * round))
    kill -0 $writer || fail "it ended before the power cut"
    head -n "$(count /tmp/notes)" /tmp/notes >/tmp/before
    become "$cut"
    until_notes $(($(count /tmp/before) + 100))
    kill -9 $writer
    wait $writer 2>/dev/null || true
    grep '^drop' /tmp/notes >>/tmp/before || true # perhaps before the cut
    restart $kind
    $disk check /mnt/disk /tmp/before || fail "what was acknowledged before the power cut is not there"
  done

  tried=0 tries=0
  while [ $tried -lt "$GUEST_ROUNDS" ]; do
    tries=$((tries + 1))
    step "$kind: failed writes $tries"
    $disk errors /mnt/disk >/tmp/notes 2>>/tmp/log &
    writer=$!
    until_notes $((50 * tries))
    sync -f /mnt/disk # so that its journal has nothing to write now
    become "$broken"
    usleep $((50000 * tries))
    become "$well"
    wait $writer || fail "errors of the disk"
    if touch /mnt/disk/probe && sync -f /mnt/disk; then
      tried=$((tried + 1))
    else
      [ $tries -lt 6 ] || fail "$kind ended each time, so nothing was tried"
    fi
    restart $kind
    $disk check /mnt/disk /tmp/notes || fail "what was acknowledged beside an error is not there"
  done
  umount /mnt/disk
  dmsetup remove --noudevsync --retry disk
done
