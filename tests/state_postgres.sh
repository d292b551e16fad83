#!/bin/sh
# The state in PostgreSQL: a cluster of its own, reached by a socket in its folder, and the tests of src/state on it, among them
# the one that kills a writer. Built by -Dpostgresql=enabled.
#
# $as holds the words that go before a command, or none.
# shellcheck disable=SC2086
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
tests=${RINGFORT_STATE_TEST:-$(dirname "$ringfort")/state_state_test}
needs "$tests"
bin=
for folder in /usr/lib/postgresql/*/bin; do [ ! -x "$folder/initdb" ] || bin=$folder; done
[ -n "$bin" ] || skip 'PostgreSQL is not here'
grep -qa pg_advisory_xact_lock "$tests" || skip 'ringfort is built without PostgreSQL'

# PostgreSQL does not run as root.
as=
if [ "$(id -u)" = 0 ]; then
    id postgres >/dev/null 2>&1 || skip 'there is no user postgres'
    as='runuser -u postgres --'
fi
own_folder
[ -z "$as" ] || chown postgres "$dir"
cd "$dir" || exit
trap '$as "$bin/pg_ctl" -D "$dir/db" -m immediate stop >/dev/null 2>&1; rm -rf "$dir"' EXIT
ran initdb $as "$bin/initdb" -D "$dir/db" -A trust -U ringfort --no-sync >"$dir/log" 2>&1
[ "$status" = 0 ] || { cat "$dir/log"; exit 1; }
$as "$bin/pg_ctl" -D "$dir/db" -w -l "$dir/server.log" -o "-c listen_addresses= -k $dir" start >"$dir/log" 2>&1 ||
    { cat "$dir/log" "$dir/server.log"; exit 1; }
PATH=$bin:$PATH
RF_STATE_POSTGRES="postgresql://ringfort@/postgres?host=$dir"
export RF_STATE_POSTGRES
# One database, so one test at a time.
"$tests" -j1
