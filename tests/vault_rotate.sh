#!/bin/sh
# The root is rotated under load: what older generations wrap comes under the newest by itself, kill -9 in between included, and the older ones go;
# what lies in the folder opens by the newest alone.
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
needs_program python3
needs_program ps
own_folder
# shellcheck source=tests/lib/serve.sh
. tests/lib/serve.sh
tool=$PWD/tests/vault_rotate/tool.py
client=$PWD/tests/crash_vault/client.py
cd "$dir" || exit
: >out
: >err
server_start
boot=$data/bootstrap.json
vault() { run vault "$@" --data "$data"; }
tables=12

# ---- what is there: tables, events, secrets, vaults live and deleted ----
i=0
while [ $i -lt $tables ]; do
    i=$((i + 1))
    printf '{"Computer":"row-%s"}\n' $i >rows.jsonl
    run ingest --bootstrap "$boot" --table "Rotated${i}_CL" rows.jsonl
    ends 0
done
printf 'an event\n' >event
run events send --bootstrap "$boot" events event
ends 0
ran vaults "$tool" "$boot" vaults 40
ends 0
ran work "$client" "$boot" work before 1
ends 0
cp out before

reads() # WHEN
{
    i=0
    while [ $i -lt $tables ]; do
        i=$((i + 1))
        # Standard input is none, so that the next word is a query.
        run query --bootstrap "$boot" --format csv "Rotated${i}_CL | project Computer"
        grep -q "row-$i" out || fail "$1: table $i cannot be read"
    done
    run events peek --bootstrap "$boot" events
    has 'an event'
    ran check "$client" "$boot" check before
    ends 0
    ran 'check of vaults' "$tool" "$boot" look 40
    ends 0
}
# In the folder: the generations that wrapped keys of tables and hubs name. 16 bytes of id, then a wrapped key (docs/formats.md).
generations()
{
    find "$data/tables" "$data/hubs" -name key -exec od -An -tu4 -j20 -N4 {} \; | sort -u | tr -d ' ' | tr '\n' ' '
}
# until_status TEXT - waits until the status says so.
until_status()
{
    tries=0
    vault status
    until grep -qF -- "$1" out; do
        tries=$((tries + 1))
        if [ $tries -gt 150 ]; then
            tail -n 5 log
            fail "'$1' does not come"
            return
        fi
        sleep 0.1
        vault status
    done
}
reads 'at first'
vault status
has 'root generation 1'
[ "$(generations)" = '1 ' ] || fail "generations at first: $(generations)"
vault drop-generation 1 --days 0
ends 1
says GenerationUnfit

# ---- twice, under load, the second time with kill -9 in the middle ----
"$client" "$boot" work during 6 >during 2>during.err &
load=$!
vault rotate-root
has 'generation 2'
vault drop-generation 1 --days 0
ends 1
says RewrapUnfinished
until_status 'wrapped keys are under generation 2'
reads 'after the first'
[ "$(generations)" = '2 ' ] || fail "generations after the first: $(generations)"
vault rotate-root
has 'generation 3'
# A few are done by then, the rest by the next server.
tries=0
until generations | grep -q 3 || [ $tries -gt 100 ]; do
    tries=$((tries + 1))
    sleep 0.02
done
kill -9 "$supervisor" "$(child server)" "$(child keeper)" 2>/dev/null
wait "$supervisor" 2>/dev/null
server_start
until_status 'wrapped keys are under generation 3'
has 'all '
wait $load
ran check "$client" "$boot" check during
ends 0
reads 'after the second'
[ "$(generations)" = '3 ' ] || fail "generations after the second: $(generations)"

# ---- the older ones go ----
run backup --data "$data" "$dir/copy"
ends 0
tries=0
vault drop-generation 2
while [ "$status" != 0 ] && [ $tries -lt 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
    vault drop-generation 2
done
ends 0
has 'generations 1 to 2 are retired, and go in 168 hours'
reads 'while they are retired'
vault keep-generations
ends 0
if grep -q retired out; then fail 'it was not taken back'; fi
vault drop-generation 2 --days 0
ends 0
has 'generations up to 2 were dropped'
server_stop
server_start
reads 'after the drop'
vault status
has 'generation 3'
run doctor --data "$data"
has 'generation 3'
for line in root.rotated rewrap.begun rewrap.ended root.retired root.kept root.dropped; do
    grep -q "\"$line\"" "$data/keeper/audit.log" || fail "no line $line"
done
[ "$(grep -c rewrap.ended "$data/keeper/audit.log")" -lt 10 ] || fail 'a line for each key'
# The backup has the generations of its time, and opens with its own folder of the keeper.
server_stop
run restore "$dir/copy" --data "$dir/again"
ends 0
data=$dir/again
server_start
boot=$data/bootstrap.json
reads 'the backup'
conclude
