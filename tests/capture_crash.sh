#!/bin/sh
# Capture into a table, by a server whose processes are killed with signal 9 again and again while events come: afterwards the table has a
# row for each number of the log, and no number twice. Then the rule goes, and its marks with it.
#   tests/capture_crash.sh [ROUNDS]
set -eu
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
needs_program ps
own_folder
random=${SEED:-$(date +%s)}
# shellcheck disable=SC2034
driver=
# shellcheck source=tests/lib/crash.sh
. tests/lib/crash.sh
trap 'stop; chmod -R u+rwx "$dir"; rm -rf "$dir"' EXIT
echo "seed $random"
query() { "$ringfort" query --bootstrap "$data/bootstrap.json" --format csv "$1"; }
comes_up()
{
    tries=0
    until query 'print 1' >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 300 ] || { tail -n 20 "$dir/log"; die 'the server does not answer'; }
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
subscription=$(sed -n 's|.*"subscription_id":"\([^"]*\)".*|\1|p' "$data/bootstrap.json")
workspace=Microsoft.OperationalInsights/workspaces/main
rule=Microsoft.Insights/dataCollectionRules/capture
columns='{"name":"TimeGenerated","type":"datetime"},{"name":"EventPartition","type":"int"},{"name":"EventSequenceNumber","type":"long"},{"name":"n","type":"long"}'
put $workspace/tables/Taken_CL 2022-10-01 "{\"properties\":{\"schema\":{\"name\":\"Taken_CL\",\"columns\":[$columns]}}}"
put Microsoft.EventHub/namespaces/ringfort/eventhubs/taken 2024-01-01 '{"properties":{"partitionCount":3}}'
put $rule 2023-03-11 "{\"location\":\"local\",\"properties\":{
  \"streamDeclarations\":{\"Custom-Taken\":{\"columns\":[$columns]}},
  \"dataSources\":{\"dataImports\":{\"eventHub\":{\"name\":\"taken\",\"stream\":\"Custom-Taken\",\"consumerGroup\":\"\$Default\"}}},
  \"destinations\":{\"logAnalytics\":[{\"workspaceResourceId\":\"/subscriptions/$subscription/resourceGroups/ringfort/providers/$workspace\",\"name\":\"main\"}]},
  \"dataFlows\":[{\"streams\":[\"Custom-Taken\"],\"destinations\":[\"main\"],\"outputStream\":\"Custom-Taken_CL\"}]}}"

# A send that nobody answered may be there or not; the log says.
send()
{
    number=0
    while [ ! -e enough ]; do
        number=$((number + 1))
        seq 1 30 | sed 's/.*/{"n":&}/' >lot
        "$ringfort" events send --bootstrap "$data/bootstrap.json" --partition $((number % 3)) taken lot >/dev/null 2>&1 || sleep 0.1
    done
}
send &
sender=$!
rounds=${1:-${CRASH_ROUNDS:-5}}
round=0
while [ $round -lt "$rounds" ]; do
    round=$((round + 1))
    next
    sleep "$((random / 65536 % 3)).$(printf '%03d' $((200 + random / 65536 % 800)))"
    kill_one $((round % 3))
    comes_up
done
touch enough
wait $sender || true

"$ringfort" events stats --bootstrap "$data/bootstrap.json" --format csv taken >stats.csv
awk -F, 'NR > 1 { for (i = $2; i < $3; i++) print $1 "," i }' stats.csv >wanted
[ "$(wc -l <wanted)" -gt 100 ] || die "only $(wc -l <wanted) events came in"
there() { query 'Taken_CL | project EventPartition, EventSequenceNumber | order by EventPartition asc, EventSequenceNumber asc | take 500000' | tail -n +2; }
tries=0
until there >rows && [ "$(wc -l <rows)" -ge "$(wc -l <wanted)" ] || [ $tries -ge 150 ]; do
    tries=$((tries + 1))
    sleep 0.2
done
if ! cmp -s rows wanted; then
    diff wanted rows | head -n 20
    tail -n 20 log
    die 'the table does not hold what the log holds, once'
fi
query 'RingfortDeadLetter | count' >dead
[ "$(tail -n 1 dead)" = 0 ] || die 'there are dead letters'

echo "$(wc -l <rows) events, $rounds times killed"
stop
supervisor=
conclude
