#!/bin/sh
# The check of include directions passes on the sources, and finds each kind of violation.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
tools/check-includes

own_folder
tree=$dir
mkdir -p "$tree/base" "$tree/value" "$tree/kql" "$tree/cellar"

expect() # FILE INCLUDE VERDICT
{
    printf '#include "%s"\n' "$2" >"$tree/$1"
    verdict=bad
    if tools/check-includes "$tree" >"$tree/said.txt"; then verdict=good; fi
    rm "$tree/$1"
    [ "$verdict" = "$3" ] && return
    echo "$1 including $2 should be $3, is $verdict"
    exit 1
}
expect kql/a.c value/value.h good
expect kql/a.c kql/a_int.h good
expect kql/a_test.c test/rf_prop.h good
expect base/a.c value/value.h bad
expect value/a.h kql/func.h bad
expect kql/a.c value/text_int.h bad
expect kql/a.c func.h bad
expect kql/a.c test/rf_prop.h bad
expect kql/a.c elsewhere/a.h bad
expect cellar/a.c base/rf.h bad
