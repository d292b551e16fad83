#!/bin/sh
# Neither the server's memory nor a file of it holds a private key or a client's secret (see key_scan.c).
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
needs_program ps
own_folder
# shellcheck source=tests/lib/serve.sh
. tests/lib/serve.sh
scanner=$(dirname "$ringfort")/tests_key_scan
cd "$dir" || exit

server_start
cp -r "$data/keeper" copy
# The keeper has its keys where not even root sees them, on kernels that offer this.
keeper=
! grep -q memfd_secret log || keeper=$(child keeper)
# shellcheck disable=SC2086
ran 'key_scan' "$scanner" "$data" "$dir/copy" "$dir/log" "$(child server)" "$supervisor" $keeper
cat out
[ "$status" != 77 ] || skip "$(tail -n 1 out)"
ends 0; silent

# What is written at the end is looked at too: the same once more with what the stop has left.
server_stop
command='ringfort serve'
ends 0
secret=$(sed -n 's/.*"client_secret":"\([^"]*\)".*/\1/p' "$data/bootstrap.json")
[ ${#secret} -ge 30 ] || fail 'bootstrap.json has no secret'
if grep -rlF -- "$secret" "$data" log | grep -v '/bootstrap.json$' >out; then
    fail "the client secret is in $(cat out)"
fi
conclude
