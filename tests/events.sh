#!/bin/sh
# Event hubs by the command line: lines in over HTTPS, out by peek and stats; all of it is there again after kill -9.
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
own_folder
# shellcheck source=tests/lib/serve.sh
. tests/lib/serve.sh
cd "$dir" || exit
server_start
boot=$data/bootstrap.json
events() { what=$1; shift; run events "$what" --bootstrap "$boot" "$@"; }

seq 1 500 | sed 's/.*/{"n":&}/' >in
events send --partition 2 events -; ends 0
printf 'one\ntwo\n' >in
events send --key truck-7 events -; ends 0
events stats --format csv events; ends 0
grep -qx '2,0,500,500' out || fail 'partition 2 has 500 events'
[ "$(awk -F, 'NR > 1 { n += $4 } END { print n }' out)" = 502 ] || fail 'the hub has 502 events'
events peek --partition 2 --from 498 --count 5 events; ends 0
[ "$(wc -l <out)" = 2 ] || fail 'two events follow number 497'
has '"sequenceNumber":499'
has '"n":500'
events peek events --count 100; ends 0
has '"partitionKey":"truck-7"'
events send nosuch "$boot"; ends 1
says nosuch
events peek --partition 99 events; ends 1
events nothing events; ends 2

# Killed at once: what was taken is there, and numbers go on.
kill -9 "$supervisor" "$(child server)" 2>/dev/null
wait "$supervisor" 2>/dev/null
supervisor=
server_start
echo last >in
events send --partition 2 events -; ends 0
events peek --partition 2 --from 499 --count 5 events; ends 0
has '"n":500'
has '"sequenceNumber":500'
conclude
