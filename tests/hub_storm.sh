#!/bin/sh
# The event hubs of a server under attack from all sides (see hub_storm.c): good clients of every protocol do not notice, and in the end
# the same processes run as in the beginning. STORM_FRAMES (for each protocol; 50000 takes minutes) and SEED may be set.
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
needs_program ps
own_folder
# shellcheck source=tests/lib/serve.sh
. tests/lib/serve.sh
storm=$(dirname "$ringfort")/tests_hub_storm
seed=${SEED:-$(date +%s)}
cd "$dir" || exit

server_start
server=$(child server)
keeper=$(child keeper)
ran "hub_storm ... ${STORM_FRAMES:-2000} $seed" \
    "$storm" "$data/bootstrap.json" "$server" "${STORM_FRAMES:-2000}" "$seed"
cat out
ends 0; silent
[ "$(child server)" = "$server" ] || fail 'the server is another process'
[ "$(child keeper)" = "$keeper" ] || fail 'the keeper is another process'
server_stop
command='ringfort serve'
ends 0
# What the log says of it: no failure of ours, and no key, whatever was sent.
if grep -E ' (error|fatal) ' log >err; then fail 'wanted no error in the log'; fi
key=$(sed -n 's/.*"key": *"\([^"]*\)".*/\1/p' "$data/bootstrap.json" | head -n 1)
if [ -n "$key" ] && grep -qF "$key" log; then fail 'a key is in the log'; fi
conclude
