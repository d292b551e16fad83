#!/bin/sh
# The ACME server with clients of other people: certbot (http-01, dns-01 with a wildcard, renewal, revocation, no account without an external one), and dehydrated where it
# is installed (tls-alpn-01). What they get is held against the authority by openssl.
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
needs_program certbot
needs_program python3
needs_program openssl
own_folder
# shellcheck source=tests/lib/serve.sh
. tests/lib/serve.sh
here=$PWD
cd "$dir" || exit

# ---- names, ports, a server, an authority --------------------------------------------------------------------------------------------

mkdir dns
"$here/tests/acme/dns.py" dns >dns.log 2>&1 &
dns=$!
trap 'kill $dns 2>/dev/null; server_stop; chmod -R u+rwx "$dir"; rm -rf "$dir"' EXIT
tries=0
until [ -s dns/port ]; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || die 'the name server does not start'
    sleep 0.05
done
# Two free ports: bound at the same time, then given back.
# shellcheck disable=SC2046
set -- $(python3 -c '
import socket
held = [socket.socket() for _ in range(2)]
for one in held: one.bind(("127.0.0.1", 0))
print(*[one.getsockname()[1] for one in held])')
http_port=$1 tls_port=$2
export RINGFORT_ACME_SERVER=on RINGFORT_ACME_ADDRESSES=127.0.0.1 RINGFORT_ACME_HTTP_PORT="$http_port" RINGFORT_ACME_TLS_PORT="$tls_port"
RINGFORT_ACME_RESOLVER=127.0.0.1:$(cat dns/port)
export RINGFORT_ACME_RESOLVER
server_start
boot=$data/bootstrap.json
vault() { ran "vault $1 $2" "$here/tests/lib/vault_call.py" "$boot" "$@"; }
member() { python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$1" "$2"; }
name=$(python3 -c 'import json,sys,urllib.parse; print(urllib.parse.urlsplit(json.load(open(sys.argv[1]))["vault_named_url"]).hostname.split(".")[0])' "$boot")
origin=$(member "$boot" vault_url | sed 's|/$||')
vault PUT /certificates/issuers/House '{"provider":"Ringfort-CA","acme":{"enabled":true,"allowedNames":["*.contoso.test"],"validityDays":30}}'
ends 0
vault POST /certificates/issuers/House/acme-keys '{"name":"fleet"}'
ends 0
kid=$(member out kid) hmac=$(member out hmacKey)

client() # VERB WORD...
{
    verb=$1
    shift
    REQUESTS_CA_BUNDLE=$data/ca.pem ran "certbot $verb $*" timeout 120 certbot "$verb" --config-dir "$dir/certbot" --work-dir "$dir/certbot" --logs-dir "$dir/certbot/log" \
        --non-interactive --server "$origin/acme/$name/House/directory" "$@"
}
account="--agree-tos -m fleet@contoso.example --no-eff-email"
serial() { openssl x509 -in "$1" -noout -serial; }
chains() # NAME
{
    ran "openssl verify $1" openssl verify -CAfile root.pem -untrusted "certbot/live/$1/chain.pem" -purpose sslserver -verify_hostname "$2" "certbot/live/$1/cert.pem"
    ends 0
}

# ---- the protocol ----------------------------------------------------------------------------------------------------------------------

ran protocol.py timeout 120 "$here/tests/acme/protocol.py" "$origin/acme/$name/House/directory" "$data/ca.pem" "$kid" "$hmac" "$http_port"
ends 0
prints '0 failures\n'

# ---- http-01 ---------------------------------------------------------------------------------------------------------------------------

# shellcheck disable=SC2086
client certonly $account --standalone --http-01-port "$http_port" -d truck.contoso.test
ends 1
grep -qi external err out || fail 'it does not say that an external account is needed'
# shellcheck disable=SC2086
client certonly $account --eab-kid "$kid" --eab-hmac-key "$hmac" --standalone --http-01-port "$http_port" -d truck.contoso.test -d www.truck.contoso.test
ends 0
# The root is made with the first certificate.
vault GET /certificates/issuers/House
ends 0
python3 -c 'import base64,json,sys; sys.stdout.buffer.write(base64.b64decode(json.load(open("out"))["ca"]["cer"]))' | openssl x509 -inform der -out root.pem 2>/dev/null
chains truck.contoso.test www.truck.contoso.test
first=$(serial certbot/live/truck.contoso.test/cert.pem)
client renew --force-renewal --no-random-sleep-on-renew
ends 0
chains truck.contoso.test truck.contoso.test
[ "$first" != "$(serial certbot/live/truck.contoso.test/cert.pem)" ] || fail 'the renewed certificate is the old one'

# Nobody answers for the name: the client is told what was found.
client certonly --manual --preferred-challenges http --manual-auth-hook true -d nobody.contoso.test
ends 1
grep -q "nobody.contoso.test:$http_port" out err || fail 'it does not say where it has looked'
# A name that the issuer is not for.
client certonly --standalone --http-01-port "$http_port" -d www.fabrikam.test
ends 1
grep -q allowedNames out err certbot/log/*.log || fail 'it does not say why the name is refused'

# ---- dns-01 -----------------------------------------------------------------------------------------------------------------------------

cat >hook <<'HOOK'
#!/bin/sh
echo "$CERTBOT_VALIDATION" >>"$DNS_FOLDER/_acme-challenge.$CERTBOT_DOMAIN"
HOOK
chmod +x hook
DNS_FOLDER=$dir/dns
export DNS_FOLDER
client certonly --manual --preferred-challenges dns --manual-auth-hook "$dir/hook" --key-type rsa -d 'fleet.contoso.test' -d '*.fleet.contoso.test'
ends 0
chains fleet.contoso.test drone7.fleet.contoso.test

# ---- a restart, another server's accounts -------------------------------------------------------------------------------------------------

kill -9 "$(child server)"
sleep 0.3
tries=0
until "$ringfort" query --bootstrap "$boot" 'print 1' >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || die 'the server does not come back'
    sleep 0.1
done
client renew --force-renewal --no-random-sleep-on-renew --cert-name truck.contoso.test
ends 0

# ---- revocation ------------------------------------------------------------------------------------------------------------------------------

client revoke --cert-path certbot/live/truck.contoso.test/cert.pem --reason superseded --no-delete-after-revoke
ends 0
client revoke --cert-path certbot/live/truck.contoso.test/cert.pem --reason superseded --no-delete-after-revoke
ends 1
grep -qi 'already revoked\|revoked already' out err certbot/log/*.log || fail 'it does not say that it is revoked already'
client unregister
ends 0
client certonly --standalone --http-01-port "$http_port" -d truck.contoso.test --agree-tos -m a@contoso.example --no-eff-email
ends 1

# ---- tls-alpn-01 ------------------------------------------------------------------------------------------------------------------------------

if command -v dehydrated >/dev/null; then
    mkdir dehydrated
    echo gate.contoso.test >dehydrated/domains.txt
    cat >dehydrated/config <<CONFIG
CA=$origin/acme/$name/House/directory
CHALLENGETYPE=tls-alpn-01
BASEDIR=$dir/dehydrated
ALPNCERTDIR=$dir/dehydrated/alpn
HOOK=$dir/alpn_hook
HOOK_CHAIN=no
EAB_KID=$kid
EAB_HMAC_KEY=$hmac
CURL_OPTS="--cacert $data/ca.pem"
CONFIG
    cat >alpn_hook <<HOOK
#!/bin/sh
case \$1 in
deploy_challenge)
    openssl s_server -quiet -accept 127.0.0.1:$tls_port -alpn acme-tls/1 -cert $dir/dehydrated/alpn/\$2.crt.pem -key $dir/dehydrated/alpn/\$2.key.pem </dev/null >/dev/null 2>&1 &
    echo \$! >$dir/responder
    sleep 0.5
    ;;
clean_challenge) kill "\$(cat $dir/responder)" ;;
esac
HOOK
    chmod +x alpn_hook
    ran 'dehydrated --register' timeout 60 dehydrated --config dehydrated/config --register --accept-terms
    ends 0
    ran 'dehydrated -c' timeout 60 dehydrated --config dehydrated/config --cron --algo prime256v1
    ends 0
    ran 'openssl verify gate' openssl verify -CAfile root.pem -untrusted dehydrated/certs/gate.contoso.test/chain.pem -verify_hostname gate.contoso.test dehydrated/certs/gate.contoso.test/cert.pem
    ends 0
else
    echo 'dehydrated is not here: tls-alpn-01 is left out'
fi

if grep -qF "$hmac" "$dir/log"; then fail 'the key of the external account is in the log'; fi
conclude
