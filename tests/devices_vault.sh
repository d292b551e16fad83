#!/bin/sh
# Devices whose certificates an authority of a vault issues: enrolled, sending, in its register, revoked on either side and refused at once, renewed, and back to the
# installation's own authority.
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
own_folder
# shellcheck source=tests/lib/serve.sh
. tests/lib/serve.sh
needs_program curl
needs_program openssl
cd "$dir" || exit
server_start
boot=$data/bootstrap.json
setting() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" "$boot" | head -n 1; }
https=$(setting https) ca=$data/ca.pem
vault=$(setting vault_named_url | sed 's|https://\([^.]*\).*|\1|')
device() { what=$1; shift; run device "$what" --bootstrap "$boot" "$@"; }
cert() { run cert "$@" --bootstrap "$boot"; }
post() # DEVICE - prints the status
{
    ran "curl $1" curl -sS -o answer -w '%{http_code}' --cacert "$ca" --cert "c/$1.pem" --key "c/$1.key" \
        -H 'Content-Type: text/plain' -d hello "$https/events/publishers/$1/messages"
}
answers() { [ "$(cat out)" = "$1" ] || fail "the answer is not $1: $(cat answer)"; }
serial() { openssl x509 -in "c/$1.pem" -noout -serial | sed 's/.*=//' | tr A-F a-f; }

cert issuer set Fleet --provider Ringfort-CA; ends 0
device enrol truck-1 truck-2 --hub events --issuer "vault://$vault/Fleet" --out c; ends 0
device enrol truck-3 --hub events --out c; ends 0
openssl x509 -in c/truck-1.pem -noout -subject -ext extendedKeyUsage,authorityInfoAccess -nameopt RFC2253 >out
has 'CN=truck-1'
has 'TLS Web Client Authentication'
has "/pki/$vault/Fleet/ocsp"
if grep -q 'Server Authentication' out; then fail 'it is for clients alone'; fi
cert issuer issued Fleet --format csv; ends 0
for name in truck-1 truck-2; do
    has "$(serial $name)"
    has "device:$name"
done
if grep -q truck-3 out; then fail 'the own authority has issued that one'; fi
for name in truck-1 truck-2 truck-3; do post $name; answers 201; done

# Revoked at the authority, and at the device: each tells the other, and holds at once.
cert issuer revoke Fleet --serial "$(serial truck-1)" --reason keyCompromise; ends 0
post truck-1; answers 401
device show truck-1; ends 0
has '"Revoked"'
device revoke truck-2 --serial "$(serial truck-2)"; ends 0
post truck-2; answers 401
cert issuer issued Fleet --revoked --format csv; ends 0
has "$(serial truck-2)"
post truck-3; answers 201

# A certificate that the authority has issued for somebody else, in the device's name, is none of the device's.
mkdir -p f
cert create liar --issuer Fleet --subject CN=truck-2 --wait; ends 0
cert get liar --with-key --pem --out f/both.pem; ends 0
openssl x509 -in f/both.pem -out c/liar.pem
openssl pkey -in f/both.pem -out c/liar.key
ran 'curl liar' curl -sS -o answer -w '%{http_code}' --cacert "$ca" --cert c/liar.pem --key c/liar.key \
    -H 'Content-Type: text/plain' -d hello "$https/events/publishers/truck-2/messages"
answers 401

# Anew, renewed by the certificate alone, and later by the own authority.
rm c/truck-1.*
device enrol truck-1 --out c; ends 0
post truck-1; answers 201
first=$(serial truck-1)
device renew truck-1 --out c; ends 0
[ "$(serial truck-1)" != "$first" ] || fail 'it is the old certificate'
post truck-1; answers 201
cert issuer issued Fleet --format csv; ends 0
has "$(serial truck-1)"
server_stop
server_start
https=$(setting https)
post truck-1; answers 201
rm c/truck-1.*
device enrol truck-1 --issuer own --out c; ends 0
post truck-1; answers 201
cert issuer issued Fleet --format csv; ends 0
if grep -q "$(serial truck-1)" out; then fail 'the own authority was asked for'; fi

# What is wrong says so.
device enrol truck-4 --hub events --issuer "vault://nosuch/Fleet" --out c; ends 1
says nosuch
device enrol truck-4 --hub events --issuer Fleet --out c; ends 1
says 'vault://VAULT/ISSUER'
device enrol truck-5 --hub events --issuer "vault://$vault/Nosuch" --out c; ends 1
says Nosuch
device enrol truck-7 --hub events --issuer "vault://$vault/Fleet" --out c; ends 0
post truck-7; answers 201
cert issuer delete Fleet; ends 0
post truck-7; answers 401
device enrol truck-6 --hub events --issuer "vault://$vault/Fleet" --out c; ends 1
conclude
