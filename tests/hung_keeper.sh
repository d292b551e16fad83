#!/bin/sh
# A keeper that stops answering is replaced: meanwhile rows go in over connections that are open, afterwards tokens are issued and
# handshakes made again.
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
needs_program ps
own_folder
# shellcheck source=tests/lib/serve.sh
. tests/lib/serve.sh
sender=$(dirname "$ringfort")/tests_crash_server_sender
boot=$data/bootstrap.json

# until_true SECONDS WHAT COMMAND... - tries until the command succeeds.
until_true()
{
    left=$(($1 * 10)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        left=$((left - 1))
        if [ $left = 0 ]; then
            tail -n 20 "$dir/log"
            fail "$what"
            conclude
        fi
        sleep 0.1
    done
}
acknowledged() { grep -c ' acknowledged$' "$dir/sent"; }
more_than() { [ "$(acknowledged)" -gt "$1" ]; }
is_new() { new=$(child keeper) && [ -n "$new" ] && [ "$new" != "$1" ]; }

command='a hung keeper'
cd "$dir" || exit
: >out
: >err
server_start
rule=$("$sender" "$boot" prepare) || fail 'cannot prepare'
: >"$dir/sent"
"$sender" "$boot" send "$rule" hung 120 20 >>"$dir/sent" &
sending=$!
until_true 30 'no row goes in' more_than 5

for round in 1 2; do
    keeper=$(child keeper) server=$(child server)
    kill -STOP "$keeper"
    # A handshake and its token are asked for, in vain.
    "$ringfort" query --bootstrap "$boot" 'print 1' >/dev/null 2>&1 &
    asking=$!
    until_true 30 "round $round: rows wait for the keeper" more_than $(($(acknowledged) + 20))
    [ "$(child keeper)" = "$keeper" ] || fail "round $round: it was replaced before rows went in"
    until_true 60 "round $round: the keeper is not replaced" is_new "$keeper"
    wait $asking || true
    until_true 30 "round $round: no token is issued" "$ringfort" query --bootstrap "$boot" 'print 1'
    [ "$(child server)" = "$server" ] || fail "round $round: the server was replaced too"
    until_true 30 "round $round: rows stop" more_than $(($(acknowledged) + 5))
done
kill $sending 2>/dev/null
wait $sending 2>/dev/null

# What was acknowledged is there, once and whole.
"$sender" "$boot" count | sort >there
grep -q ' doubled$' there && fail 'rows are there twice'
sort "$dir/sent" | awk 'FILENAME == ARGV[1] { there[$1] = $2; next }
    $3 == "acknowledged" && there[$1] != $2 { print "lost: " $0 }' there - >lost
[ ! -s lost ] || fail "$(head -n 3 lost)"
grep -q 'keeper.hangs' "$dir/log" || fail 'the log does not tell'
server_stop
command='ringfort serve'
ends 0
conclude
