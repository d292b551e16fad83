#!/bin/sh
# A certificate of the vault on a machine that serves with it: nginx gets three new ones, one after the other, without a request that
# fails; and what 'ringfort cert deploy' does when something is wrong.
# shellcheck disable=SC2317 # functions that wait_until calls
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
needs_program python3
needs_program openssl
own_folder
# shellcheck source=tests/lib/serve.sh
. tests/lib/serve.sh
clients=$PWD/tests/cert_deploy/clients.py
cd "$dir" || exit
: >out
: >err
server_start
RINGFORT_BOOTSTRAP=$data/bootstrap.json
export RINGFORT_BOOTSTRAP

# An authority, a certificate of it, and a host that may read just that.
run cert issuer set House --provider Ringfort-CA
ends 0
run cert create www --issuer House --subject CN=localhost --dns localhost --curve P-256 --wait
ends 0
run cert issuer show House --pem --out ca.crt
ends 0
vault_id=$("$ringfort" resource list Microsoft.KeyVault/vaults --format json | sed -n 's/.*"id": "\([^"]*\)".*/\1/p' | head -n 1)
run app create web-1 --role 'Key Vault Secrets User' --scope "$vault_id/secrets/www" --out host.json
ends 0
host=$dir/host.json
deploy() { run cert deploy www --bootstrap "$host" --cert www.pem --key www.key "$@"; }
serial() { openssl x509 -in www.pem -noout -serial; }
fits()
{
    openssl x509 -in www.pem -noout -pubkey >of_cert 2>/dev/null
    openssl pkey -in www.key -pubout >of_key 2>/dev/null
    cmp -s of_cert of_key || fail 'key and certificate are not a pair'
    openssl verify -CAfile ca.crt -untrusted www.pem www.pem >/dev/null 2>&1 || fail 'the certificate is not good'
}

# ---- one after the other ----
run cert create pem --self-signed --subject CN=pem --pem --wait
ends 0
run cert deploy pem --cert pem.pem --key pem.key
ends 0
grep -q BEGIN pem.pem || fail 'a secret that is PEM is not deployed'
deploy --mode 0640 --reload 'echo once >>reloads'
ends 0
fits
[ "$(stat -Lc %a www.key)" = 640 ] || fail 'the mode of the key'
[ "$(stat -Lc %a www.pem)" = 644 ] || fail 'the mode of the certificate'
grep -q 'PRIVATE KEY' www.pem && fail 'the key is in the file of the certificate'
deploy --mode 0640 --reload 'echo twice >>reloads'
ends 0
[ "$(cat reloads)" = once ] || fail 'reloaded without a new version'
first=$(serial)
"$ringfort" cert renew www >/dev/null || fail renew
# A reload that fails is told, and done again; nothing of the login is in its environment.
deploy --reload 'env >environment; exit 3'
ends 1
says 'status 3'
grep -qi -e secret -e bootstrap environment && fail 'the environment tells of the login'
grep -q '^RINGFORT_CERT_NAME=www$' environment || fail 'the environment does not name the certificate'
[ "$(serial)" != "$first" ] || fail 'the new version is not in place'
deploy --reload 'echo again >>reloads'
ends 0
deploy --reload 'echo never >>reloads'
[ "$(tail -n 1 reloads)" = again ] || fail 'a reload that failed was not done again, or one that went well was'
fits

# ---- what is wrong leaves what is there ----
second=$(serial)
printf 'no certificate at all' | "$ringfort" secret set plain >/dev/null || fail 'secret set'
run cert deploy plain --cert www.pem --key www.key
ends 1
says 'only certificates'
[ "$(serial)" = "$second" ] || fail 'a secret that is no certificate took its place'
run cert deploy www --bootstrap "$host" --server https://localhost:1 --cert www.pem --key www.key
ends 1
run cert deploy other --bootstrap "$host" --cert www.pem --key www.key
ends 1
"$ringfort" cert renew www >/dev/null || fail renew
"$ringfort" cert disable www >/dev/null || fail disable
deploy
ends 1
says disabled
[ "$(serial)" = "$second" ] || fail 'a disabled version took its place'
"$ringfort" cert enable www >/dev/null || fail enable
rm www.key
printf 'mine' >www.key
chmod 600 www.key
deploy
ends 0
fits
[ "$(cat www.key.before)" = mine ] || fail 'the file of before is gone'
run cert deploy www --bootstrap "$host" --cert leaf.pem --key www.key --chain chain.pem
ends 0
[ "$(grep -c BEGIN leaf.pem)" = 1 ] || fail 'the chain is behind the certificate, too'
grep -q BEGIN chain.pem || fail 'there is no chain'
deploy
ends 0
fits
deploy --mode 0440
[ "$(stat -Lc %a www.key)" = 440 ] || fail 'another mode is not heeded'
deploy
[ "$(stat -Lc %a www.key)" = 600 ] || fail 'the mode is not the one of before'
[ "$(find .www.key.d -mindepth 1 -type d | wc -l)" -le 2 ] || fail 'old versions stay'
# shellcheck disable=SC2016 # what systemd is to read, not the shell
run cert deploy www --cert "$dir/www.pem" --key "$dir/www.key" --reload 'a "b" $c 10%' --interval 2h --print-unit
ends 0
# shellcheck disable=SC2016
has '--reload "a \"b\" $$c 10%%" www'
has 'OnUnitActiveSec=7200s'
if command -v systemd-analyze >/dev/null 2>&1; then
    sed -n '1,/^# .*timer$/p' out | sed '$d' >ringfort-cert-www.service
    sed -n '/^# .*timer$/,$p' out >ringfort-cert-www.timer
    ran verify systemd-analyze verify --man=no "$dir/ringfort-cert-www.service" "$dir/ringfort-cert-www.timer"
    if grep -q 'ringfort-cert-www\.[a-z]*:[0-9]*:' err; then fail 'systemd does not understand the units'; fi
fi

# ---- killed at any moment: a pair is there, and the next one goes on ----
for delay in 00 01 02 03 04 05 06 08; do
    "$ringfort" cert renew www >/dev/null || fail renew
    "$ringfort" cert deploy www --bootstrap "$host" --cert www.pem --key www.key --reload true >/dev/null 2>&1 &
    killed=$!
    sleep "0.$delay"
    kill -9 $killed 2>/dev/null
    wait $killed 2>/dev/null
    fits
done
before=$(serial)
"$ringfort" cert renew www >/dev/null || fail renew
deploy --reload 'echo after >>reloads'
ends 0
fits
[ "$(serial)" != "$before" ] || fail 'it does not go on'
[ "$(tail -n 1 reloads)" = after ] || fail 'no reload'

# ---- nginx ----
if ! command -v nginx >/dev/null 2>&1; then
    echo 'nginx is not here: served by none'
    conclude
fi
tls_port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir temp
cat >nginx.conf <<END
daemon off;
pid $dir/nginx.pid;
error_log $dir/nginx.log warn;
worker_processes 2;
user $(id -un) $(id -gn);
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path $dir/temp; proxy_temp_path $dir/temp; fastcgi_temp_path $dir/temp;
    uwsgi_temp_path $dir/temp; scgi_temp_path $dir/temp;
    keepalive_requests 1000000;
    server {
        listen 127.0.0.1:$tls_port ssl;
        ssl_certificate $dir/www.pem;
        ssl_certificate_key $dir/www.key;
        location / { default_type text/plain; return 200 "good\n"; }
    }
}
END
nginx -c "$dir/nginx.conf" -p "$dir" >nginx.out 2>&1 &
nginx=$!
puller='' asking=''
end()
{
    touch stop
    for pid in $puller $asking $nginx; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; done
    server_stop
    chmod -R u+rwx "$dir"
    rm -rf "$dir"
}
trap end EXIT
served() { openssl s_client -connect "localhost:$tls_port" -servername localhost </dev/null 2>/dev/null | openssl x509 -noout -serial 2>/dev/null; }
wait_until() # WHAT COMMAND...
{
    what=$1 tries=0
    shift
    until "$@"; do
        tries=$((tries + 1))
        [ $tries -lt 150 ] || { fail "$what did not come"; return; }
        sleep 0.1
    done
}
is_served() { [ "$(served)" = "$(serial)" ]; }
is_met() { [ "$(grep -c '^serial' clients.out)" -ge "$1" ]; }
wait_until nginx is_served
python3 "$clients" "$tls_port" ca.crt 120 stop >clients.out 2>&1 &
asking=$!
wait_until 'the first requests' is_met 1
reload="nginx -s reload -c $dir/nginx.conf -p $dir"
renewals=0
for how in once once stay; do
    before=$(serial)
    "$ringfort" cert renew www >/dev/null || fail renew
    if [ $how = once ]; then
        deploy --reload "$reload"
        ends 0
    else
        "$ringfort" cert deploy www --bootstrap "$host" --cert www.pem --key www.key --reload "$reload" --interval 1s >pulled 2>&1 &
        puller=$!
        is_new() { [ "$(serial)" != "$before" ]; }
        wait_until 'the new version by itself' is_new
    fi
    [ "$(serial)" != "$before" ] || fail 'the certificate is the old one'
    fits
    wait_until 'the new certificate in nginx' is_served
    renewals=$((renewals + 1))
    wait_until 'a client that meets it' is_met $((renewals + 1))
    sleep 0.3
done
touch stop
status=0
command=clients
wait $asking || status=$?
asking=
cp clients.out out
ends 0
is_met 4 || fail 'not every certificate was met'
grep -q ' failed 0, serials 4$' clients.out || fail 'some requests failed'
tail -n 1 clients.out
grep -q '\[emerg\]' nginx.log && fail 'nginx complains'
# The one that stays goes on while the server is away, and has changed nothing.
third=$(serial)
server_stop
complains() { [ "$(wc -l <pulled)" -ge 2 ]; }
wait_until 'a complaint' complains
[ "$(serial)" = "$third" ] || fail 'it changed without a server'
kill -0 $puller 2>/dev/null || fail 'it has gone with the server'
fits
conclude
