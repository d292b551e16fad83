#!/bin/sh
# The rule lab: the tests of content/rules and those of the engine pass, say what is wrong where it is, and come out byte for
# byte the same whatever runs beside them; --update, --against, coverage, reports and backtests.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
own_folder
root=$PWD
mkdir "$dir/tmp"
export TMPDIR="$dir/tmp"
cp -r tests/lab "$dir/lab"
cd "$dir" || exit

# ---- our own rules -----------------------------------------------------------------------------------------------------
ran 'the tests of content/' "$ringfort" test "$root/content" --coverage --quiet
ends 0
silent
fired=$(sed -n 's/^[0-9]* rules: \([0-9]*\) fired.*/\1/p' out)
[ "${fired:-0}" -ge 30 ] || fail "only ${fired:-0} rules fired"

# ---- the engine, through tests -----------------------------------------------------------------------------------------
run test lab
ends 0
has '12 tests: 12 passed'
for jobs in 1 5; do
    run test lab --json --coverage --jobs $jobs --junit junit.$jobs --navigator layer.$jobs
    ends 0
    mv out json.$jobs
done
cmp json.1 json.5 || fail 'the result depends on --jobs'
cmp junit.1 junit.5 || fail "JUnit's result depends on --jobs"
cmp layer.1 layer.5 || fail 'the layer depends on --jobs'
grep -q '<testsuites tests="12" failures="0" errors="0" skipped="0" time="0">' junit.1 || fail 'JUnit counts wrongly'
grep -q '"techniqueID":"T1046","tactic":"discovery"' layer.1 || fail 'the layer lacks T1046'
run test lab --filter 'late' --quiet
prints '1 test: 1 passed\n'
run test lab --filter 'no such'
ends 1
says "no test's file or name holds 'no such'"

# ---- what is wrong is said where it is, and --update accepts it ----------------------------------------------------------
cp lab/engine.test.yaml before.yaml
sed -i -e '0,/severity: Medium/s//severity: High/' -e 's/Reason: \[contractor\]/Reason: [guest]/' -e '0,/Name: bob/s//Name: eve/' lab/engine.test.yaml
line=$(grep -n 'severity: High' lab/engine.test.yaml | head -n 1 | cut -d: -f1)
run test lab --junit junit.bad
ends 1
has "lab/engine.test.yaml:$line:   severity: expected High, got Medium"
has 'Reason: guest is missing; there is ["contractor"]'
has 'entities: {"Account":{"Name":"eve","UPNSuffix":"contoso.example"}} is missing'
has '12 tests: 10 passed, 2 failed'
grep -q '<failure message=' junit.bad || fail 'JUnit lacks the failure'
run test lab --update --quiet
ends 0
has 'lab/engine.test.yaml: 2 expectations written'
cmp before.yaml lab/engine.test.yaml || fail '--update changed more than the expectations'

# ---- tests that cannot be run --------------------------------------------------------------------------------------------
mkdir bad
cat >bad/a.test.yaml <<'END'
name: a misspelt member
rulez: ../lab/rules/each.yaml
expect: {none: true}
END
cat >bad/b.test.yaml <<'END'
rules: ../lab/rules/nowhere.yaml
expect: {none: true}
END
cat >bad/c.test.yaml <<'END'
rules: rule.yaml
data:
  - {table: Lab_CL, rows: [{TimeGenerated: '2024-06-03T12:00:00Z', User: x}]}
expect: {none: true}
END
sed 's/Kind == "bad"/Kinds == "bad"/' lab/rules/each.yaml >bad/rule.yaml
cat >bad/d.test.yaml <<'END'
needs: not-there.jsonl
rules: ../lab/rules/each.yaml
expect: {none: true}
END
printf 'rules: [\n' >bad/e.test.yaml
run test bad
ends 1
has "bad/a.test.yaml:2: 'rulez' is nothing that a test has"
has 'bad/b.test.yaml:1: rules: '
has "bad/rule.yaml:"
has "Kinds"
has 'SKIP    bad/d.test.yaml:1  d: bad/not-there.jsonl is not there'
has 'BROKEN  bad/e.test.yaml'
has '5 tests: 0 passed, 4 broken, 1 skipped'
run test nowhere
ends 1
run test
ends 2

# ---- two versions of a rule ----------------------------------------------------------------------------------------------
cp -r lab/rules old
sed -i 's/severity: Medium/severity: Low/' old/each.yaml
sed -i 's/Kind == "bad"/Kind == "bad" and User startswith "ann"/' old/grouped.yaml
run test lab --against old --filter 'each event'
ends 1
has "severity: Low -> Medium"
has '1 of 1 tests differ'
run test lab --against old --filter 'alerts of one account'
ends 1
has "+ incident 'Bad event of bob@contoso.example'"
run test lab --against lab/rules
ends 0
has '0 of 12 tests differ'

# ---- what could not fire -------------------------------------------------------------------------------------------------
cat >lab/blind.test.yaml <<'END'
rules: rules/blind.yaml
schemas: Lab_CL.json
data:
  - {file: events.jsonl, table: Lab_CL}
expect: {none: true}
END
run test lab --coverage --quiet
ends 0
has 'lab/rules/blind.yaml: no value in Lab_CL: Nowhere'
has '8 rules: 7 fired, 0 never fired, 1 never could, 0 untested'

# ---- backtests ------------------------------------------------------------------------------------------------------------
run backtest lab/rules/quiet.yaml lab/rules/each.yaml --data lab/events.jsonl=Lab_CL --json
ends 0
silent
has '"alerts":2,"incidents":2,"suppressed":3,"days":[{"day":"2024-06-03","alerts":2,"incidents":2,"suppressed":3}]'
has '{"entity":"Account {Name: ann, UPNSuffix: contoso.example}","alerts":4}'
mv out first
run backtest lab/rules/quiet.yaml lab/rules/each.yaml --data lab/events.jsonl=Lab_CL --json
cmp first out || fail 'two backtests differ'
run ingest --table Lab_CL --data store lab/events.jsonl --schema lab/Lab_CL.json
ends 0
run backtest lab/rules/quiet.yaml --store store --from 2024-06-03T12:50:00Z --to 2024-06-03T14:00:00Z
ends 0
has '1 alerts in 1 incidents, 1 suppressed'
sed 's/Lab_CL/Nowhere_CL/' lab/rules/blind.yaml >nowhere.yaml
run backtest nowhere.yaml --data lab/events.jsonl=Lab_CL
ends 1
has 'cannot be run: '

# ---- functions and watchlists of the other commands --------------------------------------------------------------------------
run query --file lab/events.jsonl=Lab_CL --functions lab/functions --watchlists lab/watched.csv --format csv \
    "LabEvents('good') | project User | union (_GetWatchlist('watched') | project User, Reason) | sort by User asc"
ends 0
prints 'User,Reason\nann@contoso.example,leaves in June\nbob@contoso.example,\neve@contoso.example,test account\n'
run lint --schemas lab --functions lab/functions --watchlists lab/watched.csv lab/rules/listed.yaml
ends 0
cp lab/watched.csv Watched.csv
run detect --rules lab/rules/listed.yaml --file lab/events.jsonl=Lab_CL --functions lab/functions --watchlists Watched.csv --format jsonl
ends 0
has '"name":"Event of a watched account"'

# A parser of others, with a table of events behind it, in a rule and in a query.
functions=$root/../shared/schemas/functions.json
if [ -f "$functions" ]; then
    mkdir parsed
    cat >parsed/Event.jsonl <<'END'
{"TimeGenerated":"2024-06-03T12:01:00Z","Source":"Microsoft-Windows-Sysmon","EventLog":"Microsoft-Windows-Sysmon/Operational","EventID":1,"Computer":"h1","EventData":"<DataItem type=\"System.XmlData\"><EventData><Data Name=\"RuleName\">-</Data><Data Name=\"UtcTime\">2024-06-03 12:01:00.000</Data><Data Name=\"ProcessGuid\">{1}</Data><Data Name=\"ProcessId\">10</Data><Data Name=\"Image\">C:\\Windows\\System32\\whoami.exe</Data></EventData></DataItem>"}
END
    cat >parsed/rule.yaml <<'END'
id: lab-parsed
name: whoami was started
severity: Low
queryFrequency: 5m
queryPeriod: 5m
triggerOperator: gt
triggerThreshold: 0
query: |
  Sysmon
  | where process_path endswith "whoami.exe"
kind: Scheduled
END
    cat >parsed/sysmon.test.yaml <<END
rules: rule.yaml
functions: $functions
data:
  - {file: Event.jsonl, table: Event}
expect:
  incidents: [{title: whoami was started, rows: 1}]
END
    run test parsed
    ends 0
    run query --file parsed/Event.jsonl --functions "$functions" --format csv 'Sysmon | project process_path'
    prints 'process_path\nC:\\Windows\\System32\\whoami.exe\n'
    run lint --schemas "$root/../shared/schemas" parsed/rule.yaml
    ends 0
fi

[ -z "$(ls -A "$dir/tmp")" ] || fail 'a folder of the lab is left'
conclude
