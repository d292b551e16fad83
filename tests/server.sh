#!/bin/sh
# The server as its operator sees it: start, settings, sign-in, rows, backup and restore, stop.
set -eu
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
own_folder
cd "$dir" || exit
supervisor=

start() # FOLDER OPTION...
{
    data=$1
    shift
    "$ringfort" serve --data "$data" --listen-https 127.0.0.1:0 "$@" >>log 2>&1 &
    supervisor=$!
    tries=0
    until "$ringfort" query --bootstrap "$data/bootstrap.json" 'print 1' >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ $tries -gt 150 ] || ! kill -0 "$supervisor" 2>/dev/null; then
            cat log
            echo "the server in $data does not answer"
            exit 1
        fi
        sleep 0.1
    done
}
stop()
{
    [ -z "$supervisor" ] || kill "$supervisor" 2>/dev/null || true
    status=0
    [ -z "$supervisor" ] || wait "$supervisor" || status=$?
    supervisor=
}
trap 'stop; chmod -R u+rwx "$dir"; rm -rf "$dir"' EXIT
# has WANTED KQL - asks until the answer is that: rows about the server itself are written beside its work.
has()
{
    tries=0
    wanted=$1
    until ask "$2" && [ "$(tail -n 1 out)" = "$wanted" ]; do
        tries=$((tries + 1))
        [ $tries -lt 50 ] || { fail "wanted $wanted"; return; }
        sleep 0.1
    done
}
ask() { run query --bootstrap "$data/bootstrap.json" --format csv "$@"; }

# ---- settings ----
run serve
ends 2
says '--data DIR is needed'
printf 'data: %s/x\nlisten:\n  htps: 127.0.0.1:1\n' "$dir" >bad.yaml
run serve --config bad.yaml
ends 1
says "did you mean 'listen.https'"
run serve --data d --listen-https nonsense
ends 1
says nonsense
run serve --data d --hardening much
ends 2
says 'best-effort, strict or off'
rm -rf d

# ---- first start ----
start one
mode=$(stat -L -c %a one/bootstrap.json)
command="the mode of bootstrap.json" status=$mode
[ "$mode" = 600 ] || fail "is $mode"
[ "$(stat -c %a one)" = 700 ] || fail "the folder is open to others"
ask 'print x = 1'
ends 0
prints 'x\n1\n'
ask 'nosuch | take 1'
ends 1
says "there is no table or function 'nosuch'"

# ---- an application of its own ----
run app create sensors --bootstrap one/bootstrap.json --role 'Monitoring Metrics Publisher' --out sensors.json
ends 0
[ "$(stat -c %a sensors.json)" = 600 ] || fail "its credentials are open to others"
run query --bootstrap sensors.json 'print 1'
ends 1
says InsufficientAccessError
run app create nobody --bootstrap one/bootstrap.json --role 'No such role' --out nobody.json
ends 1
says "no role 'No such role'"

# ---- rows ----
seq 1 5000 | sed 's/.*/{"TimeGenerated":"2026-01-01T00:00:00Z","N":&}/' >rows.jsonl
run ingest --bootstrap one/bootstrap.json --table Rows_CL rows.jsonl
ends 0
ask 'Rows_CL | summarize n = count(), s = sum(N)'
ends 0
prints 'n,s\n5000,12502500\n'

# ---- the administrator's secret ----
cp -L one/bootstrap.json old.json
run bootstrap rotate --bootstrap one/bootstrap.json
ends 0
ask 'print x = 1'
ends 0
run query --bootstrap old.json 'print 1'
ends 1
says AADSTS7000215

# ---- what it did has left rows ----
has true,true 'AADServicePrincipalSignInLogs | summarize good = countif(ResultType == "0") > 0, bad = countif(ResultType == "7000215") > 0'
has true 'AzureActivity | where OperationNameValue has "tables/write" | summarize any = count() > 0'
has true 'RingfortHardening | summarize any = count() > 0'

# ---- backup while it serves, restore, and go on ----
run backup --data one copy
ends 0
run backup --data one copy
ends 1
says 'is not empty'
stop
[ "$status" = 0 ] || fail "the supervisor ended with $status"
run restore copy --data two
ends 0
start two
ask 'Rows_CL | summarize n = count(), s = sum(N)'
ends 0
prints 'n,s\n5000,12502500\n'
run ingest --bootstrap two/bootstrap.json --table Rows_CL rows.jsonl
ends 0
ask 'Rows_CL | count'
prints 'Count\n10000\n'

stop
conclude
