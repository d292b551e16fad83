#!/bin/sh
# The command line as a user meets it: exit codes, what goes where, formats, files, messages.
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
own_folder
cd "$dir" || exit

# ---- commands ---------------------------------------------------------------------------------------
run; ends 2; says 'a command is needed'
run --help; ends 0; grep -q '^  query ' out || fail 'the help lists no query'
for name in $(sed -n '/^commands:/,/^$/s/^  \([a-z]*\)  .*/\1/p' out); do
    run "$name" --help; ends 0; grep -q "^usage: ringfort $name" out || fail 'no usage'
done
run --version; ends 0; grep -Eq '^ringfort [0-9]' out || fail 'no version'
run qurey; ends 2; says "did you mean 'query'"
run xyzzy; ends 2; says 'ringfort --help'
run help query; ends 0; grep -q -- '--tables DIR' out || fail 'the help of query lacks --tables'
run query; ends 2; says 'a query is needed'
run query --fromat csv 'print 1'; ends 2; says 'did you mean --format'
run query --format xml 'print 1'; ends 2; says "'xml' is not table, json"
run query --format; ends 2; says 'needs a value'
run query --stats=1 'print 1'; ends 2; says 'takes no value'
run query --max-memory lots 'print 1'; ends 2
run query --timespan P1X 'print 1'; ends 2
run query --now noon 'print 1'; ends 2
run query 'print 1' 'print 2'; ends 2; says 'two queries'

# ---- queries and formats ------------------------------------------------------------------------------
run query 'print x=1, y="a,b"'; ends 0; prints 'x,y\n1,"a,b"\n'; silent
echo 'print x=2' >in; run query -; ends 0; prints 'x\n2\n'
run query --format jsonl 'print x=1, y=dynamic([1,"b"])'; prints '{"x":1,"y":[1,"b"]}\n'
run query --format json 'print x=1'; prints '{"tables":[{"name":"PrimaryResult","columns":[{"name":"x","type":"long"}],"rows":[\n[1]]}]}\n'
run query --format table 'print x=1'; prints 'x\n─\n1\n(1 row)\n'
run query --format markdown 'print x=1'; prints '| x |\n| ---: |\n| 1 |\n'
run query --now 2025-01-31T12:00:00Z 'print now()'; prints 'print_0\n2025-01-31T12:00:00.0000000Z\n'
run query --stats 'print x=1'; ends 0; says 'rows'
run query --explain 'print x=1 | where x > 0'; ends 0; [ -s out ] || fail 'no plan'

# ---- errors -------------------------------------------------------------------------------------------
printf 'print x=1\n| where yy > 1\n' >in
run query --format json -; ends 1; prints ''; says 'line 2, column 9'; says '  | where yy > 1'; says '          ^'
run query 'Logs | count'; ends 1; says 'Logs'
run query 'print datetime(2024-01-01) > "2023"'; ends 1; says '> cannot compare datetime with string; convert one'
run query 'print "a" between ("b" .. "c")'; ends 1; says 'strcmp(a, b) tells the order of two texts'
run query 'print x="a" | summarize avg(x)'; ends 1; says 'avg cannot take (string)'
run query 'print array_length("[1]")'; ends 1; says 'array_length cannot take (string); it takes (array:dynamic)'
run query 'print iff(true, 1)'; ends 1; says 'iff takes a predicate, the value where it holds'
graph='datatable(a:string, b:string)["x", "y"] | make-graph a --> b | graph-match (n)-[e*1..2]->(m)'
run query "$graph project e.['\$in']"; ends 1; says "there is no column '\$in'"
run query "$graph project all(e, node_id() == '1')"; ends 1; says 'node_id takes a node'
run query "$graph project node_id(e)"; ends 1; says 'node_id takes a node'
run query "$graph project labels(3)"; ends 1; says 'labels takes a node or an edge'
outside='inline_external_table(a:long) kind=storage'
run query "$outside dataformat=csv ('https://store/a.csv?sig=1234')"; ends 0; prints 'a\n'; says "'https://store/a.csv' is no place that inline_external_table may read"
run query "$outside ('https://store/a')"; ends 1; says 'needs columns and a dataformat'
run query "$outside dataformat=csv ()"; ends 1; says 'a connection is needed'
run query "$outside partition by (d:real) dataformat=csv ('https://store/a')"; ends 1; says 'a partition is'
run query "$outside partition by (d:long = b) dataformat=csv ('https://store/a')"; ends 1; says "'b'"
run query "$outside pathformat=('x' d) dataformat=csv ('https://store/a')"; ends 1; says 'a path is made of'
run query "inline_external_table kind=delta dataformat=csv ('https://store/a')"; ends 1; says 'kind=delta knows'
run query "inline_external_table kind=delta ('https://store/a', 'https://store/b')"; ends 1; says 'one connection'
run query "inline_external_table kind=blob ('https://store/a')"; ends 1; says 'kind is storage or delta'
run query 'evaluate infer_storage_schema_with_suggestions(dynamic({}))'; ends 1; says 'infer_storage_schema_with_suggestions is not available'
run query 'print t="a=1" | parse-kv t as (a:long, a:string) with (pair_delimiter=",", kv_delimiter="=")'; ends 1; says "the column 'a' occurs twice"
run query --file nothing.csv 'print 1'; ends 1; says 'nothing.csv'
run query --tables nowhere 'print x=1'; ends 0; prints 'x\n1\n'; says 'nowhere'
run query --schemas nowhere 'print 1'; ends 1; says 'nowhere'
run query --max-memory 4M 'range x from 1 to 5000000 step 1 | sort by x desc | summarize take_any(x)'; ends 1; says 'udget'
printf 'print "\033[31m' >in; run query -; ends 1; grep -q "$(printf '\033')" err && fail 'an escape sequence reached the terminal'

# ---- files ----------------------------------------------------------------------------------------------
mkdir data
printf '{"Time":"2024-05-01T10:00:00Z","User":"ann","Bytes":10}\n{"Time":"2024-05-01T11:00:00Z","User":"bob","Bytes":2.5}\n' >data/Logons.jsonl
printf 'Name,Level,Note\r\n"a ""b""",007,\r\nc,1,"two\nlines"\r\n' >data/Hosts.csv
printf '[{"k":1},\n{"k":2}]' | gzip >data/Array.json.gz
printf '{\n "k": {"a": 1}\n}\n' >data/Pretty.json
: >data/Empty.jsonl
printf '\357\273\277a;b\n' >data/readme.txt
run query --tables data 'Logons | getschema | project ColumnName, ColumnType'; ends 0
prints 'ColumnName,ColumnType\nTime,datetime\nUser,string\nBytes,real\n'; silent
run query --tables data 'Hosts | project Name, Level, strlen(Note)'; prints 'Name,Level,strlen_Note\n"a ""b""",007,0\nc,1,9\n'
run query --tables data 'Array | summarize sum(k)'; prints 'sum_k\n3\n'
run query --tables data 'Pretty | project k.a'; prints 'k_a\n1\n'
run query --tables data 'Empty | count'; prints 'Count\n0\n'
run query --tables data 'readme | count'; ends 1
run query --file data/Hosts.csv 'Hosts | count'; prints 'Count\n2\n'
run query --file data/Hosts.csv=H --file data/Logons.jsonl=L 'H | union L | count'; prints 'Count\n4\n'
run query --file data/Hosts.csv --file data/Hosts.csv 'Hosts | count'; ends 1; says 'OTHERNAME'
run query --file data 'print 1'; ends 1; says '--tables data'
cp data/Logons.jsonl in; run query --file - 'stdin | where User == "bob" | count'; prints 'Count\n1\n'
gzip -c data/Logons.jsonl >in; run query --file -=T 'T | join kind=inner T on User | count'; prints 'Count\n2\n'
run query --tables data --timespan 2024-05-01T10:30:00Z/P1D 'Logons | count'; prints 'Count\n2\n'
sed 's/Time/TimeGenerated/' data/Logons.jsonl >Timed.jsonl
run query --file Timed.jsonl --timespan 2024-05-01T10:30:00Z/P1D 'Timed | count'; prints 'Count\n1\n'

# A schema beside the file or in a folder gives the types; a table without data is empty.
mkdir schemas
printf '{"name":"Logons","columns":[{"name":"User","type":"string"},{"name":"Bytes","type":"string"},{"name":"More","type":"long"}]}' >schemas/Logons.json
printf '[{"name":"Saved","parameters":"x:long=1","columns":[{"name":"a","type":"long"}]},{"name":"Twice","parameters":"n:long","body":"print m = n * 2"}]' >schemas/functions.json
run query --schemas schemas --file data/Logons.jsonl 'Logons | project User, Bytes, More'; prints 'User,Bytes,More\nann,10,\nbob,2.5,\n'
run query --schemas schemas 'Logons | count'; prints 'Count\n0\n'
run query --schemas schemas 'Saved(2) | count'; prints 'Count\n0\n'
run query --schemas schemas 'Twice(21)'; prints 'm\n42\n'
cp schemas/Logons.json data/; run query --tables data 'Logons | project Bytes'; prints 'Bytes\n10\n2.5\n'; rm data/Logons.json

# Rows that cannot be read are left out and told; a broken file is an error.
printf '{"a":1}\n{"a":\n{"a":3}\n' >bad.jsonl
run query --file bad.jsonl 'bad | summarize sum(a)'; ends 0; prints 'sum_a\n4\n'; says '1 row was left out; the first in line 2'
gzip -c data/Logons.jsonl | head -c 60 >cut.jsonl.gz
run query --file cut.jsonl.gz 'cut | count'; ends 1; says 'cut.jsonl.gz'

# ---- lint ---------------------------------------------------------------------------------------------------
mkdir rules
printf 'Logons\n| where User == "x"\n| project User, n = 1\n' >rules/good.kql
printf 'id: r1\nname: A rule\nquery: |\n  Logons\n  | where Usr == "x"\n' >rules/bad.yaml
printf 'name: no rule\n' >rules/other.yaml
run lint --schemas schemas rules; ends 1; says 'rules/bad.yaml (r1)'; says 'line 5 of the file'; says 'Usr'; prints '2 queries, 1 with an error\n'
run lint --schemas schemas --format jsonl rules/good.kql; ends 0
prints '{"id":"rules/good.kql","ok":true,"columns":[["User","string"],["n","long"]]}\n'; silent
run lint --schemas schemas rules/other.yaml; ends 1; says 'no query'
printf '{"id":"c1","query":"print 1"}\n\n{"id":"c2","query":"print"}\n' >corpus.jsonl
run lint --format jsonl --corpus corpus.jsonl; ends 1
grep -q '^{"id":"c1","ok":true,"columns":\[\["print_0","long"\]\]}$' out || fail 'c1'
grep -q '^{"id":"c2","ok":false,"error":{"line":1,"column":[0-9]*,"code":"[A-Za-z]*","message":".*"}}$' out || fail 'c2'
run lint --run --schemas schemas rules/good.kql; ends 0
run lint; ends 2
run lint nowhere; ends 1

# ---- functions ------------------------------------------------------------------------------------------------
run functions; ends 0; grep -q '^functions ' out || fail 'no functions'
run functions strcat; ends 0; grep -q '^  strcat(' out || fail 'no signature'
run functions --kind operators; grep -q '^  where ' out || fail 'no where'
run functions prev; ends 0; grep -q '^  prev(Column' out || fail 'no special function'
run functions bag_unpack; ends 0; grep -q 'evaluate bag_unpack(' out || fail 'no plugin'
run functions stract; ends 1; says "did you mean"
run functions --kind things; ends 2

conclude
