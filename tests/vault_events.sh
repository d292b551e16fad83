#!/bin/sh
# Events of a vault come to an event hub of the same server: a subscription is made, a secret and a certificate get versions, and what was acknowledged before
# a kill -9 comes all the same.
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
needs_program python3
own_folder
# shellcheck source=tests/lib/serve.sh
. tests/lib/serve.sh
client=$PWD/tests/lib/vault_call.py
cd "$dir" || exit
server_start
boot=$data/bootstrap.json

call() { ran "$1 $2" python3 "$client" "$boot" "$@"; }
resource() { ran "resource $1 $2" "$ringfort" resource --bootstrap "$boot" "$@"; }
first_id() { resource list "$1" --format json; sed -n 's/.*"id": "\([^"]*\)".*/\1/p' out | head -n 1; }
vault=$(first_id Microsoft.KeyVault/vaults)
space=$(first_id Microsoft.EventHub/namespaces)
if [ -z "$vault" ] || [ -z "$space" ]; then die 'no vault, or no namespace'; fi
arrives() # TEXT: an event of the hub has it, soon
{
    tries=0
    while :; do
        ran peek "$ringfort" events --bootstrap "$boot" peek vaults
        if grep -qF -- "$1" out; then return; fi
        tries=$((tries + 1))
        if [ $tries -ge 100 ]; then fail "no event of the hub has: $1"; return; fi
        sleep 0.1
    done
}

echo '{"properties":{"partitionCount":1}}' >hub.json
resource put "$space/eventhubs/vaults" hub.json
ends 0
echo '{"properties":{"destination":{"endpointType":"EventHub","properties":{"resourceId":"'"$space"'/eventhubs/absent"}}}}' >wrong.json
resource put "$vault/providers/Microsoft.EventGrid/eventSubscriptions/wrong" wrong.json
[ "$status" != 0 ] || fail 'a subscription to a hub that is not there was taken'
echo '{"properties":{"destination":{"endpointType":"EventHub","properties":{"resourceId":"'"$space"'/eventhubs/vaults"}},
    "filter":{"subjectEndsWith":"-told"}}}' >wish.json
resource put "$vault/providers/Microsoft.EventGrid/eventSubscriptions/all" wish.json
ends 0
call PUT /secrets/not-named '{"value":"planted-hidden"}'
ends 0
call PUT /secrets/one-told '{"value":"planted-one"}'
ends 0
arrives Microsoft.KeyVault.SecretNewVersionCreated
has one-told
call POST /certificates/cert-told/create '{"policy":{"issuer":{"name":"Self"},"x509_props":{"subject":"CN=told.example"},"key_props":{"kty":"EC","crv":"P-256"}}}'
ends 0
arrives Microsoft.KeyVault.CertificateNewVersionCreated
call PUT /secrets/last-told '{"value":"planted-two"}'
ends 0
kill -9 "$supervisor" "$(child server)" 2>/dev/null
wait "$supervisor" 2>/dev/null
supervisor=
server_start
arrives last-told
has one-told
if grep -qF not-named out; then fail 'an event that the filter leaves out came'; fi
if grep -qF planted- out; then fail 'an event tells a value'; fi
resource delete "$vault/providers/Microsoft.EventGrid/eventSubscriptions/all"
ends 0
conclude
