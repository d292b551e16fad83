#!/bin/sh
# Paths of a dynamic column (D.a.b) over a table of the store, which keeps the values by their shapes and reads only what lies at a
# path, give the same as over the file that the table was made of: events of several kinds whose values hardly repeat.
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
own_folder
cd "$dir" || exit

run query --format jsonl 'range x from 0 to 149999 step 1
    | extend TimeGenerated = datetime(2024-01-01) + x * 1s, id = strcat(hash(x), "-", x), user = strcat("CORP\\user", hash(x) % 400)
    | project TimeGenerated, x, few = bag_pack("k", x % 7, "v", strcat("t", x % 3)), D = case(
        x % 997 == 0, bag_pack(strcat("key", x), x, "odd", true),
        x % 5 < 2, bag_pack("id", id, "pid", hash(x) % 500, "user", user, "net", bag_pack("port", hash(x, 60000), "ip", strcat("10.0.", x % 200, ".", hash(x, 250)))),
        x % 5 == 2, bag_pack("id", id, "pid", iff(x % 10 == 2, dynamic(null), x % 500), "tags", pack_array(x % 3, "a", user), "real", x / 8.0),
        x % 5 == 3, bag_pack("id", id, "user", user, "net", strcat("none ", x), "ok", x % 2 == 0),
        bag_pack("id", id, "message", strcat("line ", x, " of ", user), "user", iff(x % 4 == 0, dynamic(null), user)))'
ends 0
mv out t.jsonl
run ingest --data data --table T t.jsonl; ends 0; has '150000 rows'
run fsck --data data; ends 0

# like_file QUERY - the table and its file give the same, and some rows. Rows may come in any order.
like_file()
{
    run query --format csv --data data "$1"
    ends 0
    sort out >store
    run query --format csv --file t.jsonl=T "$1"
    ends 0
    [ "$(wc -l <store)" -gt 1 ] || fail 'no rows'
    sort out | cmp -s - store || fail 'the table gives another answer'
}

like_file 'T | summarize count() by tostring(D.user)'
like_file 'T | summarize count(), dcount(tostring(D.id)), max(tolong(D.net.port)) by tostring(D.pid)'
like_file 'T | where D.pid == 77 | project x, D'
like_file 'T | where D.net.port > 59000 and tostring(D.user) endswith "7" | project x, D.user, D.net'
like_file 'T | project x, D.id, D["user"], D.net.ip, D["net"]["port"], D.tags, D.tags[2], D.real, D.ok, D.missing.y, D.id.z, D.odd'
like_file 'T | extend E = parse_json(D) | extend N = todynamic(E.net) | where N.port between (10 .. 2000) | project x, E.user, N.ip'
like_file 'T | extend p = tolong(D.pid) | where p > 490 | summarize take_any(1) by p, u = tostring(D.user)'
like_file 'T | where tostring(D) has "line" and x > 149000'
like_file 'T | where D has "user77" | project x, D.message'
like_file 'T | where x % 1000 == 3 | sort by tostring(D.id) asc | extend n = row_number() | project n, x, D.id'
like_file 'T | where x < 2000 and isnotnull(D.pid) | sort by tostring(D.id) asc'
like_file 'T | where x < 300 and D.ok == true | getschema'
like_file 'T | top 20 by tostring(D.id) asc | project x, D.user'
like_file 'T | summarize arg_max(tolong(D.pid), x, D) by tostring(D.user)'
like_file 'T | where D.pid == 5 | extend user = tostring(D.user) | join kind=inner (T | where D.pid == 105 | project y = x, user = tostring(D.user)) on user | project x, y'
like_file 'union (T | where D.pid == 1), (T | where D.ok == true and x < 900) | project x, D.id, D.ok'
like_file 'T | where x < 5000 | mv-expand t = D.tags | summarize count() by tostring(t)'
like_file 'T | where x < 5000 | mv-apply t = D.tags on (where tostring(t) startswith "CORP") | project x, t, D.user'
like_file 'let m = T | where D.pid < 3; m | summarize count() by tostring(D.pid), k = tolong(few.k)'
like_file 'let m = materialize(T | where D.pid < 3 | project x, D); union (m | summarize n = count() by u = tostring(D.user)), (m | where D.net.port > 3 | project u = tostring(D.id))'
like_file 'let f = (d: dynamic) { strcat(d.user, "/", d.net.ip) }; T | where x < 3000 | project f(D), f(D.net)'
like_file 'T | where tostring(D.user) in ((T | where D.pid == 9 | project tostring(D.user))) | summarize count() by tostring(D.user)'
like_file 'print n = toscalar(T | where D.pid == 9 | summarize max(tolong(D.net.port)))'
like_file 'T | summarize count() by tostring(few.v), few.k == 3'
like_file 'T | project-away TimeGenerated | where few.k == 2 and D.ok == true | project-rename Z = D | project x, Z.id, Z.net'
like_file 'T | extend D = D.net | where isnotempty(D.ip) | summarize count(), max(tolong(D.port))'
like_file 'T | where x < 4000 | as A | where D.pid == 2 | union (A | where D.pid == 3) | project x, D.id'
like_file 'T | where bag_has_key(D, "odd") or D.pid == 1 | summarize count() by tostring(D.odd)'

# Rows of the journal, and both merged.
head -n 700 t.jsonl >more.jsonl
run ingest --data data --table T more.jsonl; ends 0
cat more.jsonl >>t.jsonl
like_file 'T | where x < 900 | project x, D.user, D.net.port, few.k'
run merge --data data T; ends 0
run fsck --data data; ends 0
like_file 'T | where x < 900 | project x, D.user, D.net.port, few.k, D'
like_file 'T | summarize count() by tostring(D.user)'
conclude
