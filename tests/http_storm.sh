#!/bin/sh
# A server under attack from several sides (see http_storm.c): a good client does not notice, and in the end the same processes run as
# in the beginning. STORM_REQUESTS and SEED may be set.
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
needs_program ps
own_folder
# shellcheck source=tests/lib/serve.sh
. tests/lib/serve.sh
storm=$(dirname "$ringfort")/tests_http_storm
seed=${SEED:-$(date +%s)}
cd "$dir" || exit

RINGFORT_QUERY_RATE=0 # the good client asks without a pause
export RINGFORT_QUERY_RATE
server_start
server=$(child server)
keeper=$(child keeper)
ran "http_storm ... ${STORM_REQUESTS:-5000} $seed" \
    "$storm" "$data/bootstrap.json" "$server" "${STORM_REQUESTS:-5000}" "$seed"
cat out
ends 0; silent
[ "$(child server)" = "$server" ] || fail 'the server is another process'
[ "$(child keeper)" = "$keeper" ] || fail 'the keeper is another process'
server_stop
command='ringfort serve'
ends 0
# What the log says of it: no failure of ours, however much was refused.
if grep -E ' (error|fatal) ' log >err; then fail 'wanted no error in the log'; fi
conclude
