#!/bin/sh
# Certificates of a vault from an authority outside, by ACME: each challenge, an external account, an authority that refuses nonces, asks to wait, is down, gives orders
# up or has forgotten all; a restart in between, and a renewal.
set -eu
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
own_folder
# shellcheck source=tests/lib/serve.sh
. tests/lib/serve.sh
needs_program python3
needs_program openssl
needs_program curl
here=$PWD
cd "$dir" || exit

# ---- an authority, and a server that may reach it ---------------------------------------------------------------------------------------

mkdir ca
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca/ca.key -out ca/ca.pem -days 10 -subj '/CN=Outside CA' 2>/dev/null
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca/server.key -out ca/server.pem -days 10 -subj '/CN=localhost' \
    -addext subjectAltName=DNS:localhost 2>/dev/null
# shellcheck disable=SC2046
set -- $(python3 -c '
import socket
held = [socket.socket() for _ in range(2)]
for one in held: one.bind(("127.0.0.1", 0))
print(*[one.getsockname()[1] for one in held])')
http_port=$1 https_port=$2
"$here/tests/lib/acme_authority.py" ca "$http_port" "$https_port" >authority.log 2>&1 &
authority=$!
trap 'kill $authority 2>/dev/null; server_stop; chmod -R u+rwx "$dir"; rm -rf "$dir"' EXIT
tries=0
until [ -s ca/port ]; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || { cat authority.log; echo 'the authority does not start'; exit 1; }
    sleep 0.05
done
port=$(cat ca/port)
export RINGFORT_OUTBOUND_HOSTS="localhost:$port" RINGFORT_LISTEN_ACME_HTTP="127.0.0.1:$http_port" RINGFORT_LISTEN_HTTPS="127.0.0.1:$https_port"
# An ACME server of our own stands in it too: names are found by a name server that knows one address.
mkdir dns
"$here/tests/acme/dns.py" dns >dns.log 2>&1 &
names=$!
trap 'kill $authority $names 2>/dev/null; server_stop; chmod -R u+rwx "$dir"; rm -rf "$dir"' EXIT
tries=0
until [ -s dns/port ]; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || { cat dns.log; echo 'the name server does not start'; exit 1; }
    sleep 0.05
done
RINGFORT_OUTBOUND_HOSTS="localhost:$port,localhost:$https_port" RINGFORT_ACME_RESOLVER=127.0.0.1:$(cat dns/port)
export RINGFORT_ACME_SERVER=on RINGFORT_ACME_ADDRESSES=127.0.0.1 RINGFORT_ACME_HTTP_PORT="$http_port" RINGFORT_ACME_TLS_PORT="$https_port" \
    RINGFORT_OUTBOUND_HOSTS RINGFORT_ACME_RESOLVER
launch() # as server_start, with the address of the environment
{
    "$ringfort" serve --data "$data" >>"$dir/log" 2>&1 &
    supervisor=$!
    tries=0
    until "$ringfort" query --bootstrap "$data/bootstrap.json" 'print 1' >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ $tries -gt 150 ] || ! kill -0 "$supervisor" 2>/dev/null; then
            tail -n 20 "$dir/log"
            echo 'the server does not answer'
            exit 1
        fi
        sleep 0.1
    done
}
launch
boot=$data/bootstrap.json
setting() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" "$boot" | head -n 1; }
origin=https://localhost:$https_port
token=$(curl -sS --cacert "$data/ca.pem" "$origin/$(setting tenant_id)/oauth2/v2.0/token" -d grant_type=client_credentials -d "client_id=$(setting client_id)" \
    --data-urlencode "client_secret=$(setting client_secret)" -d scope=https://vault.azure.net/.default | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
vault() # METHOD PATH [JSON]
{
    command="vault $1 $2"
    [ $# -gt 2 ] || set -- "$1" "$2" ''
    code=$(curl -sS --cacert "$data/ca.pem" -o out -w '%{http_code}' -X "$1" "$origin$2?api-version=7.4" -H "Authorization: Bearer $token" \
        -H 'Content-Type: application/json' ${3:+-d "$3"} 2>err) || code=0
    case $code in 2*) status=0 ;; *) status=1; cat out >>err ;; esac
}
tell() { curl -sS --cacert ca/server.pem -X PUT "https://localhost:$port/tell" -d "$1" >/dev/null; }
told() { curl -sS --cacert ca/server.pem "https://localhost:$port/told" >told; }
# seen EXPRESSION - of what the authority saw, as python reads it
seen()
{
    told
    python3 -c 'import json,sys; s=json.load(open("told")); sys.exit(not eval(sys.argv[1]))' "$1" || { cat told; fail "not: $1"; }
}
issuer() # NAME CHALLENGE MORE
{
    python3 -c 'import json,sys; print(json.dumps({"provider":"ACME","acme":{"directory":"https://localhost:%s/directory" % sys.argv[1],"email":"ops@contoso.example","challenge":sys.argv[2],
        "ca":open("ca/server.pem").read(), **json.loads(sys.argv[3])}}))' "$port" "$2" "$3" >body
    vault PUT "/certificates/issuers/$1" "$(cat body)"
}
create() # NAME ISSUER HOST...
{
    name=$1 from=$2
    shift 2
    hosts=$(printf '"%s",' "$@")
    vault POST "/certificates/$name/create" '{"policy":{"key_props":{"kty":"EC","crv":"P-256"},"secret_props":{"contentType":"application/x-pem-file"},
        "x509_props":{"subject":"CN='"$1"'","sans":{"dns_names":['"${hosts%,}"']}},"issuer":{"name":"'"$from"'"}}}'
    ends 0
}
operation() { sed -n 's/.*"status":"\([^"]*\)".*/\1/p' out; }
# until_status NAME STATUS - what becomes of the operation
until_status()
{
    tries=0
    until vault GET "/certificates/$1/pending" && [ "$(operation)" = "$2" ]; do
        tries=$((tries + 1))
        if [ $tries -gt 250 ] || { [ "$(operation)" != inProgress ] && [ "$status" = 0 ]; }; then
            sed "s/.*status_details//" out
            fail "$1 does not become $2"
            return
        fi
        sleep 0.1
    done
}
# holds NAME HOST - the secret's key and chain are the authority's, for the host
holds()
{
    vault GET "/secrets/$1"
    ends 0
    python3 -c 'import json; open("bundle.pem","w").write(json.load(open("out"))["value"])'
    grep -q 'PRIVATE KEY' bundle.pem || fail 'the secret has no key'
    ran "openssl verify $1" openssl verify -CAfile ca/ca.pem -purpose sslserver -verify_hostname "$2" bundle.pem
    ends 0
    [ "$(openssl x509 -in bundle.pem -noout -pubkey)" = "$(openssl pkey -in bundle.pem -pubout)" ] || fail 'the key is another one'
}

# ---- what an issuer says -----------------------------------------------------------------------------------------------------------------

issuer Bad ftp-01 '{}'; ends 1; says 'acme.challenge'
issuer Bad http-01 '{"directory":"http://localhost/directory"}'; ends 1; says 'acme.directory'
issuer Bad dns-01 '{}'; ends 1; says 'acme.hook'
issuer Bad http-01 '{"ca":"no certificate"}'; ends 1; says 'acme.ca'
issuer Bad http-01 '{"eab":{"kid":"k1","secret":"nosuch"}}'; ends 1; says nosuch

# ---- http-01, with all that may go wrong on the way -----------------------------------------------------------------------------------------

tell '{"badNonce":3,"limit":1,"retryAfter":1,"processing":1,"down":1}'
issuer Web http-01 '{}'; ends 0
case $(cat out) in *'"challenge"'*) ;; *) fail 'the settings are not shown' ;; esac
case $(cat out) in *sealed*) fail 'what is sealed is shown' ;; esac
create www Web www.contoso.test api.contoso.test
until_status www completed
holds www api.contoso.test
seen 's["orders"] == 1 and s["accounts"] == 1 and s["limited"] == 1 and not s["bad"]'
seen 's["proofs"] and set(s["proofs"]) == {"http-01 www.contoso.test", "http-01 api.contoso.test"}'
seen 's["contacts"] == ["mailto:ops@contoso.example"]'
vault GET /certificates/issuers/Web; ends 0
case $(cat out) in *'"account"'*) ;; *) fail 'the account is not shown' ;; esac
[ "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$http_port/.well-known/acme-challenge/none")" = 404 ] || fail 'a token that is none'
[ "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$http_port/subscriptions")" = 404 ] || fail 'something else is served without TLS'
[ "$(curl -sk -o /dev/null -w '%{http_code}' "https://127.0.0.1:$https_port/.well-known/acme-challenge/none")" = 404 ] || fail 'a token that is none, over TLS'

# ---- tls-alpn-01 -----------------------------------------------------------------------------------------------------------------------------

issuer Alpn tls-alpn-01 '{}'; ends 0
create alpn Alpn shop.contoso.test
until_status alpn completed
holds alpn shop.contoso.test
seen '"tls-alpn-01 shop.contoso.test" in s["proofs"] and s["accounts"] == 2'
ran 'openssl s_client' openssl s_client -connect "127.0.0.1:$https_port" -alpn acme-tls/1 -servername nobody.contoso.test </dev/null
[ "$status" != 0 ] || fail 'a name that nobody asks about is answered'

# ---- dns-01, with a wildcard and an external account ---------------------------------------------------------------------------------------------

tell '{"eab":{"k1":"c2l4dGVlbiBieXRlcy4uLg"}}'
vault PUT /secrets/hmac '{"value":"c2l4dGVlbiBieXRlcy4uLg"}'; ends 0
issuer Dns dns-01 '{"hook":"https://localhost:'"$port"'/hook","waitSeconds":1}'; ends 0
create wild Dns '*.contoso.test' contoso.test
until_status wild failed
has 'external account'
issuer Dns dns-01 '{"hook":"https://localhost:'"$port"'/hook","waitSeconds":1,"eab":{"kid":"k1","secret":"hmac"}}'; ends 0
create wild Dns '*.contoso.test' contoso.test
until_status wild completed
holds wild any.contoso.test
seen 's["bound"] == ["k1"] and s["hooks"] and s["hooks"].count("add _acme-challenge.contoso.test") == 2 == s["hooks"].count("remove _acme-challenge.contoso.test")'
create star Web '*.contoso.test'
until_status star failed
has dns-01

# ---- refused, given up, forgotten ------------------------------------------------------------------------------------------------------------------

tell '{"refuse":"this name is not for us"}'
create refused Web www.fabrikam.test
until_status refused failed
has 'rejectedIdentifier: this name is not for us; www.fabrikam.test: caa: not for us'
tell '{"refuse":null,"wrongName":true}'
create other Web other-name.contoso.test
until_status other failed
has 'not for other-name.contoso.test'
tell '{"wrongName":false,"offer":["dns-01"]}'
create offer Web offer.contoso.test
until_status offer failed
has 'does not offer http-01'
tell '{"offer":["http-01"],"forget":"account","eab":null}'
create again Web again.contoso.test
until_status again completed

# ---- a process that comes later goes on --------------------------------------------------------------------------------------------------------------

tell '{"processing":3,"limit":1,"retryAfter":2}'
create late Web late.contoso.test
sleep 1
vault GET /certificates/late/pending; ends 0
[ "$(operation)" = inProgress ] || fail 'it is done too soon'
has 'too many orders'
server_stop
launch
tries=0
until told && grep -q 'http-01 late.contoso.test' told; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || { fail 'no proof after the restart'; break; }
    sleep 0.1
done
until_status late completed
holds late late.contoso.test
seen 's["proofs"].count("http-01 late.contoso.test") == 1'

# ---- a renewal: the same name once more --------------------------------------------------------------------------------------------------------------

tell '{"processing":0}'
first=$(openssl x509 -in bundle.pem -noout -serial)
vault POST /certificates/late/create '{}'; ends 0
until_status late completed
holds late late.contoso.test
[ "$first" != "$(openssl x509 -in bundle.pem -noout -serial)" ] || fail 'the certificate is the old one'

# ---- our own authority, as if it were somebody else's ---------------------------------------------------------------------------------------------------

vault PUT /certificates/issuers/House '{"provider":"Ringfort-CA","acme":{"enabled":true,"allowedNames":["*.contoso.test"]}}'; ends 0
named=$(setting vault_named_url | sed 's|https://\([^.]*\)\..*|\1|')
for challenge in http-01 tls-alpn-01; do
    vault POST /certificates/issuers/House/acme-keys '{"name":"ourselves"}'; ends 0
    kid=$(sed -n 's/.*"kid":"\([^"]*\)".*/\1/p' out)
    vault PUT /secrets/house '{"value":"'"$(sed -n 's/.*"hmacKey":"\([^"]*\)".*/\1/p' out)"'"}'; ends 0
    python3 -c 'import json,sys; print(json.dumps({"provider":"ACME","acme":{"directory":"https://localhost:%s/acme/%s/House/directory" % (sys.argv[1], sys.argv[2]),
        "challenge":sys.argv[3],"ca":open("data/ca.pem").read(),"eab":{"kid":sys.argv[4],"secret":"house"}}}))' "$https_port" "$named" "$challenge" "$kid" >body
    vault PUT "/certificates/issuers/Own-$challenge" "$(cat body)"; ends 0
    create "own-$challenge" "Own-$challenge" truck.contoso.test
    until_status "own-$challenge" completed
done
vault GET /secrets/own-http-01; ends 0
has 'BEGIN CERTIFICATE'

# ---- hosts that the operator did not name ------------------------------------------------------------------------------------------------------------------

issuer Far http-01 '{"directory":"https://localhost:1/directory"}'; ends 0
create far Far far.contoso.test
until_status far failed
has outbound.hosts
vault DELETE /certificates/issuers/Far; ends 0
if grep -i 'c2l4dGVlbiBieXRlcy4uLg\|sixteen bytes' log; then fail 'the log has the HMAC key'; fi
conclude
