#!/bin/sh
# The documentation's examples: all that the checker runs by default pass, but for those that docs/kql.md lists with the reason
# why the shown result cannot be met; none crashes.
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
tail -n 1 "$out" | awk '{ exit !($1 > 0) }'
sed -n 's/^FAIL  \([^:]*\): .*/\1/p' "$out" | while read -r id; do
    grep -qF "\`$id\`" docs/kql.md || { echo "not told about in docs/kql.md: $id"; exit 1; }
done
