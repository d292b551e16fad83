#!/bin/sh
# A disk that is full: loading stops with a message that says so, nothing acknowledged is lost, queries go on, and with
# room again the same command completes the work. Then output that nobody can write.
#
# The disk is a small file system in memory, mounted in a name space of our own; without the right to do that
# the test is skipped.
set -u
cd "$(dirname "$0")/.." || exit
ringfort=${RINGFORT:-build/ringfort}
case $ringfort in /*) ;; *) ringfort=$PWD/$ringfort ;; esac

if [ "${1:-}" != inside ]; then
    root=
    [ "$(id -u)" = 0 ] || root=-r
    if ! unshare $root -m true 2>/dev/null && ! { root=-r && unshare -rm true 2>/dev/null; }; then
        echo 'no name space for a file system of our own'
        exit 77
    fi
    dir=$(mktemp -d)
    trap 'rm -rf "$dir"' EXIT
    RINGFORT=$ringfort unshare $root -m "tests/$(basename "$0")" inside "$dir"
    exit
fi

cd "$2" || exit
mkdir disk
mount -t tmpfs -o size=1m tmpfs disk 2>/dev/null || { echo 'no right to mount a file system'; exit 77; }
failures=0

run()
{
    status=0
    "$ringfort" "$@" >out 2>err </dev/null || status=$?
    command="ringfort $*"
}
fail()
{
    failures=$((failures + 1))
    printf 'FAILED: %s kB: %s\n  %s\n  status %s\n' "$kilobytes" "$command" "$1" "$status"
    sed 's/^/  out: /' out | head -n 20
    sed 's/^/  err: /' err | head -n 20
}
ends() { [ "$status" = "$1" ] || fail "wanted status $1"; }
prints() { printf '%b' "$1" >want; cmp -s want out || fail "wanted $(printf '%b' "$1")"; }
says() { grep -qF -- "$1" err || fail "standard error lacks: $1"; }

# Texts that do not pack well: 12 files of 2000 rows, numbered through; every 500th line is no row.
awk 'BEGIN {
    srand(7)
    for (i = 0; i < 24000; i++) {
        file = sprintf("part%02d.jsonl", i / 2000)
        printf "{\"TimeGenerated\":\"2025-01-01T%02d:%02d:00Z\",\"Number\":%d,\"Text\":\"%d-%d-%d\"}\n", i % 24, i % 60, i, rand() * 1e9, rand() * 1e9, rand() * 1e9 >file
        if (i % 500 == 499) print "no row" >file
    }
}'

for kilobytes in 4 8 40 150 333 700; do
    mount -o "remount,size=${kilobytes}k" disk
    rows=0 status=0
    for part in part*.jsonl; do
        run ingest --data disk/s --table T "$part"
        [ $status = 0 ] || break
        rows=$((rows + 2000))
        run merge --data disk/s
        [ $status = 0 ] || break
    done
    ends 1
    says 'No space left on device'
    says disk/s
    # The disk is full still.
    if [ $rows != 0 ]; then
        run query --data disk/s 'T | summarize count(), dcount(Number, 4), max(Number)'
        ends 0
        run query --data disk/s 'T | summarize n = count(), s = sum(Number) | project n, s'
        ends 0
        prints "n,s\n$rows,$((rows * (rows - 1) / 2))\n"
        run query --data disk/s "T | where Number == $((rows - 1)) | project Number"
        prints "Number\n$((rows - 1))\n"
        run fsck --data disk/s
        ends 0
    fi
    run ingest --data disk/s --table T part*.jsonl
    ends 1
    says 'No space left on device'
    mount -o remount,size=64m disk
    run ingest --data disk/s --table T part*.jsonl
    ends 0
    run query --data disk/s 'T | summarize n = count(), s = sum(Number) | project n, s'
    prints "n,s\n24000,$((24000 * 23999 / 2))\n"
    run fsck --data disk/s
    ends 0
    rm -rf disk/s
done

# ---- output that cannot be written -------------------------------------------------------------------------------
kilobytes=65536
run ingest --data disk/s --table T part00.jsonl
for words in 'tables' 'schema' 'stats' 'fsck' 'query --format csv T' 'query --format json T' 'query --format table T' 'query --explain T'; do
    command="ringfort $words >/dev/full" status=0
    # Words of ours.
    # shellcheck disable=SC2086
    "$ringfort" ${words%% *} --data disk/s $(echo "$words" | sed -n 's/^[a-z]* //p') >/dev/full 2>err || status=$?
    : >out
    ends 1
    says 'No space left on device'
done

[ $failures = 0 ] || echo "$failures failures"
[ $failures = 0 ]
