#!/bin/sh
# The portal over a real server: its pages as they were built in, who is signed in, the live stream, vaults and hubs by the portal's own paths.
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
needs_program curl
needs_program python3
own_folder
# shellcheck source=tests/lib/serve.sh
. tests/lib/serve.sh
cd "$dir" || exit
: >out
: >err
server_start
RINGFORT_BOOTSTRAP=$data/bootstrap.json
export RINGFORT_BOOTSTRAP
origin=$(sed -n 's/.*"https": *"\([^"]*\)".*/\1/p' "$data/bootstrap.json")

# token SCOPE - writes the header of the administrator's token into the file of that name.
token()
{
    python3 - "$data/bootstrap.json" "$1" <<'END'
import json, ssl, sys, urllib.parse, urllib.request
boot = json.load(open(sys.argv[1]))
form = dict(grant_type="client_credentials", client_id=boot["client_id"], client_secret=boot["client_secret"], scope=sys.argv[2] + "/.default")
origin = boot["https"]
ask = urllib.request.urlopen(f"{origin}/{boot['tenant_id']}/oauth2/v2.0/token", urllib.parse.urlencode(form).encode(), context=ssl._create_unverified_context())
print("Authorization: Bearer " + json.load(ask)["access_token"])
END
}
token https://management.azure.com >arm
token https://vault.azure.net >vault

# get WORD... - asks with curl; the answer is in out, its head in head, the status of HTTP is $status.
get()
{
    command="curl $*"
    status=$(curl -sk -o out -D head -w '%{http_code}' "$@" 2>err)
}
head_has() { grep -qiF -- "$1" head || { sed 's/^/  /' head; fail "the head lacks: $1"; }; }

# ---- pages ----
get -H 'Accept: text/html' "$origin/"
ends 302
head_has 'Location: /portal/'
get "$origin/portal/incidents/7"
if grep -q 'built without the web portal' out; then
    echo 'built without the pages: they are not looked at'
else
    ends 302
    head_has 'Location: /portal/signin?return=%2Fportal%2Fincidents%2F7'
    get -H 'Cookie: __Host-rf_portal=x' "$origin/portal/"
    ends 200
    head_has 'Cache-Control: no-store'
    head_has "require-trusted-types-for 'script'"
    cp out page
    script=$(sed -n 's|.*src="\(/portal/assets/[^"]*\)".*|\1|p' out | head -n 1)
    get "$origin$script"
    ends 200
    head_has 'immutable'
    cp out plain
    tag=$(tr -d '\r' <./head | sed -n 's/^ETag: //p')
    get --compressed -H 'Accept-Encoding: gzip' "$origin$script"
    cmp -s plain out || fail 'compressed it is another file'
    get -H "If-None-Match: $tag" "$origin$script"
    ends 304
    grep -oE '/portal/assets/[A-Za-z0-9._-]+' page | sort -u >files
    while read -r file; do
        get "$origin$file"
        [ "$status" = 200 ] || fail "wanted $file"
    done <files
fi

# ---- who is signed in ----
get "$origin/portal/api/session"
ends 401
get -H @arm "$origin/portal/api/session"
ends 200
has '"Owner"'
workspace=$(sed -n 's/.*"workspace":{"id":"\([^"]*\)".*/\1/p' out)
get -H @arm -X PUT -H 'Content-Type: application/json' -d '{"theme":"dark"}' "$origin/portal/api/preferences"
ends 200
prints '{"theme":"dark"}'

# ---- vaults under the portal's own origin ----
get -H @vault -X PUT -H 'Content-Type: application/json' -d '{"value":"seven"}' "$origin/portal/vaults/ringfort/secrets/door?api-version=7.4"
ends 200
get -H @vault "$origin/portal/vaults/ringfort/secrets/door?api-version=7.4"
ends 200
has '"value":"seven"'
run secret get door --show
prints 'seven'

# ---- hubs ----
get -H @arm -H 'Content-Type: application/json' -d '{"body":"tick","partition":0}' "$origin/portal/api/hubs/ringfort/events/events"
ends 201
get -H @arm "$origin/portal/api/hubs/ringfort/events/events?partition=0&from=earliest"
ends 200
has '"body":"tick"'

# ---- what happens now ----
command='the live stream'
timeout 5 curl -skN -H @arm "$origin/portal/api/live?hubs=ringfort/events" >out 2>err &
live=$!
sleep 2
curl -sk -o made -H @arm -X PUT -H 'Content-Type: application/json' \
    -d '{"properties":{"title":"A door stands open","severity":"High","status":"New"}}' \
    "$origin$workspace/providers/Microsoft.SecurityInsights/incidents/door?api-version=2024-03-01"
wait "$live"
grep -A1 '^event: incident$' out | grep -q 'A door stands open' || { cat made; fail 'wanted the incident'; }
grep -q '^event: pulse$' out || fail 'wanted a pulse'
grep -q '^event: hub$' out || fail 'wanted the rates of the hub'
[ "$(grep -c '^event: pulse$' out)" -ge 3 ] || fail 'wanted one each second'

# ---- the Overview and health ----
get -H @arm "$origin/portal/api/overview"
ends 200
has '"sources":{"count":'
has '"title":"A door stands open"'
has '"streams":{"count":1'
get -H @arm "$origin/portal/api/health"
ends 200
has '"Role":"server"'
has '"freeBytes":'
server_stop
[ "$status" = 0 ] || fail 'wanted an end in order'
conclude
