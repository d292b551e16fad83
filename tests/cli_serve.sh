#!/bin/sh
# The commands against `ringfort serve` itself, from the first login to rows that were sent, found and removed.
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
own_folder
cd "$dir" || exit
unset RINGFORT_BOOTSTRAP RINGFORT_CLIENT_SECRET
XDG_CONFIG_HOME=$dir/config
export XDG_CONFIG_HOME

mkfifo log
"$ringfort" serve --data data --listen-https 127.0.0.1:0 >log 2>&1 &
server=$!
trap 'kill $server 2>/dev/null; wait $server; chmod -R u+rwx "$dir"; rm -rf "$dir"' EXIT
exec 3<log
ready=
while [ -z "$ready" ] && read -r line <&3; do
    echo "$line" >>serve.log
    case $line in *server.ready*) ready=yes ;; esac
done
[ -n "$ready" ] || { cat serve.log; die 'the server does not start'; }
cat <&3 >>serve.log &

run query --bootstrap data/bootstrap.json 'print x=1, y=dynamic({"a":[1]}), t=1h, g=guid(null)'; ends 0; silent
prints 'x,y,t,g\n1,"{""a"":[1]}",01:00:00,\n'
run query --bootstrap data/bootstrap.json 'range n from 1 to 5000 step 1'; ends 0
[ "$(wc -l <out)" = 5001 ] || fail 'rows are missing'
run query --bootstrap data/bootstrap.json --format chart 'datatable(k:string, n:long)["a",1,"b",3] | render piechart'
ends 0; has '(75.0%)'
run query --bootstrap data/bootstrap.json 'Heartbeat
| where Computr == "x"'; ends 1; says 'line 2, column 9'; says "did you mean 'Computer'"; says '        ^'
run query --bootstrap data/bootstrap.json 'range n from 1 to 600000 step 1'; ends 1; says PartialError
run query --bootstrap data/bootstrap.json '.create table Cmd_CL (a:long) with (folder="f")'; ends 0; silent
run query --bootstrap data/bootstrap.json '.ingest inline into table Cmd_CL with (format="json") <| {"a":5}'; ends 0
run query --bootstrap data/bootstrap.json '.show tables (Cmd_CL) | project TableName, Folder'; prints 'TableName,Folder\nCmd_CL,f\n'
run query --bootstrap data/bootstrap.json 'Cmd_CL | project a'; prints 'a\n5\n'
run query --bootstrap data/bootstrap.json '.drop tabel Cmd_CL'; ends 1; says "did you mean 'table'"; says '      ^'
run query --bootstrap data/bootstrap.json '.drop table Cmd_CL'; ends 0

url=$(sed -n 's/.*"https":"\([^"]*\)".*/\1/p' data/bootstrap.json)
run query --bootstrap data/bootstrap.json --server "https://127.0.0.1:${url##*:}" 'print 1'; ends 0
RINGFORT_CLIENT_SECRET=wrong
export RINGFORT_CLIENT_SECRET
run login --server "$url" --tenant t --client-id c; ends 1; says '--ca FILE'
unset RINGFORT_CLIENT_SECRET
run login --bootstrap data/bootstrap.json; ends 0; has 'logged in to https://'
printf '{"Number":1,"Note":"a"}\n{"Number":2,"When":"2026-01-01T00:00:00Z"}\n' >rows.jsonl
run ingest --workspace main --table Demo_CL rows.jsonl; ends 0; says 'made the table Demo_CL'; has '2 records'
printf 'Number,Note,When\n7,"x,y",2026-02-02T03:04:05Z\n' >rows.csv
run ingest --workspace main --table Demo_CL rows.csv; ends 0; silent
run query --workspace main 'Demo_CL | order by Number asc | project Number, Note, When, Now=TimeGenerated > ago(1h)'
prints 'Number,Note,When,Now
1,a,,true
2,,2026-01-01T00:00:00.0000000Z,true
7,"x,y",2026-02-02T03:04:05.0000000Z,true
'
run query --workspace main --timespan 2020-01-01/P1D 'Demo_CL | count'; prints 'Count\n0\n'

rule=Microsoft.Insights/dataCollectionRules/ringfort-ingest-Demo-CL
run resource get $rule; ends 0; has '"immutableId": "dcr-'
immutable=$(sed -n 's/.*"immutableId": "\(dcr-[0-9a-f]*\)".*/\1/p' out)
run ingest --rule "$immutable" --stream Custom-Demo_CL rows.jsonl; ends 0
run ingest --rule "$immutable" --stream Custom-None rows.jsonl; ends 1; says InvalidStream
run resource get $rule
cp out rule.json
run resource list Microsoft.Insights/dataCollectionRules --format csv; ends 0; has ringfort-ingest-Demo-CL
run resource delete $rule; ends 0; says deleted
run resource get $rule; ends 1; says ResourceNotFound
run apply rule.json; ends 0; has created
run resource get $rule; ends 0
run resource put $rule rule.json; ends 0
run resource list; ends 0; has Microsoft.OperationalInsights/workspaces

RINGFORT_CLIENT_SECRET=wrong
export RINGFORT_CLIENT_SECRET
run login --server "$url" --ca data/ca.pem --client-id nobody \
    --tenant "$(sed -n 's/.*"tenant_id":"\([^"]*\)".*/\1/p' data/bootstrap.json)"
ends 1; says 'gives no token: AADSTS'
unset RINGFORT_CLIENT_SECRET

kill $server
wait $server || { cat serve.log; fail 'the server did not end as it should'; }
run query --workspace main 'print 1'; ends 1
conclude
