# Runs in the guest (vm.sh): a host's day with our volumes. Given: GUEST_PORTAL, GUEST_DATA and GUEST_NAA (target and
# identifier of a volume that is open to all), GUEST_SAFE, GUEST_USER and GUEST_SECRET (a target that asks for CHAP) and
# GUEST_POINT (the target that the snapshot of GUEST_DATA gets).
# Programs that busybox has too are called by their path: its shell would run its own.
set -eu
step() { echo "step $*"; }
fail() { echo "guest-failed: $*"; exit 1; }
trap 'code=$?; [ $code -eq 0 ] || { echo "guest-failed: exit $code"; dmesg | tail -n 15; }' EXIT

# ask has the machine outside do something, and puts what it says into $answer.
ask() {
  echo "ask $*"
  read -r word answer
  [ "$word" = "ok" ] || fail "$1: $word $answer"
}
node() { iscsiadm -m node -T "$1" -p "$GUEST_PORTAL" -o "$2" ${3:+-n "$3" -v "$4"} >/dev/null; }
login() { iscsiadm -m node -T "$1" -p "$GUEST_PORTAL" --login >/dev/null 2>&1; }
logout() { iscsiadm -m node -T "$1" -p "$GUEST_PORTAL" --logout >/dev/null; }

# disk waits for the disk of a target and prints its name.
disk() {
  for _ in $(seq 100); do
    for s in /sys/class/iscsi_session/session*; do
      [ "$(cat "$s/targetname")" = "$1" ] || continue
      for b in "$s"/device/target*/*/block/*; do
        [ -e "/dev/${b##*/}" ] && { echo "${b##*/}"; return; }
      done
    done
    usleep 100000
  done
  fail "no disk of $1"
}
sums() { (cd "$1" && md5sum -c "$2" >/tmp/sums.log) || { cat /tmp/sums.log; fail "$1 does not hold what was written"; }; }

step discovery
iscsiadm -m discovery -t sendtargets -p "$GUEST_PORTAL" >/tmp/found 2>/dev/null || true
grep -q "$GUEST_DATA" /tmp/found || fail "discovery does not show $GUEST_DATA"
grep -q "$GUEST_POINT" /tmp/found && fail "discovery shows $GUEST_POINT, which is not there yet"

step CHAP
node "$GUEST_SAFE" new
login "$GUEST_SAFE" && fail "a login without CHAP was let in"
node "$GUEST_SAFE" update node.session.auth.authmethod CHAP
node "$GUEST_SAFE" update node.session.auth.username "$GUEST_USER"
node "$GUEST_SAFE" update node.session.auth.password "wrong-$GUEST_SECRET"
login "$GUEST_SAFE" && fail "a login with a wrong secret was let in"
node "$GUEST_SAFE" update node.session.auth.password "$GUEST_SECRET"
login "$GUEST_SAFE" || fail "a login with the right secret was refused"
safe=$(disk "$GUEST_SAFE")

step identity
node "$GUEST_DATA" new
login "$GUEST_DATA"
data=$(disk "$GUEST_DATA")
wwid=$(cat "/sys/block/$data/device/wwid")
[ "$wwid" = "naa.$GUEST_NAA" ] || fail "the kernel knows $data as $wwid, not naa.$GUEST_NAA"
lsblk --nodeps --discard --output NAME,SIZE,RO,DISC-GRAN,DISC-MAX,VENDOR,MODEL "/dev/$data" "/dev/$safe"

step filesystem
/bin/mke2fs -q -t ext4 "/dev/$data"
mkdir -p /mnt/data /mnt/point
mount -t ext4 -o discard "/dev/$data" /mnt/data
for i in $(seq 20); do head -c 300000 /dev/urandom >"/mnt/data/before$i"; done
(cd /mnt/data && md5sum before*) >/tmp/before
sync

step "snapshot under load"
(
  i=0
  while [ ! -e /tmp/stop ]; do
    i=$((i + 1))
    head -c 70000 /dev/urandom >/tmp/block
    md5sum </tmp/block | sed "s| -|  during$i|; s|   *|  |" >>/tmp/during
    dd if=/tmp/block of="/mnt/data/during$i" conv=fsync 2>/dev/null
    echo $i >/tmp/next && mv /tmp/next /tmp/written
  done
) &
writer=$!
while [ "$(cat /tmp/written 2>/dev/null || echo 0)" -lt 5 ]; do usleep 50000; done
first=$(cat /tmp/written)
ask snapshot
last=$(cat /tmp/written)
while [ "$(cat /tmp/written)" -lt $((last + 5)) ]; do usleep 50000; done
touch /tmp/stop
wait $writer
rm /mnt/data/before*
sync

step "the snapshot is the filesystem of that instant"
node "$GUEST_POINT" new
login "$GUEST_POINT"
point=$(disk "$GUEST_POINT")
/bin/e2fsck -fy "/dev/$point" >/tmp/e2fsck.log 2>&1 || [ $? -eq 1 ] || { cat /tmp/e2fsck.log; fail "the snapshot cannot be mended"; }
/bin/e2fsck -fn "/dev/$point" >/tmp/e2fsck.log 2>&1 || { cat /tmp/e2fsck.log; fail "the snapshot is not sound"; }
mount -t ext4 -o ro "/dev/$point" /mnt/point
sums /mnt/point /tmp/before
newest=0
while [ -e "/mnt/point/during$((newest + 1))" ]; do newest=$((newest + 1)); done
echo "files synced before the snapshot: $first, after it: $((last + 1)), in it: $newest"
[ "$newest" -ge "$first" ] || fail "a file that was synced before the snapshot is not in it"
[ "$newest" -le $((last + 1)) ] || fail "a file that was written after the snapshot is in it"
head -n "$first" /tmp/during >/tmp/synced
sums /mnt/point /tmp/synced
umount /mnt/point
logout "$GUEST_POINT"

step "the source went on"
sums /mnt/data /tmp/during
umount /mnt/data
/bin/e2fsck -fn "/dev/$data" >/tmp/e2fsck.log 2>&1 || { cat /tmp/e2fsck.log; fail "the source is not sound"; }

step fio
fio --name=verify --filename="/dev/$safe" --rw=randwrite --bs=4k --size=16M --direct=1 --ioengine=libaio --iodepth=16 \
  --verify=crc32c --verify_fatal=1 --do_verify=1 --randseed=1 --output=/tmp/fio.log || { cat /tmp/fio.log; fail "fio"; }
grep -q 'err= 0' /tmp/fio.log || { cat /tmp/fio.log; fail "fio says nothing good"; }

step "space comes back"
ask allocated
[ "$answer" -ge $((16 << 20)) ] || fail "$answer bytes are allocated after 16 MiB were written"
/bin/blkdiscard "/dev/$safe"
ask allocated
[ "$answer" -lt $((1 << 20)) ] || fail "$answer bytes are allocated after all was discarded"
dd if="/dev/$safe" bs=1M count=16 iflag=direct 2>/dev/null | tr -d '\0' | head -c 1 >/tmp/rest
[ ! -s /tmp/rest ] || fail "what was discarded does not read as zeros"

step resize
ask resize
iscsiadm -m session --rescan >/dev/null
[ "$(cat "/sys/block/$safe/size")" -eq $((answer / 512)) ] || fail "$safe has $(cat "/sys/block/$safe/size") sectors, not $((answer / 512))"

step logout
logout "$GUEST_SAFE"
logout "$GUEST_DATA"
