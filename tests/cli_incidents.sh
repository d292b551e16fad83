#!/bin/sh
# The incidents of `ringfort serve` on the command line: listed, shown, commented on, closed, watched.
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
own_folder
cd "$dir" || exit
unset RINGFORT_CLIENT_SECRET
XDG_CONFIG_HOME=$dir/config
export XDG_CONFIG_HOME

mkfifo log
"$ringfort" serve --data data --listen-https 127.0.0.1:0 >log 2>&1 &
server=$!
watcher=
trap 'kill $server $watcher 2>/dev/null; wait $server; chmod -R u+rwx "$dir"; rm -rf "$dir"' EXIT
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

raise() # NAME TITLE SEVERITY
{
    printf '{"properties":{"title":"%s","severity":"%s","status":"New","labels":[{"labelName":"l"}]}}' "$2" "$3" >incident.json
    run resource put --api-version 2023-02-01 "Microsoft.SecurityInsights/incidents/$1" incident.json; ends 0
}

run incidents; ends 0; has '(0 rows)'
raise one 'Brute force on anna' High
raise two 'Tab\tand \u001b[31m red' Low
run incidents --format csv; ends 0; silent
[ "$(wc -l <out)" = 3 ] || fail 'not two incidents'
sed -n 2p out | grep -q '^2,.*,Low,New,0,,' || fail 'the newest does not come first'
run incidents --severity High --status open --format csv; ends 0; has 'Brute force on anna'
[ "$(wc -l <out)" = 2 ] || fail 'the filter lets others pass'
run incidents list --status Closed; ends 0; has '(0 rows)'
run incidents --top 1 --format jsonl; ends 0; has '"incidentNumber":2'
[ "$(wc -l <out)" = 1 ] || fail '--top is not heeded'
run incidents list --status "it's"; ends 0; has '(0 rows)'

run incidents comment 1 'looked at it'; ends 0; says 'commented on #1'
run incidents close 1 --classification TruePositive --reason InaccurateData; ends 1; says 'does not go with'
run incidents close 1 --classification FalsePositive --reason InaccurateData --comment 'a test'; ends 0; says 'closed #1'
run incidents show 1; ends 0; silent; has '#1  High  Closed  Brute force on anna'; has 'InaccurateData'; has 'looked at it'; has 'labels       l'
run incidents show one --format json; ends 0; has '"message": "looked at it"'; has '"entities": []'
run incidents show 2; ends 0; has 'Tab\tand \e[31m red' # nothing of it steers the terminal
run incidents show 7; ends 1; says 'there is no incident 7'
run incidents show none; ends 1; says 'was not found'
run incidents shwo; ends 2
run incidents close; ends 2; says 'needs the number'
run incidents comment 1; ends 2; says 'needs a text'
run incidents --top 0; ends 2

# What is raised while somebody watches is printed, and only that.
mkfifo seen said
"$ringfort" incidents --watch >seen 2>said &
watcher=$!
exec 4<seen 5<said
read -r line <&5
case $line in *'newest is #2'*) ;; *) fail "the watcher said: $line" ;; esac
raise three 'Watched' Medium
read -r line <&4
case $line in *'#3     Medium         Watched') ;; *) fail "the watcher printed: $line" ;; esac
conclude
