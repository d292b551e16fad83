#!/bin/sh
# The analytics rules and watchlists of `ringfort serve` on the command line, and what a catalogue of packages offers.
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
own_folder
cd "$dir" || exit
unset RINGFORT_CLIENT_SECRET
XDG_CONFIG_HOME=$dir/config
export XDG_CONFIG_HOME

mkdir -p packages/one
cat >packages/one/mainTemplate.json <<'JSON'
{"$schema":"https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#","contentVersion":"1.0.0.0",
 "parameters":{"workspace":{"type":"string"},"location":{"type":"string"}},
 "resources":[
  {"type":"Microsoft.OperationalInsights/workspaces/providers/contentTemplates","apiVersion":"2023-04-01-preview",
   "name":"[concat(parameters('workspace'),'/Microsoft.SecurityInsights/one-ar')]",
   "properties":{"contentId":"ar-one","contentKind":"AnalyticsRule","displayName":"Offered","version":"1.0.0","packageId":"one",
    "mainTemplate":{"resources":[{"type":"Microsoft.SecurityInsights/AlertRuleTemplates","name":"ar-one","kind":"Scheduled",
     "properties":{"displayName":"Offered by a package","severity":"Low","query":"print x = 1"}}]}}},
  {"type":"Microsoft.OperationalInsights/workspaces/providers/contentPackages","apiVersion":"2023-04-01-preview",
   "name":"[concat(parameters('workspace'),'/Microsoft.SecurityInsights/one')]",
   "properties":{"contentId":"one","contentKind":"Solution","contentProductId":"one-sl-1","displayName":"One","version":"1.2.3"}}]}
JSON
printf 'content: [%s/packages]\n' "$dir" >ringfort.yaml

mkfifo log
"$ringfort" serve --config ringfort.yaml --data data --listen-https 127.0.0.1:0 >log 2>&1 &
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
RINGFORT_BOOTSTRAP=$dir/data/bootstrap.json
export RINGFORT_BOOTSTRAP

# ---- rules ---------------------------------------------------------------------------------------------------------
cat >rule.json <<'JSON'
{"kind":"Scheduled","properties":{"displayName":"Test rule","enabled":true,"severity":"Low","query":"print x=1\n| extend y=2",
 "queryFrequency":"PT1H","queryPeriod":"PT1H","triggerOperator":"GreaterThan","triggerThreshold":0,"suppressionEnabled":false,
 "suppressionDuration":"PT1H","tactics":["Discovery"]}}
JSON
run rules; ends 0; has 'A source went silent'; has 'Break-glass account used'; has '(2 rows)'
run resource put --api-version 2023-02-01 Microsoft.SecurityInsights/alertRules/r1 rule.json; ends 0
run rules list --format csv; ends 0; silent; has 'r1,Scheduled,true,Low,PT1H,'; has ',Test rule'
run rules show 'test RULE'; ends 0; silent; has 'Test rule'; has '    | extend y=2'; has 'tactics      Discovery'
run rules show r1 --format json; ends 0; has '"queryFrequency": "PT1H"'
run rules disable r1; ends 0; says "disabled 'Test rule'"
run rules --format csv; ends 0; has 'r1,Scheduled,false,'
run rules enable 'Test rule'; ends 0; says "enabled 'Test rule'"
run rules run r1; ends 0; says "'Test rule' runs"
run rules run r1 --at yesterday; ends 1; says 'executionTimeUtc'
run rules show none; ends 1; says "there is no rule 'none'"
run rules shwo; ends 2; says 'is not list, templates, show'
run rules enable; ends 2; says 'enable needs the name of a rule'
run rules list r1; ends 2; says "'r1' is not expected"

# ---- packages ------------------------------------------------------------------------------------------------------
run rules templates --format jsonl; ends 0
grep -q 'Offered by a package' out && fail 'a package that is not installed is offered'
[ "$(wc -l <out)" -gt 40 ] || fail 'the rules of the program are not offered'
run resource get --api-version 2024-03-01 Microsoft.SecurityInsights/contentProductPackages/one; ends 0; has '"packagedContent"'
cp out package.json
run resource put --api-version 2024-03-01 Microsoft.SecurityInsights/contentPackages/one package.json; ends 0
for _ in 1 2 3 4 5 6 7 8 9 10; do
    run resource get --api-version 2024-03-01 Microsoft.Resources/deployments/install-one; ends 0
    grep -q '"provisioningState": "Succeeded"' out && break
done
run rules templates; ends 0; has 'Offered by a package'
run resource get --api-version 2024-03-01 Microsoft.SecurityInsights/contentProductPackages/one; has '"installedVersion": "1.2.3"'
run resource delete --api-version 2024-03-01 Microsoft.SecurityInsights/contentPackages/one; ends 0
run rules templates --format jsonl; ends 0
grep -q 'Offered by a package' out && fail 'a package that is gone is offered'

# ---- watchlists ----------------------------------------------------------------------------------------------------
printf 'IP,Place\n10.0.0.1,Home\n10.0.0.2,"a, b"\n' >ips.csv
printf 'a comment\nIP\tPlace\n10.0.0.3\tLab\n' >more.tsv
run watchlist; ends 0; has '(0 rows)'
run watchlist put ips.csv --alias ips --key IP; ends 0; says "made the watchlist 'ips'"
run watchlist list --format csv; ends 0; silent; has 'ips,IP,ips.csv,'
run watchlist show ips --format csv; ends 0; silent; has '10.0.0.2,"a, b"'
run watchlist put more.tsv --alias more --key IP --skip 1; ends 0
run watchlist show more --format csv; ends 0; has '10.0.0.3,Lab'
run watchlist put ips.csv --alias other --key Nope; ends 1; says 'no column of the watchlist'
run watchlist put missing.csv --alias other --key IP; ends 1; says 'missing.csv'
run watchlist put ips.csv --alias other; ends 2; says 'needs --alias and --key'
run watchlist delete ips; ends 0; says "deleted the watchlist 'ips'"
run watchlist delete ips; ends 1; says "there is no watchlist 'ips'"
run watchlist drop ips; ends 2; says 'is not list, show, put or delete'
conclude
