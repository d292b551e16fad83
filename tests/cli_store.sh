#!/bin/sh
# The store from the command line: loading, resuming, schemas, keys, upkeep, and that queries answer alike over files,
# over the journal and over extents.
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
own_folder
cd "$dir" || exit

# ---- wrong use ----------------------------------------------------------------------------------------
run ingest; ends 2; says '--data DIR is needed'
run ingest --data s x; ends 2; says '--table T is needed'
run ingest --data s --table T; ends 2; says 'a file is needed'
run ingest --data s --table T missing.jsonl; ends 1; says 'missing.jsonl'
run tables --data nowhere; ends 1; says 'there is no store in nowhere'
run stats --data s Nothing; ends 1; says "no table 'Nothing'"
run retention --data s T; ends 2
run retention --data s T soon; ends 2; says "'soon' is no time"
run fsck; ends 2
run query --data nowhere 'print 1'; ends 1
rm -rf s

# ---- one table, in all its states, against the file ----------------------------------------------------
# 6000 rows over 60 days, with texts, numbers, nulls, nested values, letters beyond ASCII and of either case.
awk 'BEGIN {
    split("Anna anna BERTA Zo\303\253 zo\303\253 carl-gustaf \342\204\252elvin", name, " ")
    split("started the service|failed logon for user|powershell -enc SQBFAFgA|C:\\\\Windows\\\\System32\\\\cmd.exe /c dir|", text, "|")
    for (i = 0; i < 6000; i++) {
        printf "{\"TimeGenerated\":\"2025-%02d-%02dT%02d:%02d:00Z\",\"Number\":%d,\"Real\":%s,\"User\":\"%s\",\"Message\":\"%s %d\"",
            1 + int(i / 3100), 1 + int(i % 3100 / 110), i % 24, i % 60, i % 977, i % 7 == 0 ? "null" : i / 8, name[1 + i % 7], text[1 + i % 5], i % 250
        if (i % 3 == 0) printf ",\"Flag\":%s", i % 2 ? "true" : "false"
        printf ",\"Bag\":{\"code\":%d,\"list\":[%d,\"x\"]}}\n", i % 4, i
    }
}' >T.jsonl
cat >queries <<'END'
T | count
T
T | where TimeGenerated >= datetime(2025-01-20) and TimeGenerated < datetime(2025-01-21T12:00)
T | where TimeGenerated between (datetime(2025-02-03) .. 2d) | summarize count(), sum(Number) by User | order by User asc
T | where datetime(2025-02-20) < TimeGenerated | count
T | where Number == 500 | project TimeGenerated, Number, Message
T | where Number in (1, 2, 900) and Real > 3 | count
T | where Real <= 2.5 | project Real
T | where isnull(Real) | count
T | where Flag | count
T | where Flag == false and Number > 5 | count
T | where isnull(Flag) | count
T | where User == "Anna" | count
T | where User =~ "ANNA" | count
T | where User =~ "zo\u00cb" | count
T | where User in~ ("berta", "CARL-GUSTAF") | count
T | where User in ("anna", "nobody") | count
T | where User =~ "kelvin" | count
T | where User == "" | count
T | where User has "gustaf" | count
T | where User has "Kelvin" | count
T | where Message has "POWERSHELL" | count
T | where Message has_cs "POWERSHELL" | count
T | where Message has "failed logon" | count
T | where Message has "system32" and Message has "exe" | count
T | where Message has "249" | count
T | where Message has "" | count
T | where Message has_any ("enc", "logon") | count
T | where Message has_any ("nothing", "c:\\windows") | count
T | where Message has_all ("logon", "user", "17") | count
T | where Message contains "ogon fo" | count
T | where Message contains_cs "SQBF" | count
T | where Message contains "SQBFAFGA" | count
T | where Message startswith "c:" | count
T | where Message startswith_cs "c:" | count
T | where Message endswith " 42" | count
T | where Message !has "logon" and User !contains "a" | count
T | where Message has "absent" or Number == 3 | count
T | where tostring(Bag.code) == "2" | count
T | where Bag.list[0] == 77 | project Bag
T | summarize count() by bin(TimeGenerated, 7d) | order by TimeGenerated asc
T | top 5 by TimeGenerated desc, Number asc | project TimeGenerated, Number
search "powershell" | count
T | where * has "carl" | count
END
same() # WHAT
{
    while read -r query; do
        run query --file T.jsonl "$query"
        sort out >from_file
        [ $status = 0 ] || fail "it fails over the file"
        run query --data s "$query"
        sort out | cmp -s from_file - || fail "the answer over $1 is another one"
    done <queries
}
run ingest --data s --table T T.jsonl; ends 0; has '6000 rows'
run stats --data s T; ends 0; has '6000 of them in the journal'
same 'the journal'
run merge --data s; ends 0
run stats --data s T; has 'extents    1'
same 'an extent'
run fsck --data s; ends 0; prints 'T: sound\n'

# Half of the rows in an extent, half in the journal.
head -n 3000 T.jsonl >first.jsonl
tail -n +3001 T.jsonl >second.jsonl
rm -r s
run ingest --data s --table T first.jsonl; ends 0
run merge --data s T; ends 0
run ingest --data s --table T second.jsonl; ends 0
same 'an extent and a journal'
run query --data s --stats 'T | where TimeGenerated > datetime(2026-01-01) | count'; ends 0; says ' 0 rows and'
run query --data s --stats 'T | count'; says ' 6000 rows and 0.0 MB read'

# ---- taking a file once --------------------------------------------------------------------------------
run ingest --data s --table T first.jsonl second.jsonl; ends 0; says 'first.jsonl: already ingested'; has '0 rows'
head -n 1 T.jsonl >>second.jsonl
run ingest --data s --table T second.jsonl; ends 0; says 'went on behind the 3000 rows'; has '1 rows'
run ingest --data s --table T --again second.jsonl; ends 0; has '3001 rows'
head -n 5 T.jsonl >in; run ingest --data s --table T -; ends 0; has '5 rows'

# ---- columns, rejects, other formats ----------------------------------------------------------------------
printf '{"User":"x","New":1.5}\noops\n{"User":7,"Number":"12"}\n' >more.jsonl
run ingest --data s --table T more.jsonl; ends 0; says '1 row could not be read: see s/T/rejected.jsonl'
grep -q '"line":2,.*"text":"oops"' s/T/rejected.jsonl || fail 'the reject is not told'
run schema --data s T; ends 0; has 'New	real'
run query --data s 'T | where isnotnull(New) or Number == 12 and User == "7" | project User, New'; prints 'User,New\nx,1.5\n7,\n'
printf 'a,b\n1,x\n2,"y\nz"\n' | gzip >c.csv.gz
run ingest --data s --table C c.csv.gz; ends 0
run query --data s 'C | order by a asc'; prints 'a,b\n1,x\n2,"y\nz"\n'
printf '[{"a":1},\n {"a":2,"b":"late"}]' >array.json
run ingest --data s --table A array.json; ends 0
run query --data s 'A | order by a asc'; prints 'a,b\n1,\n2,late\n'
printf '{"name":"S","columns":[{"name":"a","type":"string"},{"name":"z","type":"datetime"}]}' >S.json
run ingest --data s --table S --schemas . array.json; ends 0
run query --data s 'S | where z == datetime(2020-01-01) or a == "2"'; prints 'a,z\n2,\n'
printf '{"name":"C","columns":[{"name":"a","type":"datetime"}]}' >other.json
run ingest --data s --table C --schema other.json c.csv.gz array.json; ends 1; says "is of type long, not datetime"
# Of a key that comes twice the last value counts; an empty text is a missing value.
printf '{"name":"M","columns":[{"name":"Port","type":"long"},{"name":"At","type":"datetime"}]}' >M.json
printf '{"Port":1,"At":"soon"}\n{"Port":"abc"}\noops\n{"Port":"x","Port":5}\n{"Port":"","At":null}\n{"Port":[2]}\n' >M.jsonl
run ingest --data s --table M --schemas . M.jsonl; ends 0; has '5 rows'
says 'M.jsonl: 2 values of column "Port" were not a long and became null; first in line 2: "abc"'
says 'M.jsonl: 1 value of column "At" was not a datetime and became null; in line 1: "soon"'
run query --schemas . --file M.jsonl 'M | project Port'; ends 0; prints 'Port\n1\n\n5\n\n\n'
says 'M.jsonl: 2 values of column "Port" were not a long and became null; first in line 2: "abc"'
if grep -q '"At"' err; then fail 'a column that was not read is told of'; fi
printf 'Port,At\n1,2020-01-01\n,\n"4\n4",never\n' >M.csv
run ingest --data s --table M M.csv; ends 0
says 'M.csv: 1 value of column "Port" was not a long and became null; in line 4: "4\n4"'
printf '{"Port":1}\noops\n' >N.jsonl
run ingest --data s --table N --reject missing/rejects.jsonl N.jsonl; ends 1
if grep -q 'what was committed' err; then fail 'nothing was committed'; fi
: >empty.jsonl
run ingest --data s --table T empty.jsonl; ends 0; has '0 rows'
run tables --data s; ends 0; has 'T	9009 rows'

# ---- keys ------------------------------------------------------------------------------------------------------
printf '%064d' 7 >key
printf '%064d' 8 >wrong
echo short >bad
for word in '' merge; do
    [ -z "$word" ] || { run merge --data e --key-file key; ends 0; }
    [ -n "$word" ] || { run ingest --data e --table T --key-file key T.jsonl; ends 0; }
    run query --data e 'T | count'; ends 1; says 'is encrypted; give its key'
    run query --data e --key-file wrong 'T | count'; ends 1; says 'another key'
    run query --data e --key-file bad 'T | count'; ends 1; says 'holds no key'
    run query --data e --key-file key 'T | where Message has "powershell" | count'; prints 'Count\n1200\n'
    run fsck --data e --key-file key; ends 0
    ! grep -q powershell e/T/* || fail 'the rows can be read without the key'
done

# ---- retention and faults ------------------------------------------------------------------------------------------
run retention --data s C 90d; ends 0
run stats --data s C; has 'retention  90 days'
run retention --data s T 30d; ends 0
run merge --data s T; ends 0
run query --data s 'T | where isnotnull(TimeGenerated) | count'; prints 'Count\n0\n'
file=$(ls e/T/extent-*.rfx)
size=$(wc -c <"$file")
cp "$file" kept
# Another byte than the one that is there: encrypted ones are any.
other=X
[ "$(dd if="$file" bs=1 skip=$((size / 2)) count=1 2>/dev/null | od -An -c | tr -d ' ')" != X ] || other=Y
printf '%s' "$other" | dd of="$file" bs=1 seek=$((size / 2)) conv=notrunc 2>/dev/null
run fsck --data e --key-file key; ends 1; has "$file"
cp kept "$file"
truncate -s $((size - 10)) "$file"
run fsck --data e --key-file key; ends 1; has "$file"
run query --data e --key-file key 'T'; ends 1; says "$file"
rm "$file"
run fsck --data e --key-file key; ends 1; has "$file"
run query --data e --key-file key 'T'; ends 1

conclude
