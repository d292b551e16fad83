#!/bin/sh
# Published solution packages: at least 95 % of their templates deploy into a workspace, twice, and what a package lacks is
# told by name.
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
packages=$PWD/../shared/content/packages
needs "$packages"
needs_program python3
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

# Parameters that have no default get a value of their type; those that the portal always passes get what is there.
python3 - "$packages" <<'PYTHON'
import json, os, sys
site = json.load(open('data/bootstrap.json'))
def find(node, *names):
    for name in names:
        for key, value in node.items():
            if key.lower() == name: return value
            if isinstance(value, dict):
                found = find(value, name)
                if found: return found
workspace = find(site, 'workspacename', 'workspace_name') or 'main'
given = {'workspace': workspace, 'workspace-location': 'local', 'location': 'local'}
samples = {'string': 'sample', 'securestring': 'sample', 'int': 1, 'bool': True, 'object': {}, 'secureobject': {}, 'array': []}
for name in sorted(os.listdir(sys.argv[1])):
    path = os.path.join(sys.argv[1], name, 'mainTemplate.json')
    if not os.path.exists(path): continue
    template = json.load(open(path, encoding='utf-8-sig'))
    values = {}
    for parameter, definition in template.get('parameters', {}).items():
        if parameter in given: values[parameter] = {'value': given[parameter]}
        elif 'defaultValue' not in definition:
            allowed = definition.get('allowedValues')
            values[parameter] = {'value': allowed[0] if allowed else samples[definition['type'].lower()]}
    json.dump({'parameters': values}, open(name + '.parameters', 'w'))
PYTHON

total=0 good=0
for folder in "$packages"/*/; do
    name=$(basename "$folder")
    [ -f "$name.parameters" ] || continue
    total=$((total + 1))
    if "$ringfort" deploy "$folder/mainTemplate.json" --name pack-$total --parameters "$name.parameters" >out 2>err &&
        { [ -n "${ONCE:-}" ] || "$ringfort" deploy "$folder/mainTemplate.json" --name pack-$total --parameters "$name.parameters" >out 2>err; }; then
        good=$((good + 1))
    else
        echo "$name:"
        grep -A1 -h '^failed' out | cut -c 1-300 | head -n 6
        cut -c 1-400 err | head -n 3
    fi
done
echo "$good of $total packages deploy"
[ $((good * 100)) -ge $((total * 95)) ] || failures=$((failures + 1))
conclude
