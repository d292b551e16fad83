#!/bin/sh
# The rules of content/rules against the Contoso hour with and without its attack, and against the recorded attacks where
# they exist: each fires on what expectations.csv lists and stays silent on all else.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
rules=content/rules
own_folder

fired() # OPTION...: ids of the rules that fired, sorted
{
    "$ringfort" detect --rules $rules --schemas content/schemas --format jsonl "$@" >"$dir/alerts.jsonl" || failures=$((failures + 1))
    sed -n 's/^{"rule":"\([^"]*\)".*/\1/p' "$dir/alerts.jsonl" | sort -u
}

expected() # DATASET
{
    awk -F, -v set="$1" '$3 == set && $5 == "fires" { print $1 }' $rules/expectations.csv | sort -u
}

compare() # DATASET OPTION...
{
    name=$1
    shift
    fired "$@" >"$dir/fired.txt"
    expected "$name" >"$dir/expected.txt"
    diff "$dir/expected.txt" "$dir/fired.txt" >"$dir/diff.txt" && return
    echo "$name: rules that should fire (<) and did not expect to (>):"
    sed -n 's/^[<>]/&/p' "$dir/diff.txt"
    failures=$((failures + 1))
}

count=$(find $rules -name '*.yaml' | wc -l)
[ "$count" -ge 25 ] || { echo "only $count rules"; failures=$((failures + 1)); }

cc -O2 -o "$dir/generate" examples/contoso-shipping/generate.c
"$dir/generate" --out "$dir/attack" >/dev/null 2>&1
"$dir/generate" --out "$dir/quiet" --no-attack >/dev/null 2>&1
compare contoso-attack --tables "$dir/attack"
compare contoso-quiet --tables "$dir/quiet"

if [ -d ../shared/attacks ]; then
    awk -F, '$3 != "dataset" { print $3 "," $4 }' $rules/expectations.csv | sort -u >"$dir/sets.txt"
    while IFS=, read -r name table; do
        [ -f "../shared/attacks/$name.jsonl.gz" ] || continue
        compare "$name" --file "../shared/attacks/$name.jsonl.gz=$table"
    done <"$dir/sets.txt"
fi
conclude
