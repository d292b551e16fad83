#!/bin/sh
# What a vault tells beside its values, from a running server: versions compared, search, what ends soon, who used and who could use an object;
# and that no report gives a value out.
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
needs_program python3
needs_program curl
own_folder
# shellcheck source=tests/lib/serve.sh
. tests/lib/serve.sh
client=$PWD/tests/lib/vault_call.py
cd "$dir" || exit
server_start
boot=$data/bootstrap.json

member() { python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$boot" "$1"; }
origin=$(member vault_url)
origin=${origin%/}
lacks() { if grep -qF -- "$1" out; then fail "standard output has: $1"; fi; }
call() { ran "$1 $2" python3 "$client" "$boot" "$@"; }
arm() # PATH: a GET of the control plane, by a token of its own
{
    printf 'grant_type=client_credentials&client_id=%s&client_secret=%s&scope=https%%3A%%2F%%2Fmanagement.azure.com%%2F.default' \
        "$(member client_id)" "$(member client_secret)" >form
    token=$(curl -s --cacert "$data/ca.pem" --data @form "$origin/$(member tenant_id)/oauth2/v2.0/token" |
        python3 -c 'import json,sys; print(json.load(sys.stdin)["access_token"])')
    printf 'header = "Authorization: Bearer %s"\n' "$token" >curlrc
    ran "arm $1" curl -s -f --cacert "$data/ca.pem" -K curlrc \
        "$origin/subscriptions/$(member subscription_id)/providers/Microsoft.KeyVault/$1"
}
soon=$(($(date +%s) + 864000))

call PUT /secrets/db-password '{"value":"planted-one","tags":{"env":"test"}}'
ends 0
call PUT /secrets/db-password "{\"value\":\"planted-two\",\"tags\":{\"env\":\"prod\"},\"attributes\":{\"exp\":$soon}}"
ends 0
call PUT /secrets/api-token '{"value":"planted-three"}'
ends 0
call GET /secrets/db-password/diff
ends 0
has '"valueEqual":false'
has '"changed":{"env":{"from":"test","to":"prod"}}'
has '"property":"attributes.exp"'
lacks planted
call GET /secrets/db-password
ends 0
call GET /secrets/db-password/activity
ends 0
has '"operation":"SecretGet"'
has '"counts":{"1":1,'
call GET /secrets/db-password/readers
ends 0
has '"kind":"roleAssignment"'
arm 'search?api-version=2023-07-01&q=pass&tag=env%3Dprod'
ends 0
has '"name":"db-password"'
has '"lastRead":'
lacks api-token
lacks planted
arm 'expiring?api-version=2023-07-01&days=30'
ends 0
has '"name":"db-password"'
has '"daysLeft":9'
lacks api-token
arm 'unused?api-version=2023-07-01&days=0'
ends 0
has '"name":"api-token"'
# What was counted is there behind a restart.
server_stop
server_start
origin=$(member vault_url)
origin=${origin%/}
call GET /secrets/db-password/activity
ends 0
has '"counts":{"1":1,'
# Break-glass is off unless the vault has it.
call POST /access-requests '{"scope":"/secrets/api-token","actions":["get"],"reason":"r","minutes":5}'
ends 1
grep -q BreakGlassOff err || fail 'a request for access was taken'
if grep -aq planted- "$dir/log"; then fail 'a value is in the log'; fi
conclude
