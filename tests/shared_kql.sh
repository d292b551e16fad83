#!/bin/sh
# The documentation's examples: at least 85 % of the cases that the checker runs by default pass, and none crashes.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
check=../shared/kql/check
needs $check
needs_program python3
own_folder
out=$dir/out
$check --list-failures -- "$ringfort" query --format json - >"$out" || true
cat "$out"
if grep -q '^CRASH' "$out"; then exit 1; fi
tail -n 1 "$out" | awk '{ exit !($1 > 0 && $1 >= 0.85 * ($1 + $3)) }'
