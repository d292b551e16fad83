#!/bin/sh
# Data export to a folder, by a server with its sandbox on: a rule as templates write it, rows from senders while the server's
# processes are killed with signal 9 again and again; in the end the files hold each row of the table once, in lines that are whole.
set -eu
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
needs_program curl
needs_program ps
own_folder
random=${SEED:-$(date +%s)}
# shellcheck disable=SC2034
driver=
# shellcheck source=tests/lib/crash.sh
. tests/lib/crash.sh
trap 'stop; chmod -R u+rwx "$dir"; rm -rf "$dir"' EXIT
mkdir "$dir/archive"
account=/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/archive1
cat >"$dir/ringfort.yaml" <<YAML
data: $data
export: {folders: [archive1=$dir/archive]}
YAML
start()
{
    "$ringfort" serve --config "$dir/ringfort.yaml" --listen-https "127.0.0.1:${port:-0}" >>"$dir/log" 2>&1 &
    supervisor=$!
}
comes_up()
{
    tries=0
    until "$ringfort" query --bootstrap "$data/bootstrap.json" 'print 1' >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 150 ] || { tail -n 20 "$dir/log"; die 'the server does not answer'; }
        sleep 0.1
    done
}
put() # ID VERSION BODY
{
    printf '%s' "$3" >"$dir/body.json"
    run resource put --bootstrap "$data/bootstrap.json" --api-version "$2" "$1" "$dir/body.json"
    ends 0
}
start
comes_up
port_stays
cd "$dir"
workspace=Microsoft.OperationalInsights/workspaces/main
put $workspace/tables/App_CL 2022-10-01 '{"properties":{"schema":{"name":"App_CL","columns":[{"name":"TimeGenerated","type":"dateTime"},{"name":"Number","type":"long"},{"name":"Text","type":"string"}]}}}'
put Ringfort.Collect/tokens/agents 2026-01-01 "{\"properties\":{\"workspaceResourceId\":\"$(sed -n 's|.*"subscription_id":"\([^"]*\)".*|/subscriptions/\1|p' "$data/bootstrap.json")/resourceGroups/ringfort/providers/$workspace\",\"secret\":\"0123456789abcdef01234567\"}}"
put $workspace/dataExports/archive 2020-08-01 "{\"properties\":{\"tableNames\":[\"App_CL\"],\"enable\":true,\"destination\":{\"resourceId\":\"$account\"}}}"
has '"state": "Exporting"'
put $workspace/dataExports/elsewhere 2020-08-01 "{\"properties\":{\"tableNames\":[\"App_CL\"],\"enable\":true,\"destination\":{\"resourceId\":\"${account}x\"}}}"
has DestinationNotAllowed

# Batches of 50 rows, numbered through. A batch that nobody answered may be there or not, and is not sent again.
send()
{
    number=0
    while [ ! -e "$dir/enough" ]; do
        number=$((number + 1))
        awk -v n=$number 'BEGIN { for (i = 0; i < 50; i++) printf "{\"Number\":%d,\"Text\":\"row %d\"}\n", n * 50 + i, i }' >"$dir/batch"
        curl -s -o /dev/null --max-time 5 --cacert "$data/ca.pem" -H 'X-Ringfort-Token: 0123456789abcdef01234567' \
            --data-binary "@$dir/batch" "https://localhost:$port/collect/tables/App_CL" || sleep 0.1
    done
}
send &
sender=$!
rounds=${CRASH_ROUNDS:-6}
round=0
while [ $round -lt "$rounds" ]; do
    round=$((round + 1))
    next
    sleep "$((random / 65536 % 3)).$(printf '%03d' $((random / 65536 % 1000)))"
    kill_one $((round % 2))
    comes_up
done
touch "$dir/enough"
wait $sender || true
"$ringfort" query --bootstrap "$data/bootstrap.json" --format csv 'App_CL | project Number | order by Number asc' | tail -n +2 >there
[ "$(wc -l <there)" -gt 100 ] || die "only $(wc -l <there) rows came in"
files() { find archive/am-app_cl/WorkspaceResourceId=/subscriptions -name PT05M.json; }
exported() { files | sort | xargs cat | sed -n 's/^{.*"Number":\([0-9]*\),.*}$/\1/p'; }
tries=0
until exported | sort -n | cmp -s - there; do
    tries=$((tries + 1))
    if [ $tries -ge 100 ]; then
        exported | sort -n | diff there - | head -n 20
        tail -n 20 log
        die 'the files do not hold what the table holds'
    fi
    sleep 0.2
done
ran order exported
sort -n out >sorted
cmp -s out sorted || fail 'rows are not in the order in which they came'
ran lines sh -c 'cat $(find archive -name PT05M.json) | grep -cv "^{.*}$"'
prints '0\n'
ran modes find archive/am-app_cl -type f ! -perm 0640 -o -type d ! -perm 0750
prints ''
ran elsewhere ls archive
prints 'am-app_cl\n'
echo "$(wc -l <there) rows, $rounds times killed, $(files | wc -l) files"
stop
supervisor=
conclude
