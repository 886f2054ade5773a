#!/usr/bin/env bash
# The main job on real data: a daemon on free loopback ports with a data dir of its own; volumes written over iSCSI;
# clones, snapshots, a mirror, a list and a group ordered over WS-Management (by twinlun's command line, which is a
# WS-Man client, and by curl); jobs and associations shown; replicas read back over iSCSI and compared byte for byte.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=test/demo
bin=$PWD/bin/twinlun
work=$(mktemp -d)
daemon=
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
fail() { echo "demo: $*" >&2; exit 1; }
run() { echo "\$ twinlun $*"; "$bin" "$@"; }

finish() {
  local status=$?
  [ -n "$daemon" ] && { kill "$daemon" 2>/dev/null || true; wait "$daemon" 2>/dev/null || true; }
  [ $status -eq 0 ] || { echo "--- the daemon's log:"; tail -n 40 "$work/log"; } >&2
  rm -rf "$work"
}
trap finish EXIT

# listening SERVICE prints the address that the daemon's log names.
listening() { sed -n "s/.*\"msg\":\"listening\",\"service\":\"$1\",\"address\":\"\([^\"]*\)\".*/\1/p" "$work/log" | tail -n 1; }

start() {
  "$bin" serve --data-dir "$work/data" --wsman 127.0.0.1:0 --wsman-tls 127.0.0.1:0 --iscsi 127.0.0.1:0 --metrics 127.0.0.1:0 \
    --log-format json 2>>"$work/log" &
  daemon=$!
  for _ in $(seq 200); do
    grep -q '"msg":"ready"' "$work/log" && break
    kill -0 "$daemon" 2>/dev/null || fail "the daemon did not start"
    sleep 0.05
  done
  wsman=$(listening wsman) portal=$(listening iscsi) metrics=$(listening metrics)
  [ -n "$wsman" ] && [ -n "$portal" ] || fail "the daemon did not say where it listens"
  export TWINLUN_SERVER=http://$wsman/wsman
}

stop() { kill "$daemon"; wait "$daemon" || true; daemon=; : >"$work/log.old"; cat "$work/log" >>"$work/log.old"; : >"$work/log"; }

iqn() { echo "iqn.2026-11.dev.twinlun:$1"; }
url() { echo "iscsi://$portal/$(iqn "$1")/0"; }
write() { # VOLUME FILE: its content, through libiscsi
  qemu-img convert -n -f raw -O raw "$2" "$(url "$1")" || fail "cannot write $1"
}
same() { # VOLUME FILE
  qemu-img compare -q -f raw -F raw "$2" "$(url "$1")" || fail "$1 differs from $2"
  echo "  $1 = ${2##*/}"
}
# invoke FILE sends a WS-Man request that stands in a file, with the names in it replaced.
invoke() {
  sed -e "s|@SERVER@|$TWINLUN_SERVER|; s|@SYSTEM@|$(hostname)|; s|@MESSAGE@|$(cat /proc/sys/kernel/random/uuid)|" -e "${2:-}" "$here/$1" |
    curl --silent --show-error --user "admin:$TWINLUN_PASSWORD" --header 'Content-Type: application/soap+xml;charset=UTF-8' --data-binary @- "$TWINLUN_SERVER"
}
id() { "$bin" volume show "$1" -o json | sed -n 's/.*"id": "\([0-9a-f]*\)".*/\1/p'; }

say "A daemon on an empty data dir"
: >"$work/log"
start
TWINLUN_PASSWORD=$(cat "$work/data/initial-admin-password"); export TWINLUN_PASSWORD
echo "WS-Man on $wsman, iSCSI on $portal"
curl --silent --fail "http://$metrics/readyz" | sed 's/^/readyz: /'

say "Three volumes with real data, written over iSCSI"
for n in 1 2 3; do
  head -c 24M /dev/urandom >"$work/image$n"; truncate -s 64M "$work/image$n"
  run volume create "disk$n" --size 64MiB --export
  write "disk$n" "$work/image$n"
done
iscsi-ls "iscsi://$portal" | sed 's/^/  /'
run volume list

say "A clone of one volume: CreateListReplica, SyncType 8"
run replica create --type clone --source disk1 --name clone1 --wait synchronized
run volume expose clone1
same clone1 "$work/image1"

say "Snapshots of all three as a list, at one instant: SyncType 7"
run replica create --type snapshot --source disk1,disk2,disk3 --name snap1,snap2,snap3 --consistent
cp "$work/image2" "$work/image2.before"
qemu-io -f raw -c 'write -P 0x5a 1M 2M' "$(url disk2)" | sed 's/^/  /'
qemu-io -f raw -c 'write -P 0x5a 1M 2M' "$work/image2" >/dev/null
for n in 1 2 3; do run volume expose "snap$n" >/dev/null; done
same disk2 "$work/image2"
same snap2 "$work/image2.before"
same snap3 "$work/image3"

say "A mirror: SyncType 6; what is written afterwards is in both"
run replica create --type mirror --source disk3 --name mirror3 --wait synchronized
qemu-io -f raw -c 'write -P 0xa5 4M 1M' "$(url disk3)" | sed 's/^/  /'
qemu-io -f raw -c 'write -P 0xa5 4M 1M' "$work/image3" >/dev/null
run volume expose mirror3
same disk3 "$work/image3"
same mirror3 "$work/image3"
if qemu-io -f raw -c 'write -P 1 0 4k' "$(url mirror3)" >"$work/refusal" 2>&1; then fail "a host could write to a mirror's target"; fi
sed 's/^/  a host may not write to it: /' "$work/refusal"

say "A group: CreateGroupReplicaFromElements, ordered by curl"
d1=$(id disk1) d2=$(id disk2)
invoke group-clone.xml "s|@DISK1@|$d1|; s|@DISK2@|$d2|" >"$work/answer.xml"
xmllint --format "$work/answer.xml" | sed -n '/_OUTPUT/,/_OUTPUT>/p' | grep -E 'ReturnValue|SourceGroupName|InstanceID' | sed 's/^ */  /'
grep -q ':ReturnValue>\(0\|4096\)<' "$work/answer.xml" || fail "the method failed"
job=$("$bin" job list -o json | sed -n 's/.*"id": "\([^"]*\)".*/\1/p' | tail -n 1)
[ -z "$job" ] || run job watch "$job"
for n in 1 2; do run volume expose "nightly_$n" >/dev/null; done
same nightly_1 "$work/image1"
same nightly_2 "$work/image2"
run group list

say "Jobs and associations, as WS-Man shows them"
run job list
run replica list
invoke associations.xml "s|@DISK1@|$d1|" | xmllint --format - | grep -E 'SyncedElement|CopyState|PercentSynced' | sed 's/^ */  /' | head -n 12

say "After a restart all of it is there"
stop
start
same clone1 "$work/image1"
same mirror3 "$work/image3"
same snap2 "$work/image2.before"
qemu-io -f raw -c 'write -P 0x11 8M 1M' "$(url disk3)" >/dev/null
qemu-io -f raw -c 'write -P 0x11 8M 1M' "$work/image3" >/dev/null
same mirror3 "$work/image3"

say "What was made is unmade"
run replica detach clone1
run volume hide snap1
run replica return snap1
run replica list

say "demo: all replicas equal what they are replicas of"
