#!/bin/sh
# The client of PostgreSQL (src/net/postgres.h) at a server of its own: TLS, SCRAM with and without channel binding, statements.
#
# $as holds the words that go before a command, or none.
# shellcheck disable=SC2086
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
tests=${RINGFORT_POSTGRES_TEST:-$(dirname "$ringfort")/net_postgres_test}
needs "$tests"
needs_program openssl
bin=
for folder in /usr/lib/postgresql/*/bin; do [ ! -x "$folder/initdb" ] || bin=$folder; done
[ -n "$bin" ] || skip 'PostgreSQL is not here'

# PostgreSQL does not run as root.
as=
if [ "$(id -u)" = 0 ]; then
    id postgres >/dev/null 2>&1 || skip 'there is no user postgres'
    as='runuser -u postgres --'
fi
own_folder
cd "$dir" || exit
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem \
    -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost >log 2>&1 || { cat log; exit 1; }
pin=$(openssl x509 -in cert.pem -outform DER | sha256sum | cut -d' ' -f1)
printf '%s\n' "pencil's\\" >password
chmod 600 key.pem
[ -z "$as" ] || chown -R postgres "$dir"
trap '$as "$bin/pg_ctl" -D "$dir/db" -m immediate stop >/dev/null 2>&1; rm -rf "$dir"' EXIT
$as "$bin/initdb" -D "$dir/db" -A scram-sha-256 --pwfile="$dir/password" -U ringfort --no-sync >log 2>&1 ||
    { cat log; exit 1; }
# A port that nobody has: the system's choice may be taken meanwhile, so it is tried again.
started=
for try in 1 2 3; do
    port=$((20000 + ($$ * 7 + try * 1117) % 12000))
    if $as "$bin/pg_ctl" -D "$dir/db" -w -l "$dir/server.log" -o "-p $port -c listen_addresses=localhost -k $dir \
-c ssl=on -c ssl_cert_file=$dir/cert.pem -c ssl_key_file=$dir/key.pem" start >log 2>&1; then
        started=yes
        break
    fi
done
[ -n "$started" ] || { cat log server.log; exit 1; }
RINGFORT_TEST_POSTGRES="$port $dir/cert.pem $pin"
export RINGFORT_TEST_POSTGRES
"$tests" -j1
