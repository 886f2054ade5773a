#!/usr/bin/env bash
# Runs every fuzzer of the project, one after the other, for the time given (default 60s).
set -euo pipefail
cd "$(dirname "$0")/../.."
time=${1:-60s}
count=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT

# fuzz PACKAGE FUNCTION. When the time is up while a worker has just been given an input, go test can fail with nothing
# but "context deadline exceeded": the end of the time, not a finding. A finding names the input that it has written.
fuzz() {
  go test -run '^$' -fuzz "^$2\$" -fuzztime "$time" "$1" 2>&1 | tee "$out" && return 0
  grep -q 'Failing input written to' "$out" && return 1
  grep -qx ' *context deadline exceeded' "$out" || return 1
  [ "$(sed -n '/^--- FAIL/,/^FAIL$/p' "$out" | wc -l)" -eq 3 ] || return 1
  echo "note: the time ended within an input; no finding"
}

while IFS=: read -r file func; do
  package=./$(dirname "$file")
  echo "== $package $func"
  fuzz "$package" "$func"
  count=$((count + 1))
done < <(grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | sed 's|^\./||; s|func ||' | sort)
echo "$count fuzzers ran for $time each"
