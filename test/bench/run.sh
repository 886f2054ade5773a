#!/usr/bin/env bash
# Figures side by side with peers, in one run. Parts can be named: clone iscsi wsman snapshot scale layers pauses sizes.
#   test/bench/run.sh                    all of them, under 20 minutes
#   BENCH_QUICK=1 test/bench/run.sh      all of them, under 5 minutes, rougher
#   test/bench/run.sh iscsi wsman        two parts
# BENCH_ROUNDS sets how often each figure is taken, BENCH_DIR the folder on disk, BENCH_MEMORY the one in memory.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH=$PATH:/usr/sbin:/sbin
test/setup/clients.sh bench
[ -x bin/twinlun ] || make -s build
go build -o bin/bench ./test/bench
exec bin/bench -twinlun "$PWD/bin/twinlun" "$@" # itself, so that it gets the signals
