#!/bin/sh
# The root key's seals as an operator sees them: each kind, a restart that stays sealed, unsealing by command line and over HTTPS,
# recovery, rotation, and kill -9 while it is re-sealed.
set -eu
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
own_folder
cd "$dir" || exit
data=$dir/data
command=sealing status=0
: >out
: >err
supervisor=

launch() # OPTION...
{
    "$ringfort" serve --data "$data" --listen-https 127.0.0.1:0 "$@" >>log 2>&1 &
    supervisor=$!
}
wait_for() # WHAT COMMAND...
{
    what=$1
    shift
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ $tries -gt 200 ] || ! kill -0 "$supervisor" 2>/dev/null; then
            tail -n 20 log
            echo "$what did not come"
            exit 1
        fi
        sleep 0.1
    done
}
answers() { "$ringfort" query --bootstrap "$data/bootstrap.json" 'print 1'; }
is_sealed() { [ "$(curl -sk -o /dev/null -w '%{http_code}' "https://127.0.0.1:$port/")" = 503 ]; }
stop()
{
    [ -z "$supervisor" ] || kill "$supervisor" 2>/dev/null || true
    [ -z "$supervisor" ] || wait "$supervisor" 2>/dev/null || true
    supervisor=
}
trap 'stop; rm -rf "$dir"' EXIT
needs_program curl
vault() { "$ringfort" vault "$@" --data "$data"; }
port_of() { sed -n 's/.*"https:\/\/[^":]*:\([0-9]*\)".*/\1/p' "$data/bootstrap.json" | head -n 1; }
expect() # TEXT FILE
{
    grep -q -- "$1" "$2" || { cat "$2"; fail "'$1' is not there"; }
}
restart_sealed()
{
    stop
    launch "$@"
    wait_for 'the sealed server' is_sealed
}

# ---- key file ----
launch
wait_for 'the server' answers
port=$(port_of)
vault status >out
expect 'open, sealed by key file (generation 1)' out
[ "$(stat -c %a "$data/keeper/seal.sock")" = 600 ] || fail 'the socket is open to others'
if vault seal >out 2>&1; then fail 'a key file was closed'; fi
expect SealUnfit out

# ---- shares ----
if vault reseal --seal shares --quorum 4/3 >out 2>&1; then fail '4 of 3'; fi
expect SealUnfit out
vault status | grep -q 'key file' || fail 'a refused re-seal changed something'
vault reseal --seal shares --quorum 2/3 >shares
expect 'shares 2 of 3' shares
answers >/dev/null || fail 'it does not serve on after a re-seal'
restart_sealed
curl -sk "https://127.0.0.1:$port/subscriptions" -D head >body
expect VaultSealed body
expect 'Retry-After' head
curl -sk "https://127.0.0.1:$port/seal" >body
expect '"sealed": *true' body
expect '"wanted": *2' body
if vault status >out; then fail 'sealed, and status says open'; fi
expect '0 of 2' out
if vault rotate-root >out 2>&1; then fail 'sealed, and it rotates'; fi
expect VaultSealed out
share() { sed -n "s/^share $1: //p" shares; }
put() { curl -sk -X PUT "https://127.0.0.1:$port/seal/unseal" --data "{\"share\":\"$1\"}" >body; }
put "$(share 1 | sed 's/^.\{4\}//')"
expect ShareInvalid body
put "$(share 1)"
expect '"have": *1' body
put "$(share 1)"
expect ShareTwice body
put "$(share 3)"
expect '"sealed": *false' body
wait_for 'the server' answers
# The other way in.
restart_sealed
share 2 >typed
share 1 >>typed
vault unseal <typed >out
expect 'open, sealed by shares 2 of 3' out
wait_for 'the server' answers
grep -q 'root.unsealed' "$data/keeper/audit.log" || fail 'no line tells of it'
# Closed by hand, without a restart.
vault seal
wait_for 'the sealed server' is_sealed
vault unseal <typed >out
wait_for 'the server' answers

# ---- passphrase, recovery, a file at the start ----
printf 'a passphrase of many words\n' >phrase
vault reseal --seal passphrase --recovery 2/2 <phrase >recovery
expect 'passphrase (generation 1), recovery by shares 2 of 2' recovery
restart_sealed
if vault unseal <typed >out 2>&1; then fail 'old shares open it'; fi
expect ShareOther out
printf 'wrong words altogether\n' >wrong
if vault unseal <wrong >out 2>&1; then fail 'a wrong passphrase opens it'; fi
expect PassphraseWrong out
vault unseal <phrase >out
wait_for 'the server' answers
restart_sealed
sed -n 's/^recovery share [12]: //p' recovery >typed
vault unseal <typed >out
wait_for 'the server' answers
stop
launch --unseal-file "$dir/phrase"
wait_for 'the server' answers
if ps ax | grep -v grep | grep -q 'many words'; then fail 'the passphrase is in the process list'; fi

# ---- rotation ----
vault rotate-root >out
expect 'generation 2' out
answers >/dev/null || fail 'it does not serve on after a rotation'
stop
launch --unseal-file "$dir/phrase"
wait_for 'the server' answers
"$ringfort" doctor --data "$data" >out || true
expect 'sealed by passphrase (generation 2), recovery' out

# ---- backup ----
"$ringfort" backup --data "$data" "$dir/copy" >out 2>&1 || { cat out; fail backup; }
cmp "$data/keeper/root.seal" "$dir/copy/keeper/root.seal" || fail 'the copy lacks the seal'

# ---- kill -9 in the middle of re-sealing ----
rounds=6
while [ $rounds -gt 0 ]; do
    rounds=$((rounds - 1))
    {
        vault reseal --seal file
        vault reseal --seal passphrase <phrase
        vault reseal --seal file
        vault rotate-root
        vault reseal --seal passphrase <phrase
    } >out 2>&1 &
    loop=$!
    sleep "0.$((rounds * 2 + 1))"
    kill -9 "$supervisor"
    wait "$supervisor" 2>/dev/null || true
    wait "$loop" || true
    launch --unseal-file "$dir/phrase"
    wait_for "the server after kill -9 ($rounds)" answers
done
vault reseal --seal file >out
expect 'open, sealed by key file' out
stop
launch
wait_for 'the server' answers
conclude
