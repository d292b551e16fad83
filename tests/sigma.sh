#!/bin/sh
# ringfort sigma: what it prints, what it says of rules with errors, how rules and files are named.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
own_folder
cd "$dir"

mkdir -p rules/deep
cat >rules/one.yml <<'END'
title: Shell started
id: 11111111-2222-4333-8444-555555555555
level: high
author: somebody
logsource:
    product: windows
    category: process_creation
detection:
    selection:
        Image|endswith: '\cmd.exe'
    condition: selection
---
title: Many shells
id: 22222222-2222-4333-8444-555555555555
correlation:
    type: event_count
    rules: [11111111-2222-4333-8444-555555555555]
    group-by: [Computer]
    timespan: 1m
    condition: {gte: 2}
    generate: true
END
cat >rules/deep/two.yaml <<'END'
title: Nothing
id: 33333333-2222-4333-8444-555555555555
logsource: {product: linux, service: auditd}
detection: {selection: {comm: arp}, condition: selection}
END
line='{"Channel":"Microsoft-Windows-Sysmon/Operational","EventID":1,"Hostname":"H","UtcTime":"2024-01-01 00:00:01","Image":"C:\\W\\CMD.exe"}'
printf '%s\n\n%s\nnot an event\n{"Channel":"System","EventID":7}\n' "$line" "$line" >events.jsonl
gzip -k events.jsonl
printf 'type=EXECVE msg=audit(1.0:1): a0="arp"\ntype=SYSCALL msg=audit(1.0:1): comm="arp"\n' >audit.log

run sigma run --rules rules --format jsonl events.jsonl.gz audit.log
ends 0
prints '{"rule_id":"33333333-2222-4333-8444-555555555555","file":"events.jsonl.gz","matches":0,"first_lines":[]}
{"rule_id":"11111111-2222-4333-8444-555555555555","file":"events.jsonl.gz","matches":2,"first_lines":[1,3]}
{"rule_id":"22222222-2222-4333-8444-555555555555","file":"events.jsonl.gz","matches":1,"first_lines":[3]}
{"rule_id":"33333333-2222-4333-8444-555555555555","file":"audit.log","matches":1,"first_lines":[2]}
{"rule_id":"11111111-2222-4333-8444-555555555555","file":"audit.log","matches":0,"first_lines":[]}
{"rule_id":"22222222-2222-4333-8444-555555555555","file":"audit.log","matches":0,"first_lines":[]}
'
says 'events.jsonl.gz: 1 line is left out, the first in line 4'

run sigma run --rules rules/one.yml events.jsonl
ends 0
has '2  high          Shell started'
run sigma run --rules rules/one.yml --matches --format jsonl events.jsonl
ends 0
has '"line":3,"event":{"Channel"'
cp events.jsonl in
run sigma run --rules rules/one.yml --layout windows-flat --format jsonl -
ends 0
has '"matches":2'

# JSON lines of rules, packed.
printf '{"id":"x","file":"a/b.yml","yaml":"title: t\\nlogsource: {product: aws}\\ndetection: {s: {a: 1}, condition: q}\\n"}\n' | gzip >rules.jsonl.gz
run sigma compile --rules rules.jsonl.gz
ends 1
says 'rules.jsonl.gz:1 (a/b.yml): line 3: UnknownSearch'
run sigma compile --rules rules.jsonl.gz --format jsonl
ends 1
has '"error":{"line":3,"code":"UnknownSearch"'

# What is compiled binds, and finds the same.
run sigma compile --rules rules/one.yml --layout windows-flat --format jsonl
ends 0
has '"layout":"windows-flat","table":"WindowsFlat","query":"'
run sigma compile --rules rules/one.yml --layout windows-flat --table T
ends 0
has '// Shell started'
sed '/^$/,$d' out >query.kql
cp query.kql in
run query --file events.jsonl=T -
ends 0
has 'CMD.exe'
printf 'title: p\nlogsource: {product: windows}\ndetection:\n    s:\n        A|expand: "x%%who%%"\n    condition: s\n' >p.yml
run sigma compile --rules p.yml
ends 1
says 'p.yml: line 5: UnknownPlaceholder'
says '--placeholder who=VALUE'
run sigma compile --rules p.yml --placeholder who=me --placeholder who='you*'
ends 0
has "A =~ 'xme'"
has "A startswith 'xyou'"

# Wrong use.
run sigma
ends 2
run sigma run events.jsonl
ends 2
says '--rules is needed'
run sigma run --rules rules --layout windows-flatt events.jsonl
ends 2
says "did you mean 'windows-flat'"
printf '{"a":1}\n' >other.jsonl
run sigma run --rules rules other.jsonl
ends 1
says 'UnknownLayout'
run sigma run --rules nowhere events.jsonl
ends 1
mkdir empty
run sigma run --rules empty events.jsonl
ends 1
says 'holds no rule file'
run sigma layouts
ends 0
has 'linux-auditd-text'
conclude
