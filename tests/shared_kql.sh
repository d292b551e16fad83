#!/bin/sh
# The documentation's examples: at least 85 % of the cases that the checker runs by default pass, and none crashes.
set -eu
cd "$(dirname "$0")/.."
check=../shared/kql/check
[ -x $check ] || { echo "../shared/kql is not here"; exit 77; }
command -v python3 >/dev/null || { echo "python3 is not here"; exit 77; }
out=$(mktemp)
trap 'rm -f "$out"' EXIT
$check --list-failures -- "${RINGFORT:-build/ringfort}" query --format json - >"$out" || true
cat "$out"
! grep -q '^CRASH' "$out"
tail -n 1 "$out" | awk '{ exit !($1 > 0 && $1 >= 0.85 * ($1 + $3)) }'
