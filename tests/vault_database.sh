#!/bin/sh
# Short-lived logins of a real PostgreSQL server from a real vault: given, used, renewed, ended on time and by hand, with sessions and all; a server that is
# killed between lease and login; a root password made anew; and that no password lies anywhere.
#
# $as holds the words that go before a command, or none.
# shellcheck disable=SC2086
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
needs_program openssl
needs_program python3
needs_program curl
needs_program psql
bin=
for folder in /usr/lib/postgresql/*/bin; do [ ! -x "$folder/initdb" ] || bin=$folder; done
[ -n "$bin" ] || skip 'PostgreSQL is not here'
as=
if [ "$(id -u)" = 0 ]; then
    id postgres >/dev/null 2>&1 || skip 'there is no user postgres'
    as='runuser -u postgres --'
fi
own_folder
# shellcheck source=tests/lib/serve.sh
. tests/lib/serve.sh
cd "$dir" || exit

# ---- PostgreSQL, which writes every statement into its log ------------------------------------------------------------------------------

mkdir pg
cd pg || exit
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem \
    -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost >log 2>&1 || { cat log; exit 1; }
printf 'super-pencil\n' >password
chmod 600 key.pem
chmod 711 "$dir"
[ -z "$as" ] || chown -R postgres .
pg=$PWD
trap '$as "$bin/pg_ctl" -D "$pg/db" -m immediate stop >/dev/null 2>&1; server_stop; chmod -R u+rwx "$dir"; rm -rf "$dir"' EXIT
$as "$bin/initdb" -D "$pg/db" -A scram-sha-256 --pwfile="$pg/password" -U postgres --no-sync >log 2>&1 || { cat log; exit 1; }
started=
for try in 1 2 3; do
    port=$((20000 + ($$ * 7 + try * 1117) % 12000))
    if $as "$bin/pg_ctl" -D "$pg/db" -w -l "$pg/server.log" -o "-p $port -c listen_addresses=localhost -k $pg -c log_statement=all \
-c ssl=on -c ssl_cert_file=$pg/cert.pem -c ssl_key_file=$pg/key.pem -c fsync=off" start >log 2>&1; then
        started=yes
        break
    fi
done
[ -n "$started" ] || { cat log server.log; exit 1; }
cd "$dir" || exit
super() { PGPASSWORD=super-pencil psql -h localhost -p "$port" -U postgres -d postgres -qAtX -v ON_ERROR_STOP=1 "$@"; }
super -f - <<'SQL' || exit 1
CREATE ROLE vaultadmin LOGIN CREATEROLE PASSWORD 'planted-root-1';
GRANT pg_signal_backend TO vaultadmin;
CREATE DATABASE app OWNER vaultadmin;
\c app
CREATE TABLE t (n int);
INSERT INTO t VALUES (42);
ALTER TABLE t OWNER TO vaultadmin;
GRANT CREATE, USAGE ON SCHEMA public TO vaultadmin WITH GRANT OPTION;
SQL
# The statement above is the only one with a password in clear.
$as truncate -s 0 "$pg/server.log"
logins() { super -c "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'v-%'"; }
counts() { [ "$(logins)" = "$1" ] || fail "wanted $1 logins: $(super -c "SELECT rolname, rolvaliduntil FROM pg_roles WHERE rolname LIKE 'v-%'")"; }

# ---- a vault -------------------------------------------------------------------------------------------------------------------------------

export RINGFORT_OUTBOUND_HOSTS="localhost:$port"
boot=$data/bootstrap.json
value() { python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$2" "$1"; }
member() { value "$1" out; }
# token FILE RC - a token for the application of FILE, for curl -K.
token()
{
    printf 'grant_type=client_credentials&client_id=%s&client_secret=%s&scope=https%%3A%%2F%%2Fvault.azure.net%%2F.default' \
        "$(value client_id "$1")" "$(value client_secret "$1")" >form
    curl -s --cacert "$data/ca.pem" --data @form "$origin/$(value tenant_id "$boot")/oauth2/v2.0/token" >answer
    printf 'header = "Authorization: Bearer %s"\n' "$(value access_token answer)" >"$2"
    rm -f form answer
}
begin() # the server, at a port of its own each time
{
    server_start
    origin=$(value vault_url "$boot")
    origin=${origin%/}
}
# ask RC METHOD PATH [BODY]
ask()
{
    rc=$1 method=$2 path=$3
    shift 3
    [ "$method" = GET ] || [ $# -gt 0 ] || set -- ''
    [ $# = 0 ] || set -- --data-binary "$1"
    case $path in *\?*) path=$path\& ;; *) path=$path\? ;; esac
    code=$(curl -s -m 60 -o body -w '%{http_code}' --cacert "$data/ca.pem" -K "$rc" -X "$method" -H 'Content-Type: application/json' "$@" \
        "$origin${path}api-version=7.6")
    case $code in 2??) cat body && return 0 ;; esac
    echo "$code $(cat body)" >&2
    return 1
}
call() { ran "$1 $2" ask adminrc "$@"; }
begin
token "$boot" adminrc
settings() # PASSWORD
{
    python3 - "$port" "$1" "$pg/cert.pem" <<'PY'
import json, sys
print(json.dumps({"host": "localhost", "port": int(sys.argv[1]), "database": "app", "user": "vaultadmin", "password": sys.argv[2],
                  "caPem": open(sys.argv[3]).read(), "allowedRoles": ["ro", "own", "slow"]}))
PY
}
call PUT /databases/app "$(settings planted-wrong)"
ends 1
says 502
says DatabaseRefused
call PUT /databases/app "$(settings planted-root-1)"
ends 0
has '"tls":"full"'
call PUT /databases/app '{"allowedRoles":["ro","own","slow","other"]}'
ends 0
call PUT /databases/app/roles/ro '{"grants":["SELECT ON ALL TABLES IN SCHEMA public"],"defaultTtl":600,"maxTtl":1200}'
ends 0
call PUT /databases/app/roles/none '{}'
ends 1
says RoleNotAllowed
call PUT /databases/app/roles/own '{"creationStatements":["CREATE ROLE {{name}} LOGIN PASSWORD {{verifier}}","GRANT CREATE ON SCHEMA public TO {{name}}"]}'
ends 0
call PUT /databases/app/roles/slow '{"creationStatements":["SELECT pg_sleep(4)","CREATE ROLE {{name}} LOGIN PASSWORD {{verifier}}"]}'
ends 0
call PUT /databases/app/roles/other '{"creationStatements":["CREATE ROLE {{name}} PASSWORD {{verifier}} NONSENSE"]}'
ends 0

# ---- given and used --------------------------------------------------------------------------------------------------------------------------

# give ROLE [BODY] - sets $lease, $user, $password.
give()
{
    call POST "/databases/app/roles/$1/credentials" "${2:-{\}}"
    ends 0
    lease=$(member leaseId) user=$(member username) password=$(member password)
    printf '%s\n' "$password" >>given
}
as_user() { PGPASSWORD=$password psql -h localhost -p "$port" -U "$user" -d app -qAtX -v ON_ERROR_STOP=1 "$@"; }
give ro
case $user in v-*-ro-*) ;; *) fail "the login is called $user" ;; esac
[ "$(as_user -c 'SELECT n FROM t')" = 42 ] || fail 'the login cannot read'
as_user -c 'INSERT INTO t VALUES (1)' >/dev/null 2>&1 && fail 'the login can write'
until=$(super -c "SELECT extract(epoch FROM rolvaliduntil)::bigint FROM pg_roles WHERE rolname = '$user'")
call GET "/databases/app/leases/$lease"
ends 0
has '"state":"live"'
[ "$(member expires)" = "$until" ] || fail "the database lets it in until $until"
# Renewed, at most to the role's longest time.
call POST "/databases/app/leases/$lease/renew" '{"ttl":1200}'
ends 0
has '"renewable":false'
until=$(super -c "SELECT extract(epoch FROM rolvaliduntil)::bigint FROM pg_roles WHERE rolname = '$user'")
[ "$(member expires) $(($(member created) + 1200))" = "$until $until" ] || fail "renewed until $until"
# What the database refuses leaves neither login nor lease.
call POST /databases/app/roles/other/credentials '{}'
ends 1
says 42601
counts 1
# Rights to secrets are none to databases; who has a good token and no right is refused, and so is one that is none.
run app create reader --bootstrap "$boot" --role 'Key Vault Secrets Officer' --out reader.json --scope "/subscriptions/$(value subscription_id "$boot")"
ends 0
token reader.json readerrc
printf 'header = "Authorization: Bearer x.y.z"\n' >nobodyrc
for path in roles/ro/credentials revoke "leases/$lease/revoke" "leases/$lease/renew" rotate-root; do
    ran "reader $path" ask readerrc POST "/databases/app/$path" '{}'
    ends 1
    says 403
done
ran 'reader settings' ask readerrc GET /databases/app
ends 1
says 403
ran 'nobody' ask nobodyrc POST /databases/app/roles/ro/credentials '{}'
ends 1
says 401

# ---- ended ---------------------------------------------------------------------------------------------------------------------------------------

# By hand: the open session ends, and what the login made goes to the vault's own.
first=$user
give own
as_user -c 'CREATE TABLE mine (n int)' || fail 'the login cannot make a table'
as_user -c 'SELECT pg_sleep(30)' >/dev/null 2>session &
session=$!
tries=0
until [ "$(super -c "SELECT count(*) FROM pg_stat_activity WHERE usename = '$user'")" = 1 ] || [ $tries = 50 ]; do
    tries=$((tries + 1))
    sleep 0.05
done
call POST "/databases/app/leases/$lease/revoke"
ends 0
has '"state":"revoked"'
wait $session && fail 'the session went on'
grep -q terminat session || fail "the session said: $(cat session)"
as_user -c 'SELECT 1' >/dev/null 2>&1 && fail 'a login that was revoked is let in'
counts 1
[ "$(super -d app -c "SELECT tableowner FROM pg_tables WHERE tablename = 'mine'")" = vaultadmin ] || fail 'the table is gone'
call GET "/databases/app/leases/$lease"
ends 1
says LeaseNotFound
# On time, the open session too.
give ro '{"ttl":3}'
as_user -c 'SELECT pg_sleep(30)' >/dev/null 2>session &
session=$!
begun=$(date +%s)
wait $session && fail 'the session outlives the lease'
[ $(($(date +%s) - begun)) -le 20 ] || fail 'the lease lives too long'
tries=0
until [ "$(logins)" = 1 ] || [ $tries = 50 ]; do
    tries=$((tries + 1))
    sleep 0.05
done
counts 1
# A role's, all at once.
give ro
give ro
give own
counts 4
call POST /databases/app/revoke '{"role":"ro"}'
ends 0
has '"revoked":3,"waiting":0'
counts 1
[ "$(super -c "SELECT count(*) FROM pg_roles WHERE rolname = '$first'")" = 0 ] || fail 'the first login is there'

# ---- killed between lease and login, and between a new root password and its being known --------------------------------------------------------

# Somebody else holds the user's row, so that the new password waits to be set.
super -c "BEGIN; ALTER ROLE vaultadmin CONNECTION LIMIT -1; SELECT pg_sleep(4); ROLLBACK" >/dev/null 2>&1 &
holding=$!
ask adminrc POST /databases/app/roles/slow/credentials '{}' >/dev/null 2>&1 &
asking=$!
sleep 0.2
ask adminrc POST /databases/app/rotate-root >/dev/null 2>&1 &
rotating=$!
tries=0
until [ "$(super -c "SELECT count(*) FROM pg_stat_activity WHERE usename = 'vaultadmin' AND (query LIKE '%pg_sleep(4)%' OR query LIKE 'ALTER ROLE%')")" = 2 ] ||
    [ $tries = 100 ]; do
    tries=$((tries + 1))
    sleep 0.05
done
kill -9 "$(child server)" "$supervisor"
wait "$supervisor" 2>/dev/null
supervisor=
wait $asking && fail 'credentials were given'
wait $rotating && fail 'the password was changed in time: nothing was killed'
wait $holding
# The database goes on with what it was told.
old_is_good() { PGPASSWORD=planted-root-1 psql -h localhost -p "$port" -U vaultadmin -d app -c 'SELECT 1' >/dev/null 2>&1; }
tries=0
until { [ "$(logins)" = 2 ] && ! old_is_good; } || [ $tries = 100 ]; do
    tries=$((tries + 1))
    sleep 0.05
done
counts 2
old_is_good && fail 'the old password is good: nothing was set behind the end of the server'
begin
tries=0
until [ "$(logins)" = 1 ] || [ $tries = 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
counts 1

# ---- a new root password ----------------------------------------------------------------------------------------------------------------------------

call POST /databases/app/rotate-root
ends 0
has '"rotated":'
old_is_good && fail 'the old password is good'
give ro
counts 2
# The database away: what is to be ended is kept, and ended when it is back.
$as "$bin/pg_ctl" -D "$pg/db" -m fast stop >/dev/null 2>&1
call POST "/databases/app/leases/$lease/revoke"
ends 0
has '"state":"revoking"'
has '"why":'
$as "$bin/pg_ctl" -D "$pg/db" -w -l "$pg/server.log" -o "-p $port -c listen_addresses=localhost -k $pg -c log_statement=all \
-c ssl=on -c ssl_cert_file=$pg/cert.pem -c ssl_key_file=$pg/key.pem -c fsync=off" start >/dev/null 2>&1
tries=0
until [ "$(logins)" = 1 ] || [ $tries = 150 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
counts 1
call DELETE /databases/app
ends 1
says LeasesLive
call DELETE '/databases/app?force=true'
counts 0
# The lease of the server that was killed is kept for a minute, as its login is looked for twice.
call DELETE '/databases/app?abandon=true'
call GET /databases
ends 0
has '"value":[]'

# ---- rows ----------------------------------------------------------------------------------------------------------------------------------------------

tries=0
until run query --bootstrap "$boot" "AZKVAuditLogs | where OperationName startswith 'Database' | summarize n = count() by OperationName, ResultSignature" &&
    grep -q DatabaseLeaseEnd out || [ $tries = 50 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
for row in DatabaseSet DatabaseRoleSet DatabaseCredentialsCreate DatabaseLeaseRenew DatabaseLeaseRevoke DatabaseLeaseEnd DatabaseRevoke DatabaseRotateRoot DatabaseDelete Forbidden; do
    has "$row"
done
run query --bootstrap "$boot" "AZKVAuditLogs | where OperationName == 'DatabaseCredentialsCreate' and ResultSignature == 'OK' | take 1"
has leases/
has username

# ---- no password anywhere ---------------------------------------------------------------------------------------------------------------------------

server_stop
ends 0
printf 'planted-root-1\nplanted-wrong\n' >>given
[ "$(wc -l <given)" = 9 ] || fail "$(wc -l <given) passwords are looked for"
grep -rlaF -f given "$data" log && fail 'a password lies in the data folder, or the log'
$as cat "$pg/server.log" >pg.log
grep -q 'CREATE ROLE "v-' pg.log || fail 'the database writes no statements'
grep -aF -f given pg.log && fail 'a password stands in the log of PostgreSQL'
conclude
