#!/bin/sh
# Published rules and queries: at least 90 % of those that Microsoft's analyser binds bind here with the stated columns, and what
# binds runs over empty tables.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
corpus=../shared/rules/queries.jsonl
needs $corpus
needs_program python3
own_folder
out=$dir/out
"$ringfort" lint --run --schemas ../shared/schemas --format jsonl --corpus $corpus >"$out" || [ $? = 1 ]
python3 - $corpus "$out" <<'PYTHON'
import json, sys
results = {}
for line in open(sys.argv[2], encoding='utf-8'):
    r = json.loads(line)
    results[r['id']] = r
total = good = 0
for line in open(sys.argv[1], encoding='utf-8'):
    q = json.loads(line)
    if not q['binds']:
        continue
    total += 1
    r = results.get(q['id'])
    if r is None or not r['ok']:
        continue
    want, got = q.get('columns'), r['columns']
    # The order is left aside: a table's columns stand in the order of its schema file.
    good += want is None or sorted(map(tuple, want)) == sorted(map(tuple, got))
print('%d of %d queries bind as stated' % (good, total))
sys.exit(good < 0.9 * total)
PYTHON
