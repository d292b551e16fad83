#!/bin/sh
# ringfort deploy against `ringfort serve`: templates, parameters, what-if, failures, the mode that deletes.
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
run login --bootstrap data/bootstrap.json; ends 0

cat >small.json <<'JSON'
{ // comments are allowed
  "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
  "contentVersion": "1.0.0.0",
  "parameters": {
    "stem": {"type": "string"}, "count": {"type": "int", "defaultValue": 2},
    "tag": {"type": "string", "defaultValue": "a"}, "key": {"type": "secureString", "defaultValue": ""}
  },
  "resources": [{
    "type": "Microsoft.Storage/storageAccounts", "apiVersion": "2023-01-01",
    "name": "[concat(parameters('stem'), copyIndex())]", "location": "[resourceGroup().location]",
    "copy": {"name": "loop", "count": "[parameters('count')]"},
    "sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "tags": {"t": "[parameters('tag')]"},
    "properties": {"i": "[copyIndex()]"}
  }],
  "outputs": {"first": {"type": "string", "value": "[reference(concat(parameters('stem'), '0'), '2023-01-01', 'full').kind]"}}
}
JSON

run deploy; ends 2; says 'a template is needed'
run deploy small.json other.json; ends 2
run deploy small.json --mode some; ends 2
run deploy --help; ends 0; has '--what-if'
run deploy none.json; ends 1; says 'cannot open none.json'
run deploy small.json; ends 1; says "parameter 'stem' is not provided"
run deploy small.json --parameters nosuch=1; ends 1; says 'no such parameter'
run deploy small.json --parameters stem=one --parameters count=x; ends 1; says 'count=x'
run deploy small.json --what-if --parameters stem=one; ends 0; has '+ Microsoft.Storage/storageAccounts/one0'
has '2 to create'
run deploy small.json --parameters stem=one --parameters key=hush-hush; ends 0; silent
prints 'created Microsoft.Storage/storageAccounts/one0\ncreated Microsoft.Storage/storageAccounts/one1\nfirst = StorageV2\n'
printf '{"parameters":{"stem":{"value":"two"},"tag":{"value":"b"}}}' >values.json
run deploy small.json --what-if --parameters values.json --parameters stem=one --parameters count=1; ends 0
has '~ tags.t: "a" => "b"'; has '1 to modify'; has '* Microsoft.Storage/storageAccounts/one1'
run deploy small.json --parameters values.json --parameters stem=one; ends 0; has 'put     Microsoft.Storage/storageAccounts/one1'

# What fails is told with its cause, and all else goes on.
cat >bad.json <<'JSON'
{"contentVersion": "1.0.0.0", "resources": [
  {"type": "Microsoft.OperationalInsights/workspaces/tables", "apiVersion": "2022-10-01", "name": "main/Bad",
   "properties": {"schema": {"name": "Bad", "columns": []}}},
  {"type": "Microsoft.Storage/storageAccounts", "apiVersion": "2023-01-01", "name": "beside", "location": "local",
   "sku": {"name": "Standard_LRS"}, "kind": "StorageV2"}]}
JSON
run deploy bad.json; ends 1; says '1 of 2 resources failed'; has 'failed  Microsoft.OperationalInsights/workspaces/'
has 'created Microsoft.Storage/storageAccounts/beside'

# A group of its own, for the mode that deletes.
cat >group.json <<'JSON'
{"contentVersion": "1.0.0.0", "resources": [
  {"type": "Microsoft.Resources/resourceGroups", "apiVersion": "2021-04-01", "name": "spare", "location": "local"}]}
JSON
run deploy group.json --subscription-scope; ends 0; has 'created '
run deploy small.json --group spare --parameters stem=x; ends 0
run deploy small.json --group spare --parameters stem=x --parameters count=1 --mode complete; ends 0
has 'deleted Microsoft.Storage/storageAccounts/x1'
grep -rq hush-hush data/*state* serve.log && fail 'a secure parameter was stored'
conclude
