#!/bin/sh
# Published rules and queries: each that Microsoft's analyser binds binds here with the stated columns and runs over empty
# tables, or the difference lies in the material: columns that were added to the schema files after the results were derived
# (they are marked inferred), or a search over all tables, of which the material has a part. Queries that do not bind there get
# a place and a message here.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
corpus=../shared/rules/queries.jsonl
needs $corpus
needs_program python3
own_folder
mkdir "$dir/plain"
python3 - ../shared/schemas "$dir/plain" <<'PYTHON'
import json, os, sys
for name in os.listdir(sys.argv[1]):
    if not name.endswith('.json'):
        continue
    with open(os.path.join(sys.argv[1], name), encoding='utf-8') as f:
        table = json.load(f)
    if isinstance(table, dict):
        table['columns'] = [c for c in table['columns'] if not c.get('inferred')]
    with open(os.path.join(sys.argv[2], name), 'w', encoding='utf-8') as f:
        json.dump(table, f)
PYTHON
lint() { "$ringfort" lint --run --schemas "$1" --format jsonl --corpus $corpus >"$2" || [ $? = 1 ]; }
lint ../shared/schemas "$dir/all"
lint "$dir/plain" "$dir/declared"
python3 - $corpus "$dir/all" "$dir/declared" ../shared/schemas <<'PYTHON'
import json, os, re, sys
def read(path):
    with open(path, encoding='utf-8') as f:
        return {r['id']: r for r in map(json.loads, f)}
queries, results, declared = (read(path) for path in sys.argv[1:4])
inferred = set()
for name in os.listdir(sys.argv[4]):
    if name.endswith('.json'):
        with open(os.path.join(sys.argv[4], name), encoding='utf-8') as f:
            table = json.load(f)
        if isinstance(table, dict):
            inferred |= {c['name'] for c in table['columns'] if c.get('inferred')}
def columns(r):
    # The order is left aside: a table's columns stand in the order of its schema file.
    return sorted(map(tuple, r['columns']))
def explained(q, r):
    if declared[q['id']]['ok'] and columns(declared[q['id']]) == columns(q):
        return True
    missing = set(map(tuple, q['columns'])) - set(map(tuple, r['columns']))
    further = {name for name, _ in set(map(tuple, r['columns'])) - set(map(tuple, q['columns']))}
    if not missing and all(re.sub(r'\d+$', '', name) in inferred or name in inferred for name in further):
        return True
    text = re.sub(r'//.*', '', q['query']).strip()
    return not q['tables'] and re.match(r'search\b(?!\s+in\b)', text) is not None
total = good = told = 0
bad = []
for id, q in queries.items():
    r = results[id]
    if not r['ok'] and not (r['error'].get('message') and r['error'].get('code')):
        bad.append('%s: an error without a message' % id)
    if not q['binds']:
        continue
    total += 1
    if not r['ok']:
        bad.append('%s: %s' % (id, r['error']['message']))
    elif q.get('columns') is None or columns(q) == columns(r):
        good += 1
    elif explained(q, r):
        told += 1
    else:
        bad.append('%s: other columns' % id)
print('%d of %d queries bind as stated, %d differ by the material' % (good, total, told))
print('\n'.join(bad[:20]))
sys.exit(bool(bad))
PYTHON
