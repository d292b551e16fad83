#!/bin/sh
# A disk that is full: loading stops with a message that says so, nothing acknowledged is lost, queries go on, and with
# room again the same command completes the work. Then output that nobody can write.
#
# The disk is a small file system in memory, mounted in a name space of our own; without the right to do that
# the test is skipped.
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh

if [ "${1:-}" != inside ]; then
    root=
    [ "$(id -u)" = 0 ] || root=-r
    if ! unshare $root -m true 2>/dev/null && ! { root=-r && unshare -rm true 2>/dev/null; }; then
        skip 'no name space for a file system of our own'
    fi
    own_folder
    RINGFORT=$ringfort unshare $root -m "tests/$(basename "$0")" inside "$dir"
    exit
fi

cd "$2" || exit
mkdir disk
mount -t tmpfs -o size=1m tmpfs disk 2>/dev/null || skip 'no right to mount a file system'

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
    echo "a disk of $kilobytes kB"
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
run ingest --data disk/s --table T part00.jsonl
for words in 'tables' 'schema' 'stats' 'fsck' 'query --format csv T' 'query --format json T' 'query --format table T' 'query --explain T'; do
    # Words of ours; the shell in between is there for the name /dev/full.
    # shellcheck disable=SC2016,SC2046,SC2086
    ran "ringfort $words >/dev/full" sh -c '"$0" "$@" >/dev/full' "$ringfort" ${words%% *} --data disk/s $(echo "$words" | sed -n 's/^[a-z]* //p')
    ends 1
    says 'No space left on device'
done

conclude
