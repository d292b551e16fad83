#!/bin/sh
# Management commands in the embedded mode: what they make, show and change in a store, and how they fail.
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
own_folder
cp -r docs/commands.md tools/commands-doc "$dir" || exit
cd "$dir" || exit

# The manual has the table of the program's own commands.
cp commands.md written.md
ran commands-doc ./commands-doc "$ringfort" "$dir/written.md"
ends 0
cmp -s commands.md written.md || fail 'docs/commands.md is old: run tools/commands-doc'

kql() { run query --data db --format csv "$@"; }
# what TEXT - the last column's cells of the last answer, without the header.
cells() { sed 1d out | awk -F, '{ print $NF }'; }
shows() { [ "$(cells)" = "$1" ] || fail "wanted $1"; }
# good KQL, bad KQL - runs it and expects success or failure.
good() { kql "$1"; ends 0; silent; }
bad() { kql "$1"; ends 1; }

# ---- tables ------------------------------------------------------------------------------------------------------
good '.create table T (TimeGenerated:datetime, a:long, s:string, d:dynamic) with (folder="f", docstring="what it is")'
good '.show tables'
prints 'TableName,DatabaseName,Folder,DocString\nT,db,f,what it is\n'
good '.create table T (other:long)'
good '.show table T cslschema | project Schema'
prints 'Schema\n"TimeGenerated:datetime,a:long,s:string,d:dynamic"\n'
good '.create-merge table T (b:real)'
good 'T | getschema | project ColumnName, ColumnType'
prints 'ColumnName,ColumnType\nTimeGenerated,datetime\na,long\ns,string\nd,dynamic\nb,real\n'
bad '.create-merge table T (b:string)'
says '.alter column T.b type = string changes it'
bad '.alter-merge table Nosuch (b:string)'
says "Table 'Nosuch' could not be found"
bad '.create table U (a:long, a:string)'
bad ".create table ['a\$b'] (a:long)"

# ---- rows --------------------------------------------------------------------------------------------------------
good '.ingest inline into table T <|
2026-01-01T00:00:00Z,1,x,"{""k"":1}",0.5
2026-01-02T00:00:00Z,2,"a,b",,
2026-01-03T00:00:00Z,3,z,,'
good '.ingest inline into table T with (format="psv", ignoreFirstRecord=true) <|
t|a|s|d|b
2026-01-04|4|p||'
good '.ingest inline into table T with (format="multijson") <|
[{"a":5,"s":"j","d":{"k":5}},
 {"a":6,"extra":1}]'
good '.ingest inline into table T with (format="json", ingestionMapping='"'"'[{"column":"a","path":"$.x.y"},{"column":"s","path":"$.n"}]'"'"') <|
{"x":{"y":7},"n":"mapped"}'
good 'T | sort by a asc | project a, s, k = d.k'
prints 'a,s,k\n1,x,1\n2,"a,b",\n3,z,\n4,p,\n5,j,5\n6,,\n7,mapped,\n'
bad '.ingest inline into table T <| 2026-01-01,1,2,3,4,5,6,7,8'
says 'cannot be read'
bad '.ingest inline into table T with (format="parquet") <| x'
bad '.ingest inline into table Nosuch <| 1'
good 'T | count'
shows 7

good '.set U <| T | where a <= 3 | project a, s'
bad '.set U <| T'
says "Table 'U' already exists"
bad '.append Nosuch <| T'
good '.append U <| print other = 9, text = "by place"'
bad '.append U <| print a = "text"'
says "the column 'a' is string in the query and long in the table"
bad '.append U <| T | extend z = 1 | project a, z'
good '.append U with (extend_schema=true) <| T | where a == 1 | extend z = 5 | project a, z'
good 'U | summarize count(), sum(a), sum(z)'
prints 'count_,sum_a,sum_z\n5,16,5\n'
good '.set-or-replace U <| U | where a == 9 | project a, s'
good 'U'
prints 'a,s,z\n9,by place,\n'
good '.set-or-append Names <| .show tables | project TableName'
good 'Names | count'
shows 2
bad '.set-or-append Names <| .drop table T'
good 'T | count'
shows 7

# ---- columns, names ----------------------------------------------------------------------------------------------
good '.alter column U.a type = string'
good '.rename column U.s to text'
good '.drop column U.z'
good 'U'
prints 'a,text\n9,by place\n'
bad '.drop column U.nosuch'
good '.drop column U.nosuch ifexists'
good '.drop table T columns (b, d)'
good '.alter table T (a:long, s:string, more:bool)'
good 'T | summarize sum(a) | extend n = toscalar(T | getschema | summarize make_list(ColumnName))'
prints 'sum_a,n\n28,"[""a"",""s"",""more""]"\n'
bad '.rename table T to U'
good '.rename tables U=T, T=U'
good 'U | count'
shows 7
good '.show tables | where Folder == "f" | project TableName'
shows U
good '.rename table T to Old'
good '.drop table Old'
prints 'TableName,DatabaseName\nNames,db\nU,db\n'
bad '.drop tables (Old, Names)'
good 'Names | count'
shows 2
good '.drop tables (Old, Names) ifexists'
good '.alter-merge table U policy retention softdelete = 30d'
good '.show table U policy retention | project Policy'
has '30.00:00:00'
good '.clear table U data'
good 'U | count'
shows 0
good '.show table U policy retention | project Policy'
has '30.00:00:00'
good '.delete table U policy retention'
bad '.alter table U policy retention "{}"'

# A rewrite that was cut short: what is in place stays.
good '.set-or-append U <| range a from 1 to 3 step 1'
cp -r db/U 'db/U%24new'
good '.alter table U docstring "x"'
[ ! -e 'db/U%24new' ] || fail 'half a rewrite is left'
mv db/U 'db/U%24old'
good '.alter table U docstring "y"'
good 'U | count'
shows 3

# ---- functions ---------------------------------------------------------------------------------------------------
good '.create function with (folder="x", docstring="what") F(n:long = 1) { U | where a > n }'
good 'F(2) | count'
shows 1
bad '.create function F() { U }'
good '.create function ifnotexists F() { U }'
good 'F | count'
shows 2
bad '.create-or-alter function Bad() { U | where }'
good '.show function F | project Parameters, Folder, DocString'
prints 'Parameters,Folder,DocString\n(n:long = 1),x,what\n'
good '.show database schema as csl'
has '.create-or-alter function with (folder=""x"", docstring=""what"") F(n:long = 1)'
good '.drop function F'
bad 'F'
bad '.drop function F'
good '.drop function F ifexists'

# ---- purges ------------------------------------------------------------------------------------------------------
good '.set P <| range i from 1 to 5000 step 1 | extend s = strcat("user", i % 10)'
good '.purge table P records <| where s == "user3" and i > 100'
token=$(sed -n '2s/.*,//p' out)
grep -q '^490,' out || fail 'wanted 490 rows'
good 'P | count'
shows 5000
bad ".purge table P records with (verificationtoken='$token') <| where s == 'user4'"
good ".purge table P records with (verificationtoken='$token') <| where s == \"user3\" and i > 100"
has 'Purge completed successfully: 490 rows; proof '
good 'P | summarize count(), countif(s == "user3")'
prints 'count_,countif_\n4510,10\n'
bad ".purge table P records with (verificationtoken='$token') <| where s == \"user3\" and i > 100"
good ".purge table P records in database db with (noregrets='true') <| where i <= 5 or s has 'user9'"
good 'P | count'
shows 4005
bad ".purge table P records with (noregrets='true') <| where i in (P | project i)"
bad ".purge table P records with (noregrets='true') <| where rand() > 0.5"
bad ".purge table P records with (noregrets='true') <| where i > 1 | take 1"
bad ".purge table P records with (noregrets='true') <| where nosuch > 1"
says '  .purge'
bad ".purge table P records in database other with (noregrets='true') <| where i > 1"
good '.show purges | project State'
prints 'State\nCompleted\nCompleted\n'
[ "$(grep -c '\\"holds\\":true' db/purges.jsonl)" = 2 ] || fail 'both proofs hold'
cp db/purges.jsonl keep
sed 's/user9/user8/' keep >db/purges.jsonl
bad '.show purges'
says 'line 2 is not what was written'
sed 1d keep >db/purges.jsonl
bad ".purge table P records with (noregrets='true') <| where i > 1"
cp keep db/purges.jsonl
good '.purge table P allrecords with (noregrets=true)'
good 'P | count'
shows 0

# A purge that was cut short goes on with the next change.
good '.set Q <| range i from 1 to 10 step 1'
printf '{"operationId":"11111111-1111-1111-1111-111111111111","database":"db","table":"Q","predicate":"where i <= 4","caller":"x",
"asked":"2026-01-01T00:00:00Z","before":{"rows":10,"digest":1},"met":{"rows":4,"digest":1}}' >db/purge.json
good '.alter table Q docstring "x"'
good 'Q | count'
shows 6
[ ! -e db/purge.json ] || fail 'the purge goes on for ever'
good '.show purges 11111111-1111-1111-1111-111111111111 | project TableName, ScheduledTime'
prints 'TableName,ScheduledTime\nQ,2026-01-01T00:00:00.0000000Z\n'

# ---- scripts, errors, files ----------------------------------------------------------------------------------------
good '.execute database script <|
// first
.create-merge table A (x:long)
.set-or-append A <| range x from 1 to 3 step 1
   | where x > 1

.show tables
.drop table Nosuch
.drop table A'
[ "$(grep -cE ',(Completed|Skipped|Failed),' out)" = 5 ] || fail 'wanted five outcomes'
good 'A | count'
shows 2
good '.execute database script <|
.create-or-alter function G() { B | count }
.set B <| range x from 1 to 5 step 1
.set C <| G'
good 'C'
prints 'Count\n5\n'
bad '.show tabels'
says "did you mean 'tables'?"
bad '.show queries'
says 'is not offered here'
bad '.export to csv ("x") <| A'
bad '.show tables | where nosuch == 1'
says '  .show tables'
good '// a comment
.show version | project ServiceType'
shows Embedded
good '.show databases | project DatabaseName, IsCurrent'
prints 'DatabaseName,IsCurrent\ndb,true\n'
good '.show table A extents | project RowCount'
good '.show tables (A) details | project TotalRowCount'
shows 2
bad '.show database Nosuch schema'

printf '{"a":1,"b":"x"}\n' >F.jsonl
run query --file F.jsonl --format csv '.show table F cslschema | project Schema'
ends 0
prints 'Schema\n"a:long,b:string"\n'
run query --file F.jsonl '.drop table F'
ends 1
says '--data DIR'
run query --data none --format csv '.show tables'
ends 0
run query --data none 'print 1'
ends 1
says 'there is no store'
conclude
