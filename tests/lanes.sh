#!/bin/sh
# Several processors give the same rows in the same order as one: a table of several blocks, asked both ways. What a scan
# of the store leaves out or reads last changes nothing either: the file that the table was made of gives the same.
set -u
cd "$(dirname "$0")/.." || exit
ringfort=${RINGFORT:-build/ringfort}
command -v taskset >/dev/null 2>&1 || { echo "taskset is not here"; exit 77; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failures=0

"$ringfort" query --format jsonl 'range x from 0 to 299999 step 1
    | project TimeGenerated = datetime(2024-01-01) + x * 1s, x, h = hash(x) % 1000, word = strcat("w", hash(x) % 977),
        note = strcat("row ", x, " of ", hash(x)), bag = bag_pack("k", x % 7, "v", tostring(hash(x, 31)))' >"$dir/t.jsonl" &&
    "$ringfort" ingest --data "$dir/data" --table T "$dir/t.jsonl" >"$dir/out" 2>&1 || { cat "$dir/out"; exit 1; }

# same QUERY - the answers with one processor and with all are equal byte for byte, and not empty.
same()
{
    taskset -c "$(taskset -cp $$ | sed 's/.*: \([0-9]*\).*/\1/')" "$ringfort" query --data "$dir/data" "$1" >"$dir/one" 2>&1
    "$ringfort" query --data "$dir/data" "$1" >"$dir/all" 2>&1
    cmp -s "$dir/one" "$dir/all" && [ "$(wc -l <"$dir/one")" -gt 1 ] && return
    failures=$((failures + 1))
    printf 'FAILED: %s\n' "$1"
    diff "$dir/one" "$dir/all" | head -n 6 | cut -c 1-200
}

# like_file QUERY - the table and its file give the same; the query must order its rows.
like_file()
{
    same "$1"
    "$ringfort" query --file "$dir/t.jsonl=T" "$1" >"$dir/file" 2>&1
    cmp -s "$dir/file" "$dir/all" && return
    failures=$((failures + 1))
    printf 'FAILED, unlike the file: %s\n' "$1"
    diff "$dir/file" "$dir/all" | head -n 6 | cut -c 1-200
}

same 'T | where h < 3'
same 'T | where h != 3 | project x, note' # more than a lane keeps before its turn
same 'T | where h < 30 | take 1000'
same 'T | where word == "w5" and x > 250000 | project note, bag.v | take 7'
same 'T | top 20 by h desc, x asc'
same 'T | sort by h asc, word desc | take 300'
same 'T | where bag.k == 3 | top 50 by word asc | project x, word'
same 'T | summarize count(), sum(x), dcount(word), make_set(h, 5), arg_max(x, note) by bin(x, 30000)'
same 'T | summarize percentiles(h, 5, 50, 95), take_any(note) by tostring(bag.k)'
same 'T | where h < 50 | join kind=inner (T | where h < 5 | project h, y = x) on h | summarize count(), sum(y)'
same 'T | distinct word'
same 'T | where x > 299000 | extend p = prev(x) | where x - p != 1 or isnull(p) | project x, p'
same 'T | where h == 1 | mv-apply b = pack_array(x, h) on (summarize s = sum(tolong(b))) | project x, s'
like_file 'T | summarize arg_max(TimeGenerated, *) by word | sort by word asc'
like_file 'T | where h < 900 | summarize arg_max(TimeGenerated, note, h) by word | sort by word asc'
like_file 'T | summarize arg_max(h, x, note) by word | sort by word asc' # ties in plenty
like_file 'T | summarize arg_min(h, x, note) by word | sort by word asc'
like_file 'T | summarize arg_max(h, x), arg_min(h, x), count()'
like_file 'T | summarize arg_max(TimeGenerated, note) by h, word | summarize count(), sum(strlen(note))'
like_file 'T | where note has "299" and h > 10 | sort by x asc | take 50'
like_file 'T | top 30 by h desc, note asc | project x, note, bag'
like_file 'T | where word in ("w1", "w2") and bag.v != "3" and x % 11 == 0 | sort by x desc'
[ $failures = 0 ] || exit 1
echo 'lanes: all answers are the same'
