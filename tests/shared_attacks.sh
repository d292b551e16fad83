#!/bin/sh
# Questions about recorded attacks whose answers were worked out by hand: every answer is equal.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
needs ../shared/attacks/kql.jsonl
needs_program python3
python3 - "$ringfort" <<'PYTHON'
import csv, json, subprocess, sys
folder = '../shared/attacks/'
sets = {r['dataset']: r for r in csv.DictReader(open(folder + 'datasets.csv', encoding='utf-8'))}
bad = count = 0
for line in open(folder + 'kql.jsonl', encoding='utf-8'):
    case = json.loads(line)
    file = folder + sets[case['dataset']]['file']
    files = ['--file', file + '=T']
    if sets[case['dataset']]['table']:
        files += ['--file', file + '=' + sets[case['dataset']]['table']]
    p = subprocess.run([sys.argv[1], 'query', '--format', 'json', *files, case['query']], capture_output=True, text=True)
    key = lambda row: [json.dumps(cell, sort_keys=True) for cell in row]
    try:
        got = [key(r) for r in json.loads(p.stdout)['tables'][0]['rows']]
    except (ValueError, KeyError):
        got = p.stderr
    want = [key(r) for r in case['rows']]
    if isinstance(got, list) and not any(w in case['query'] for w in ('order by', 'sort by', 'top ')):
        got.sort()
        want.sort()
    count += 1
    if got != want:
        bad += 1
        print(case['dataset'], case['query'], '\n  expected', want, '\n  got', got)
print('%d of %d answers are equal' % (count - bad, count))
sys.exit(bad != 0 or count == 0)
PYTHON
