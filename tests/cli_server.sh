#!/bin/sh
# The commands against a server, with one that answers as it is told: tests/lib/fake_server.py. That they understand the real
# server is for tests/compat to show.
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
needs_program python3
fake=$PWD/tests/lib/fake_server.py
own_folder
cd "$dir" || exit

python3 "$fake" "$dir" 2>fake.err &
server=$!
trap 'kill $server; chmod -R u+rwx "$dir"; rm -rf "$dir"' EXIT
while [ ! -s port ]; do kill -0 $server || { cat fake.err; exit 1; }; done
url=http://127.0.0.1:$(cat port)
unset RINGFORT_BOOTSTRAP RINGFORT_CLIENT_SECRET
XDG_CONFIG_HOME=$dir/config
export XDG_CONFIG_HOME
rule=dcr-00000000000000000000000000000001
tenant=11111111-2222-3333-4444-555555555555
client=aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee

asked() { run query --bootstrap boot.json "$@"; }

# ---- queries
asked types; ends 0; silent
prints 'b,i,l,r,n,d,t,g,s,y
true,7,9007199254740993,1.5,1.10,2024-03-01T10:20:30.1234567Z,1.02:03:04.5000000,0a0b0c0d-0000-0000-0000-000000000001,"x,ü","{""k"":[1,null]}"
,,,NaN,,,,,,
'
asked --format jsonl types; has '"n":"1.10"'; has '"y":{"k":[1,null]}'; has '"r":"NaN"'
asked two; prints 'a\n1\n\nb\nx\n'
asked many; ends 0; has 4999
[ "$(wc -l <out)" = 5001 ] || fail 'rows are missing'
asked --format chart chart; has '(66.7%)'
asked --stats stats; says '0.125 s of them on the server'
asked partial; ends 1; prints 'n\n1\n'; says 'too many rows (PartialError)'
asked --timespan P1D echo; prints 'timespan\nP1D\n'
asked echo; prints 'timespan\n\n'
asked --workspace soc echo; ends 0
asked --workspace other echo; ends 1; says "there is no workspace 'other'; there is: soc"
asked 'wrong
  | where x > 1'; ends 1; says 'line 2, column 11'; says "no column named 'x' (SEM0100)"
tail -n 1 err | grep -q '^            ^$' || fail 'the caret is elsewhere'
asked busy; ends 0
asked 'bad cell'; ends 1; says 'a cell is no long'
asked 'bad row'; ends 1; says 'not as many cells'
asked 'bad table'; ends 1; says 'a type that is not known'
asked --data . echo; ends 2; says '--data is for queries that run here'
asked --timespan never echo; ends 2
run query --bootstrap none.json echo; ends 1; says 'none.json'
run query --server "$url" echo; ends 1; says 'there is no login for'
run query --server http://ringfort.example --bootstrap boot.json echo; ends 1; says 'https only'
run query --server https://localhost:1 --bootstrap boot.json echo; ends 1

# ---- records
send() { run ingest --bootstrap boot.json --rule $rule --stream Custom-A "$@"; }
sent() # LINE... - what the server was sent
{
    printf '%s\n' "$@" >want
    cmp -s want uploads.jsonl || { diff want uploads.jsonl >err; fail 'other records were sent'; }
    rm -f uploads.jsonl
}
printf '{"a":1}\n{"a":\n\n{"a":"}{"}\n[1]\n {"b":[{}]} \n{"c":1}' >lines.jsonl
send lines.jsonl; ends 0; has '4 records'; says 'line 2 is left out'; says 'line 5 is left out'; says '2 records were left out'
sent '{"stream": "Custom-A", "a": 1}' '{"stream": "Custom-A", "a": "}{"}' '{"stream": "Custom-A", "b": [{}]}' \
    '{"stream": "Custom-A", "c": 1}'
printf '[{"a":1},\n {"a":{"x":"\\"}"}}\n,{"b":2}]' >array.json
set -- '{"stream": "Custom-A", "a": 1}' '{"stream": "Custom-A", "a": {"x": "\"}"}}' '{"stream": "Custom-A", "b": 2}'
send array.json; ends 0; sent "$@"
gzip -c array.json >packed.json.gz
send packed.json.gz; ends 0; sent "$@"
cp array.json in
send -; ends 0; sent "$@"
printf 'Number,Note\n1,\n007,"a,b"\n' >t.csv
send t.csv; ends 0; silent
sent '{"stream": "Custom-A", "Number": "1"}' '{"stream": "Custom-A", "Number": "007", "Note": "a,b"}'
cp t.csv in
send -; ends 0; says 'were left out' # CSV on standard input is no JSON

python3 -c 'for n in range(20000): print("{\"n\":%d,\"t\":\"%s\"}" % (n, "x" * (n % 200)))
print("{\"t\":\"%s\"}" % ("y" * 1100000))' >big.jsonl
rm -f pieces
send big.jsonl; ends 0; has '20000 records'; says 'longer than the megabyte'
[ "$(wc -l <uploads.jsonl)" = 20000 ] || fail 'records are missing'
[ "$(sort -n pieces | tail -n 1)" -le 1000000 ] || fail 'a piece is too long'
[ "$(wc -l <pieces)" -lt 5 ] || fail 'pieces are too short'
rm uploads.jsonl

run ingest --bootstrap boot.json --rule $rule --stream Custom-Broken lines.jsonl; ends 1; says 'InvalidStream'
run ingest --bootstrap boot.json --rule $rule lines.jsonl; ends 1; says '--stream S is needed'
run ingest --bootstrap boot.json --rule none lines.jsonl; ends 1; says 'ResourceNotFound'
run ingest --bootstrap boot.json --table Known_CL t.csv; ends 0; says 'made the collection rule ringfort-ingest-Known-CL'
run ingest --bootstrap boot.json --table Known_CL t.csv; ends 0; silent
run ingest --bootstrap boot.json --rule ringfort-ingest-Known-CL t.csv; ends 0
rm uploads.jsonl
run ingest --bootstrap boot.json --table New_CL t.csv; ends 0; says 'made the table New_CL'
sent '{"stream": "Custom-New_CL", "Number": "1"}' '{"stream": "Custom-New_CL", "Number": "007", "Note": "a,b"}'
run ingest --bootstrap boot.json --table Other t.csv; ends 1; says 'there is no table Other'
run ingest --bootstrap boot.json --table New_CL --data x t.csv; ends 2
run ingest --bootstrap boot.json t.csv; ends 2; says 'either --rule R or --table T'

# ---- resources
rules=Microsoft.Insights/dataCollectionRules
resource() { run resource "$@" --bootstrap boot.json; }
echo '{"location":"local","properties":{"x":[1,{},[],"a\"b"]}}' >in
resource put $rules/a -; ends 0; has '      "a\"b"'; has '"name": "a"'
printf 'location: local\nproperties: {slow: true}\n' >b.yaml
resource put $rules/b b.yaml; ends 0; has '"slow": true'
resource get $rules/b; ends 0; has '"name": "b"'
resource list $rules --format csv; ends 0; has "a,T/t,local,/subscriptions/"; has 'ringfort-ingest-New-CL,'
resource list --format jsonl; ends 0; has '"name":"a"'
resource delete $rules/a; ends 0; says deleted
resource delete $rules/a; ends 0; says 'not there'
resource get $rules/a; ends 1; says ResourceNotFound
resource get Microsoft.Unknown/things/a; ends 1; says '--api-version V'
resource get Microsoft.Unknown/things/a --api-version 2024-01-01; ends 1; says ResourceNotFound
resource get; ends 2
resource put $rules/a; ends 2
resource fetch $rules/a; ends 2; says 'is not get, list, put or delete'

# ---- files of resources
mkdir d
echo '{"type":"'$rules'","name":"x","apiVersion":"2023-03-11","location":"l","properties":{}}' >d/1.json
printf 'id: Microsoft.SecurityInsights/alertRules/r1\nkind: Scheduled\nproperties:\n  query: |\n    x\n' >d/2.yaml
echo '[{"type":"Microsoft.OperationalInsights/workspaces/providers/alertRules","name":"soc/Microsoft.SecurityInsights/r2",
  "apiVersion":"2024-03-01","properties":{"bad":true}},{"type":"a/b"},{"type":"a/b/c","name":"x"}]' >d/3.json
# shellcheck disable=SC2016
echo '{"$schema":"x","resources":[]}' >d/4.json
echo '{"a":' >d/5.json
echo 'not a resource' >d/6.txt
run apply --bootstrap boot.json d; ends 1
has "created /subscriptions/99999999-0000-0000-0000-000000000000/resourceGroups/main/providers/$rules/x"
has '/workspaces/soc/providers/Microsoft.SecurityInsights/alertRules/r1'
says 'd/3.json: Two things are wrong. A: one; B: two (InvalidRequestContent)'
says 'd/3.json: it has neither an "id"'; says "the name 'x' does not fit the type 'a/b/c'"
says 'which this server does not have'; says 'd/5.json: '; says '5 of 7 could not be put'
run apply --bootstrap boot.json d/1.json; ends 0; has 'put /subscriptions/'
run apply --bootstrap boot.json --check d/1.json; ends 0; has 'would put /'
run apply --bootstrap boot.json --resource-group g2 d/1.json; ends 0; has /resourceGroups/g2/
run apply --bootstrap boot.json; ends 2

# ---- logins
run resource list; ends 1; says "run 'ringfort login'"
run login --bootstrap boot.json; ends 0; has "logged in to $url"
[ "$(stat -c %a config/ringfort config/ringfort/login.json)" = '700
600' ] || fail 'others may read the login'
grep -q s3cr3t config/ringfort/login.json && fail 'the secret is in the login'
tokens() { grep -c oauth2 log.jsonl; }
before=$(tokens)
run query --workspace soc stats; ends 0
[ "$(tokens)" = "$before" ] || fail 'the token was not kept'
run query --workspace soc 'new keys'; ends 1
run query --workspace soc stats; ends 0
[ "$(tokens)" -gt "$before" ] || fail 'a token that was refused was kept'

echo 's3cr3t+/= %&' >in
run login --server "$url/" --tenant $tenant --client-id $client; ends 0; says 'the login ends with its token'
grep -q s3cr3t config/ringfort/login.json && fail 'the secret is in the login'
run resource list --format csv; ends 0; has ringfort-ingest
run query --server "$url" 'new keys'; ends 1; says 'the login holds no secret'
RINGFORT_CLIENT_SECRET='s3cr3t+/= %&'
export RINGFORT_CLIENT_SECRET
run query --server "$url" stats; ends 0
run login --server "$url" --tenant $tenant --client-id $client --keep-secret; ends 0
unset RINGFORT_CLIENT_SECRET
run query --server "$url" 'new keys'; ends 1
run query --server "$url" stats; ends 0
run login --list; has "* $url as $client"
echo wrong >in
run login --server "$url" --tenant $tenant --client-id $client; ends 1; says 'the secret is wrong'
run login --server http://ringfort.example --tenant t --client-id c; ends 1; says 'https only'
run login --server "$url"; ends 2
chmod 644 config/ringfort/login.json
run resource list; ends 1; says 'may be read by others'
chmod 600 config/ringfort/login.json
echo '{' >config/ringfort/login.json
run resource list; ends 1; says 'log in again'
rm config/ringfort/login.json
RINGFORT_BOOTSTRAP=boot.json
export RINGFORT_BOOTSTRAP
run resource list --format csv; ends 0
run login --forget --server "$url"; ends 1; says 'there is no login'
[ ! -s fake.err ] || { cp fake.err err; fail 'the server stumbled'; }
conclude
