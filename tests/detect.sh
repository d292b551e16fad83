#!/bin/sh
# The rules of content/rules against the Contoso hour with and without its attack, and against the recorded attacks where
# they exist: each fires on what expectations.csv lists and stays silent on all else.
set -eu
cd "$(dirname "$0")/.."
ringfort=${RINGFORT:-build/ringfort}
rules=content/rules
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

fired() # OPTION...: ids of the rules that fired, sorted
{
    "$ringfort" detect --rules $rules --schemas content/schemas --format jsonl "$@" >"$work/alerts.jsonl" || failed=1
    sed -n 's/^{"rule":"\([^"]*\)".*/\1/p' "$work/alerts.jsonl" | sort -u
}

expected() # DATASET
{
    awk -F, -v set="$1" '$3 == set && $5 == "fires" { print $1 }' $rules/expectations.csv | sort -u
}

compare() # DATASET OPTION...
{
    name=$1
    shift
    fired "$@" >"$work/fired.txt"
    expected "$name" >"$work/expected.txt"
    diff "$work/expected.txt" "$work/fired.txt" >"$work/diff.txt" && return
    echo "$name: rules that should fire (<) and did not expect to (>):"
    sed -n 's/^[<>]/&/p' "$work/diff.txt"
    failed=1
}

count=$(find $rules -name '*.yaml' | wc -l)
[ "$count" -ge 25 ] || { echo "only $count rules"; failed=1; }

cc -O2 -o "$work/generate" examples/contoso-shipping/generate.c
"$work/generate" --out "$work/attack" >/dev/null 2>&1
"$work/generate" --out "$work/quiet" --no-attack >/dev/null 2>&1
compare contoso-attack --tables "$work/attack"
compare contoso-quiet --tables "$work/quiet"

if [ -d ../shared/attacks ]; then
    awk -F, '$3 != "dataset" { print $3 "," $4 }' $rules/expectations.csv | sort -u >"$work/sets.txt"
    while IFS=, read -r name table; do
        [ -f "../shared/attacks/$name.jsonl.gz" ] || continue
        compare "$name" --file "../shared/attacks/$name.jsonl.gz=$table"
    done <"$work/sets.txt"
fi
exit $failed
