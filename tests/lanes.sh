#!/bin/sh
# Several processors give the same rows in the same order as one: a table of several blocks, asked both ways. What a scan
# of the store leaves out or reads last changes nothing either: the file that the table was made of gives the same.
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
needs_program taskset
own_folder
cd "$dir" || exit

run query --format jsonl 'range x from 0 to 299999 step 1
    | project TimeGenerated = datetime(2024-01-01) + x * 1s, x, h = hash(x) % 1000, word = strcat("w", hash(x) % 977),
        note = strcat("row ", x, " of ", hash(x)), bag = bag_pack("k", x % 7, "v", tostring(hash(x, 31)))'
ends 0
mv out t.jsonl
run ingest --data data --table T t.jsonl; ends 0; has '300000 rows'
cpu=$(taskset -cp $$ | sed 's/.*: \([0-9]*\).*/\1/')

# alike OTHER WHAT - the file OTHER holds what the last run wrote, to the byte.
alike()
{
    cmp -s "$1" out && return
    diff "$1" out >err
    fail "$2"
}

# same QUERY - the answers with one processor and with all are equal, and not empty.
same()
{
    ran "ringfort query '$1' on one processor" taskset -c "$cpu" "$ringfort" query --data data "$1"
    ends 0
    mv out one
    run query --data data "$1"
    ends 0
    [ "$(wc -l <out)" -gt 1 ] || fail 'no rows'
    alike one 'one processor gives another answer'
}

# like_file QUERY - the table and its file give the same; the query must order its rows.
like_file()
{
    same "$1"
    mv out all
    run query --file t.jsonl=T "$1"
    ends 0
    alike all 'the table gives another answer'
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
for kind in inner innerunique leftouter rightouter fullouter; do
    same "T | where h < 40 | join kind=$kind (T | where h > 20 and h < 60 and x % 7 == 0 | project word, h, y = x) on word, h | project x, y"
    same "T | where h < 40 | join kind=$kind (T | where h < 5 | project word, y = x) on word | summarize make_list(x, 9), sum(y) by h"
done
for kind in leftsemi leftanti rightsemi rightanti; do
    same "T | where h < 40 | join kind=$kind (T | where h > 20 and h < 60 | project word, h, y = x) on word, h | project word, h"
done
same 'T | join (T | where h < 5 | project word, y = x) on word | join kind=leftouter (T | where h == 7 | project word, z = x) on word | project x, y, z'
same 'T | lookup (T | summarize c = count(), s = strcat("site ", take_any(h) % 9) by word) on word | summarize count(), sum(c) by s'
same 'T | where word in (T | where h < 7 | project word) | project x'
same 'T | where x % 3 == 0 | sort by word desc, h asc | project x, word' # more rows than are sorted alone
same 'T | sort by note desc | project x'
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
# Rows of a union's first table come before those of its second, whatever the lane.
both='union (T | extend s = 1), (T | where h != 4 | extend s = 2), (T | where x % 2 == 0 | extend s = 3)'
like_file "$both | where h < 9 | summarize make_list(x), make_list(s), arg_max(h, x, s), arg_min(s % 2, x), take_any(x) by word | sort by word asc"
like_file "$both | where h < 9 | summarize make_list(x), make_set(note, 20), arg_max(h, x, s), make_bag(bag), dcount(note), sum(x)"
like_file "$both | summarize arg_max(h, x, s), take_any(note, s), count() by k = tolong(bag.k), w = strlen(word)"
# Aggregates take rows again after their lanes were joined.
like_file "$both | summarize percentile(x, 50), percentiles(h, 5, 95), percentilesw(h, s, 50), percentiles_array(x % 77, 10, 90), dcount(x), dcount(x, 4), count_distinct(x % 1000) by s | sort by s asc"
like_file "$both | summarize percentile(h, 50), percentiles(x % 100, 5, 95), dcount(note), round(stdev(h), 6), round(variance(x % 100), 6), buildschema(bag), binary_all_xor(x), countif(h > 7), sumif(x, h > 7), avg(x) by word | sort by word asc"
like_file "$both | summarize a = hll(x), t = tdigest(h) by word | sort by word asc | project word, dcount_hll(a), percentile_tdigest(t, 50)"
like_file "$both | where h < 3 | summarize make_list_if(x, s == 2), make_list_with_nulls(tolong(bag.k)), make_set(bag), take_anyif(note, x > 9000), arg_max(s, *) by word | sort by word asc"
like_file "$both | distinct word, h"
like_file "$both | top 20 by h asc | project x, s, h" # ties in plenty
like_file "$both | top 700 by h % 3 desc, strlen(word) asc | project x, s, note"
like_file "$both | top 20 by h desc, s desc | summarize make_list(x)"
like_file "$both | where h == 7 | take 400 | summarize make_list(x), make_list(s)"
like_file "$both | where h == 7 | project x, s"
like_file 'T | mv-expand b = pack_array(x, h) to typeof(long) | take 5000 | summarize make_list(b)'
like_file 'T | where h < 40 | partition hint.strategy=native by h (take 3) | summarize make_list(x)'
conclude
