#!/usr/bin/env bash
# Runs every fuzzer of the project, one after the other, for the time given (default 60s).
set -euo pipefail
cd "$(dirname "$0")/../.."
time=${1:-60s}
count=0
while IFS=: read -r file func; do
  package=./$(dirname "$file")
  echo "== $package $func"
  go test -run '^$' -fuzz "^$func\$" -fuzztime "$time" "$package"
  count=$((count + 1))
done < <(grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | sed 's|^\./||; s|func ||' | sort)
echo "$count fuzzers ran for $time each"
