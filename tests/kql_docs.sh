#!/bin/sh
# docs/kql.md lists what the program knows, and the list for editors is JSON with the same names.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
own_folder
"$ringfort" functions --format markdown >"$dir/now"
sed -n '/^<!-- made by tools\/kql-docs -->$/,/^<!-- end -->$/p' docs/kql.md | sed '1d;$d' >"$dir/then"
cmp "$dir/now" "$dir/then" || {
    echo 'docs/kql.md is out of date: tools/kql-docs writes it anew'
    exit 1
}
needs_program python3
"$ringfort" functions --format json | python3 -c '
import json, sys
language = json.load(sys.stdin)
for kind in "functions", "specials", "aggregations", "operators", "plugins":
    names = [w["name"] for w in language[kind]]
    assert len(names) > 10 and names == sorted(set(names)), kind
    assert all(w["doc"] and (w.get("signatures") or w.get("syntax")) for w in language[kind]), kind
assert "let" in language["keywords"]
'
