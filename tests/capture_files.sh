#!/bin/sh
# Capture into files, by a server with its sandbox on that is killed with signal 9 in the middle: each event is in one file, whole files only,
# as a reader of Avro of others has it. An account that is a folder of the operator's, one that is not, and the three encodings.
#   tests/capture_files.sh [ROUNDS]
set -eu
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
needs_program curl
needs_program python3
needs_program ps
own_folder
random=${SEED:-$(date +%s)}
# shellcheck disable=SC2034
driver=
# shellcheck source=tests/lib/crash.sh
. tests/lib/crash.sh
trap 'stop; chmod -R u+rwx "$dir"; rm -rf "$dir"' EXIT
mkdir "$dir/lake"
storage=/subscriptions/1/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts
cat >"$dir/ringfort.yaml" <<YAML
data: $data
export: {folders: [lake1=$dir/lake]}
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
        [ $tries -lt 300 ] || { tail -n 20 "$dir/log"; die 'the server does not answer'; }
        sleep 0.1
    done
}
start
comes_up
port_stays
cd "$dir"

# hub NAME ENABLED ENCODING ACCOUNT - intervals are the shortest that there are; switching off ends the windows.
hub()
{
    cat >body.json <<JSON
{"properties":{"partitionCount":2,"captureDescription":{"enabled":$2,"encoding":"$3","intervalInSeconds":60,"skipEmptyArchives":true,
"destination":{"name":"EventHubArchive.AzureBlockBlob","properties":{"storageAccountResourceId":"$storage/$4","blobContainer":"events"}}}}}
JSON
    run resource put --bootstrap "$data/bootstrap.json" --api-version 2024-01-01 "Microsoft.EventHub/namespaces/ringfort/eventhubs/$1" body.json
}
names='plain packed lines'
all() # ENABLED - on and off for all of them
{
    hub plain "$1" Avro lake1
    ends 0
    hub packed "$1" AvroDeflate lake1
    ends 0
    hub lines "$1" JsonLines elsewhere
    ends 0
}
hub early false Avro lake1
ends 0
echo '{"properties":{"captureDescription":{"enabled":true,"intervalInSeconds":5}}}' >body.json
run resource put --bootstrap "$data/bootstrap.json" --api-version 2024-01-01 Microsoft.EventHub/namespaces/ringfort/eventhubs/early body.json
ends 1
says intervalInSeconds
all true

# What was acknowledged is numbered by the log; what a kill cut off may be there or not.
send()
{
    number=0
    while [ ! -e enough ]; do
        number=$((number + 1))
        for name in $names; do
            seq 1 20 | sed "s/.*/{\"batch\":$number,\"n\":&}/" >lot
            "$ringfort" events send --bootstrap "$data/bootstrap.json" --partition $((number % 2)) "$name" lot >/dev/null 2>&1 || sleep 0.1
        done
    done
}
send &
sender=$!
rounds=${1:-${CRASH_ROUNDS:-3}}
round=0
while [ $round -lt "$rounds" ]; do
    round=$((round + 1))
    next
    sleep "$((2 + random / 65536 % 2)).$(printf '%03d' $((random / 65536 % 1000)))"
    kill_one $((round % 2))
    comes_up
    if [ $((round % 2)) = 1 ]; then
        hub packed false AvroDeflate lake1
        ends 0
        hub packed true AvroDeflate lake1
        ends 0
    fi
done
touch enough
wait $sender || true
all false
kill_one 1
comes_up
all true
all false

ends_of() # HUB - "partition end" a line
{
    "$ringfort" events stats --bootstrap "$data/bootstrap.json" --format csv "$1" | awk -F, 'NR > 1 { print $1, $3 }'
}
cat >read.py <<'PYTHON'
import glob, json, sys
hub, root, wanted = sys.argv[1:4]
try:
    from avro.datafile import DataFileReader
    from avro.io import DatumReader
except ImportError:
    DataFileReader = None
ends = dict(map(int, line.split()) for line in open(wanted))
bad = total = files = 0
for partition, end in ends.items():
    numbers = []
    for path in sorted(glob.glob(f'{root}/events/ringfort/{hub}/{partition}/**/*', recursive=True)):
        if path.endswith('.jsonl'):
            rows = [json.loads(line) for line in open(path)]
        elif path.endswith('.avro'):
            if DataFileReader is None:
                continue
            rows = list(DataFileReader(open(path, 'rb'), DatumReader()))
        else:
            continue
        files += 1
        for row in rows:
            assert row['Offset'] == str(row['SequenceNumber'])
            body = row['Body']
            assert 'n' in json.loads(body), body
            numbers.append(row['SequenceNumber'])
    total += len(numbers)
    # All of them, in the order of the names; but what came while it was switched off is in none.
    if hub == 'packed':
        bad += numbers != sorted(set(numbers)) or (numbers and numbers[-1] >= end)
    else:
        bad += numbers != list(range(end))
print(total, file=open(f'{hub}.count', 'w'))
print(hub, files, 'files', total, 'of', sum(ends.values()), 'events', 'WRONG' if bad else 'right')
sys.exit(1 if bad or total == 0 else 0)
PYTHON
# Debian's package is for Debian's python3.
python=python3
[ ! -x /usr/bin/python3 ] || python=/usr/bin/python3
$python -c 'import avro.datafile' 2>/dev/null || {
    echo 'python3-avro is not here: files of Avro are not read'
    names=lines
}
for name in $names; do
    ends_of "$name" >"$name.ends"
    root=$dir/lake
    [ "$name" != lines ] || root=$data/capture/elsewhere
    # Windows that were switched off end soon, not at once.
    tries=0
    while find "$root" -name '.*.part' | grep -q . && [ $tries -lt 100 ]; do
        tries=$((tries + 1))
        sleep 0.2
    done
    ran "read $name" $python read.py "$name" "$root" "$name.ends"
    ends 0
    cat out
done
# A second reader, in another language.
if command -v avrocat >/dev/null 2>&1 && [ "$names" != lines ]; then
    for name in plain packed; do
        find lake -path "*/$name/*" -name '*.avro' -exec avrocat {} \; >rows
        ran "count $name" grep -c '"SequenceNumber"' rows
        prints "$(cat $name.count)\n"
    done
fi
ran modes find lake -mindepth 1 -type f ! -perm 0640 -o -mindepth 1 -type d ! -perm 0750
prints ''
ran parts find lake "$data/capture" -name '.*.part'
prints ''
stop
supervisor=
conclude
