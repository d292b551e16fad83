#!/bin/sh
# The root key sealed by a PKCS#11 token (SoftHSM) and by a TPM (swtpm): starts without people, a rotation, a backup, a wrong PIN, a token that is gone and comes back,
# recovery, and the way back to a key file.
set -eu
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
own_folder
cd "$dir" || exit
data=$dir/data
command=seal_token status=0
: >out
: >err
supervisor=
swtpm=

needs_program softhsm2-util
[ -x "$(dirname "$ringfort")/ringfort-token" ] || skip 'ringfort-token was not built (libp11-kit-dev)'
needs_program curl
module=
for path in /usr/lib/softhsm/libsofthsm2.so /usr/lib/*/softhsm/libsofthsm2.so; do
    [ ! -e "$path" ] || module=$path
done
[ -n "$module" ] || skip 'libsofthsm2.so was not found'

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
stop_tpm()
{
    [ -z "$swtpm" ] || kill "$swtpm" 2>/dev/null || true
    [ -z "$swtpm" ] || wait "$swtpm" 2>/dev/null || true
    swtpm=
}
answers() { "$ringfort" query --bootstrap "$data/bootstrap.json" 'print 1'; }
says() { "$ringfort" vault status --data "$data" 2>&1 | grep -q -- "$1"; }
stop()
{
    [ -z "$supervisor" ] || kill "$supervisor" 2>/dev/null || true
    [ -z "$supervisor" ] || wait "$supervisor" 2>/dev/null || true
    supervisor=
}
trap 'stop; stop_tpm; rm -rf "$dir"' EXIT
vault() { "$ringfort" vault "$@" --data "$data"; }
port_of() { sed -n 's/.*"https:\/\/[^":]*:\([0-9]*\)".*/\1/p' "$data/bootstrap.json" | head -n 1; }
expect() # TEXT FILE
{
    grep -q -- "$1" "$2" || { cat "$2"; fail "'$1' is not there"; }
}
tries_of() { grep -c '"keeper.token"\|keeper\.token' log || true; }

# ---- the token ----
mkdir tokens
printf 'directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n' "$dir" >hsm.conf
SOFTHSM2_CONF=$dir/hsm.conf softhsm2-util --init-token --free --label contoso --pin 482913 \
    --so-pin 11223344 >out 2>&1 || { cat out; fail 'no token was made'; }
printf '482913\n' >pin
printf '000000\n' >wrong
reseal() # OPTION...
{
    vault reseal --seal pkcs11 --module "$module" --token-label contoso --key-label ringfort \
        --module-env "SOFTHSM2_CONF=$dir/hsm.conf" "$@"
}

launch
wait_for 'the server' answers
port=$(port_of)
if reseal --pin-file pin >out 2>&1; then fail 'sealed under a key that is not there'; fi
expect 'no AES key' out
expect 'END OF ALL DATA' out
if reseal --pin-file wrong --create-key >out 2>&1; then fail 'sealed by a wrong PIN'; fi
expect 'CKR_PIN_INCORRECT' out
if vault reseal --seal file --module "$module" >out 2>&1; then fail 'a file has no module'; fi
says 'key file' || fail 'a refused re-seal changed something'
reseal --pin-file pin --create-key --recovery 2/2 >recovery
expect "open, sealed by PKCS#11 token 'contoso' (generation 1), recovery by shares 2 of 2" recovery
answers >/dev/null || fail 'it does not serve on after a re-seal'
cmp -s -n 32 "$data/keeper/root.key" /dev/zero || fail 'root.key holds something'

# ---- starts without people; rotation; what was written stays readable ----
stop
launch
wait_for 'the server, by its token' answers
vault rotate-root >out
expect "token 'contoso' (generation 2)" out
stop
launch
wait_for 'the server, rotated' answers
"$ringfort" doctor --data "$data" >out 2>&1 || true
expect "sealed by PKCS#11 token 'contoso' (generation 2)" out
"$ringfort" backup --data "$data" "$dir/copy" >out 2>&1 || { cat out; fail backup; }
cmp "$data/keeper/root.seal" "$dir/copy/keeper/root.seal" || fail 'the copy lacks the seal'
if grep -q 482913 log "$data/keeper/root.seal" "$data/keeper/audit.log"; then fail 'the PIN is told'; fi
if ps ax | grep -v grep | grep -q 'ringfort-token'; then fail 'ringfort-token lives on'; fi

# ---- a wrong PIN: sealed, tried once ----
stop
cp pin kept
cp wrong pin
launch
wait_for 'the sealed server' says CKR_PIN_INCORRECT
before=$(tries_of)
sleep 1.5
[ "$(tries_of)" = "$before" ] || fail 'a wrong PIN is tried again'
curl -sk "https://127.0.0.1:$port/seal" >body || true
expect CKR_PIN_INCORRECT body
expect '"sealed": *true' body
stop
cp kept pin

# ---- a token that is gone, and comes back ----
mv tokens away
mkdir tokens
launch
wait_for 'the sealed server' says "there is no token 'contoso'"
rmdir tokens 2>/dev/null || rm -rf tokens
mv away tokens
wait_for 'the server, its token is back' answers

# ---- gone for good: recovery ----
stop
rm -rf tokens
mkdir tokens
launch
wait_for 'the sealed server' says "there is no token 'contoso'"
sed -n 's/^recovery share [12]: //p' recovery >typed
vault unseal <typed >out
wait_for 'the server, by recovery' answers
vault reseal --seal file >out
expect 'open, sealed by key file (generation 2)' out
stop
launch
wait_for 'the server, by its key file' answers
if tr -d '\0' <"$data/keeper/root.seal" | grep -q contoso; then fail 'the old seal is still there'; fi
if ! command -v swtpm >/dev/null 2>&1 || ! command -v tpm2_pcrextend >/dev/null 2>&1; then
    echo 'seal_token: no TPM was tried, as swtpm and tpm2-tools are not installed'
    conclude
fi

# ---- a TPM: its PCRs, a restart, one that is gone ----
tpm_port=$((20000 + $$ % 20000))
tpm=swtpm:host=127.0.0.1,port=$tpm_port
mkdir tpm
start_tpm()
{
    swtpm socket --tpm2 --tpmstate "dir=$dir/tpm" --server "type=tcp,port=$tpm_port" \
        --ctrl "type=tcp,port=$((tpm_port + 1))" --flags not-need-init,startup-clear >>tpm.log 2>&1 &
    swtpm=$!
    tries=0
    until tpm2_pcrread -T "$tpm" sha256:16 >out 2>&1; do
        tries=$((tries + 1))
        [ $tries -le 50 ] || { cat out tpm.log; fail 'swtpm does not answer'; exit 1; }
        sleep 0.1
    done
}
start_tpm
if vault reseal --seal tpm --tpm "$tpm" --pcrs 7,24 >out 2>&1; then fail 'PCR 24'; fi
expect 'PCRs are numbers' out
if vault reseal --seal file --pcrs 7 >out 2>&1; then fail 'a file has no PCRs'; fi
vault reseal --seal tpm --tpm "$tpm" >out 2>&1
expect 'open, sealed by TPM 2.0 (generation 2)' out
expect 'END OF ALL DATA' out
vault reseal --seal tpm --tpm "$tpm" --pcrs 0,16 --recovery 2/3 >recovery
expect 'open, sealed by TPM 2.0 (PCRs 0,16) (generation 2), recovery by shares 2 of 3' recovery
vault rotate-root >out
expect 'generation 3' out
stop
launch
wait_for 'the server, by its TPM' answers
# The same TPM after a restart of the machine.
stop
stop_tpm
start_tpm
launch
wait_for 'the server, after its TPM was started anew' answers
stop
tpm2_pcrextend -T "$tpm" "16:sha256=$(printf '%064d' 7)" >out 2>&1 || { cat out; fail pcrextend; }
launch
wait_for 'the sealed server' says 'PCRs are others'
stop
stop_tpm
launch
wait_for 'the sealed server' says 'there is no TPM'
start_tpm
wait_for 'the server, its TPM is back' answers
stop
stop_tpm
rm -rf tpm
mkdir tpm
start_tpm
launch
wait_for 'the sealed server' says 'another TPM'
sed -n 's/^recovery share [13]: //p' recovery >typed
vault unseal <typed >out
wait_for 'the server, by recovery' answers
vault reseal --seal file >out
expect 'open, sealed by key file (generation 3)' out
conclude
