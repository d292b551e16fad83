#!/bin/sh
# An authority of the vault's, judged by openssl: chains with their revocation lists, OCSP answers, a revoked certificate; over HTTPS and over the plain listener of the
# open routes, which serves nothing else.
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
needs_program openssl
needs_program python3
needs_program curl
own_folder
# shellcheck source=tests/lib/serve.sh
. tests/lib/serve.sh
here=$PWD
cd "$dir" || exit

pki_port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
RINGFORT_LISTEN_PKI=127.0.0.1:$pki_port RINGFORT_PKI_URL=http://127.0.0.1:$pki_port
export RINGFORT_LISTEN_PKI RINGFORT_PKI_URL
server_start
boot=$data/bootstrap.json
vault() { ran "vault $1 $2" "$here/tests/lib/vault_call.py" "$boot" "$@"; }
json() { python3 -c 'import json,sys
value = json.load(open(sys.argv[1]))
for name in sys.argv[2].split("."): value = value[name]
print(value)' "$1" "$2"; }
origin=$(json "$boot" vault_url | sed 's|/$||')
name=$(json "$boot" vault_named_url | sed 's|https://\([^.]*\).*|\1|')

# ---- two certificates, one of them revoked -------------------------------------------------------------------------------------------------------

vault PUT /certificates/issuers/House '{"provider":"Ringfort-CA"}'
ends 0
make() # NAME
{
    vault POST "/certificates/$1/create" '{"policy":{"x509_props":{"subject":"CN='"$1"'.contoso.test","sans":{"dns_names":["'"$1"'.contoso.test"]}},"key_props":{"kty":"EC"},"issuer":{"name":"House"}}}'
    ends 0
    tries=0
    until vault GET "/certificates/$1/pending" && grep -q '"completed"' out; do
        tries=$((tries + 1))
        if [ $tries -gt 100 ]; then fail "$1 is not made" && conclude; fi
        sleep 0.1
    done
    vault GET "/certificates/$1/"
    json out cer | base64 -d >"$1.der"
    openssl x509 -inform der -in "$1.der" -out "$1.pem"
}
make good
make bad
fetch() { ran "curl $1" curl -sSf --cacert "$data/ca.pem" "$1" -o "$2"; ends 0; }
pki=http://127.0.0.1:$pki_port/pki/$name/House
lists() # FILE - the lists of both authorities, as the certificates name them
{
    fetch "$pki/root.crl" root.crl.der
    fetch "$(uri crl good.pem)" crl.der
    for one in root.crl crl; do openssl crl -inform der -in $one.der; done >"$1"
}
uri() # crl|ocsp|ca FILE
{
    case $1 in
    crl) openssl x509 -in "$2" -noout -ext crlDistributionPoints ;;
    ocsp) openssl x509 -in "$2" -noout -ext authorityInfoAccess | grep OCSP ;;
    ca) openssl x509 -in "$2" -noout -ext authorityInfoAccess | grep 'CA Issuers' ;;
    esac | sed -n 's/.*URI://p'
}
[ "$(uri crl good.pem)" = "$pki/1.crl" ] || fail "the certificate names $(uri crl good.pem)"
[ "$(uri ocsp good.pem)" = "$pki/ocsp" ] || fail "the certificate names $(uri ocsp good.pem)"
fetch "$pki/ca.cer" root.der
fetch "$(uri ca good.pem)" issuing.der
openssl x509 -inform der -in root.der -out root.pem
openssl x509 -inform der -in issuing.der -out issuing.pem
cat root.pem issuing.pem >both.pem

verify() { ran "verify $1" openssl verify -crl_check_all -CAfile root.pem -untrusted issuing.pem -CRLfile lists.pem -purpose sslserver "$1.pem"; }
lists lists.pem
for one in good bad; do
    verify $one
    ends 0
done
ran 'the list' openssl crl -inform der -in crl.der -CAfile both.pem -noout -text
ends 0
has 'No Revoked Certificates'
has 'X509v3 CRL Number'
has 'X509v3 Authority Key Identifier'

ask() # NAME OPTION... - what OCSP says, by the responder's own certificate, which the intermediate must have issued
{
    one=$1
    shift
    ran "ocsp $one" openssl ocsp "$@" -url "$pki/ocsp" -issuer issuing.pem -cert "$one.pem" -CAfile root.pem -verify_other issuing.pem
    ends 0
    says 'Response verify OK'
}
for one in good bad; do
    ask $one
    has "$one.pem: good"
done
serial=$(openssl x509 -in bad.pem -noout -serial | sed 's/.*=//')
vault POST /certificates/issuers/House/revoke '{"serial":"'"$serial"'","reason":"keyCompromise"}'
ends 0
has '"revoked"'
ask bad -no_nonce
has 'bad.pem: revoked'
has 'Reason: keyCompromise'
ask bad -sha256
has 'bad.pem: revoked'
ask good
has 'good.pem: good'
lists lists.pem
verify bad
ends 2
says 'certificate revoked'
verify good
ends 0
vault POST /certificates/good/revoke '{"reason":"superseded"}'
ends 0
ask good
has 'good.pem: revoked'

# ---- a GET, a serial number that is nobody's, another authority's certificate --------------------------------------------------------------------------

openssl ocsp -issuer issuing.pem -cert good.pem -no_nonce -reqout request.der
path=$(python3 -c 'import base64,urllib.parse; print(urllib.parse.quote(base64.b64encode(open("request.der", "rb").read()), safe=""))')
fetch "$pki/ocsp/$path" answer.der
ran 'GET' openssl ocsp -respin answer.der -issuer issuing.pem -cert good.pem -CAfile root.pem -verify_other issuing.pem -no_nonce
ends 0
has 'good.pem: revoked'
ran 'unknown' openssl ocsp -url "$pki/ocsp" -issuer issuing.pem -serial 0x1234 -CAfile root.pem -verify_other issuing.pem
has '0x1234: unknown'
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=other -keyout other.key -out other.pem 2>/dev/null
ran 'other' openssl ocsp -url "$pki/ocsp" -issuer other.pem -cert other.pem -CAfile root.pem
grep -qi unauthorized out err || fail 'another authority is answered for'

# ---- nothing but the open routes without TLS; the same over HTTPS ---------------------------------------------------------------------------------------

for route in / /secrets/a /certificates /pki/x /metadata/endpoints "/$(json "$boot" tenant_id)/v2.0/.well-known/openid-configuration"; do
    code=$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$pki_port$route")
    [ "$code" = 404 ] || fail "without TLS $route answers $code"
done
fetch "$origin/pki/$name/House/crl" https.der
openssl crl -inform der -in https.der -noout || fail 'no list over HTTPS'

# ---- all of it is there again after a kill ------------------------------------------------------------------------------------------------------------------

kill -9 "$supervisor" "$(child server)" "$(child keeper)" 2>/dev/null
wait "$supervisor" 2>/dev/null
supervisor=
server_start
ask bad
has 'bad.pem: revoked'
lists lists.pem
verify good
ends 2
conclude
