#!/bin/sh
# Public Sigma rules over recorded attacks with known answers: the direct run and the compiled KQL give them, and every rule compiles
# and binds but those that name placeholders.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
needs ../shared/sigma/index.csv
needs ../shared/attacks/truth.csv
needs_program python3
own_folder
python3 - "$ringfort" "$dir" <<'PYTHON'
import csv, gzip, json, subprocess, sys
ringfort, folder = sys.argv[1:]
sigma, attacks = '../shared/sigma/', '../shared/attacks/'
rows = lambda path: list(csv.DictReader(open(path, encoding='utf-8')))
lines = lambda text: [json.loads(l) for l in text.splitlines()]
def ask(*args, **more):
    return subprocess.run([ringfort, *args], capture_output=True, text=True, **more)
failures = 0
def check(fine, *what):
    global failures
    failures += not fine
    if not fine:
        print(*what)

# The direct run.
known = {r['rule_id'] for r in rows(sigma + 'index.csv') if r['in_truth'] == 'yes'}
truth = {(r['dataset'], r['rule_id']): (int(r['matches']), r['first_lines']) for r in rows(attacks + 'truth.csv')}
sets = rows(attacks + 'datasets.csv')
files = {attacks + d['file']: d for d in sets}
found = lines(ask('sigma', 'run', '--rules', sigma + 'rules', '--format', 'jsonl', *files).stdout)
pairs = 0
for x in found:
    if x['rule_id'] not in known:
        continue
    pairs += 1
    pair = files[x['file']]['dataset'], x['rule_id']
    got = x['matches'], ' '.join(map(str, x['first_lines']))
    check(got == truth.get(pair, (0, '')), pair, 'want', truth.get(pair), 'got', got)
check(pairs == len(known) * len(files), pairs, 'pairs')

# The rules' own events.
for line in gzip.open(sigma + 'regression.jsonl.gz', 'rt', encoding='utf-8'):
    x = json.loads(line)
    with open(folder + '/events.jsonl', 'w', encoding='utf-8') as f:
        f.writelines(json.dumps(e) + '\n' for e in x['events'])
    p = ask('sigma', 'run', '--rules', sigma + 'rules/' + x['rule_id'] + '.yml', '--format', 'jsonl', folder + '/events.jsonl')
    got = lines(p.stdout)[0]['matches'] if p.returncode == 0 else p.stderr
    check(got == x['match_count'], x['rule_id'], 'want', x['match_count'], 'got', got)

# Compiled: all, and what is left is exact. Those of the tables whose columns are here bind.
rules = ['--rules', sigma + 'rules', '--rules', sigma + 'all-rules.jsonl.gz', '--format', 'jsonl']
done = lines(ask('sigma', 'compile', *rules).stdout)
bad = [x for x in done if 'error' in x]
check(len(bad) <= len(done) // 100, len(bad), 'of', len(done), 'do not compile')
check(all(x['error']['code'] == 'UnknownPlaceholder' for x in bad), bad[:3])
tables = {'WindowsEvent', 'CloudTrailRecord', 'AuditLogs', 'Syslog', 'SecurityEvent', 'LinuxAudit_CL', 'Records', 'SigninLogs'}
with open(folder + '/queries.jsonl', 'w', encoding='utf-8') as f:
    f.writelines(json.dumps({'id': x['rule_id'], 'query': x['query']}) + '\n' for x in done if x.get('table') in tables)
for x in lines(ask('lint', '--schemas', 'content/schemas', '--corpus', folder + '/queries.jsonl', '--format', 'jsonl').stdout):
    check(x['ok'], x)

# The compiled rules of the truth over data sets of each layout find what the direct run found.
direct = {(x['file'], x['rule_id']): x['matches'] for x in found}
some = {'psh_lsass_memory_dump_comsvcs', 'cmd_sam_copy_esentutl', 'goldensaml_auditlogs', 'aws_ec2_proxy_s3_exfiltration',
        'log4shell_windowsevent'}
compared = 0
for path, d in files.items():
    if d['dataset'] not in some:
        continue
    queries = [x for x in lines(ask('sigma', 'compile', '--rules', sigma + 'rules', '--format', 'jsonl', '--layout', d['layout']).stdout)
               if x['layout'] == d['layout'] and x['rule_id'] in known]
    text = ';\n'.join(x['query'] + '| count' for x in queries)
    p = ask('query', '--format', 'json', *sum((['--file', path + '=' + t] for t in {x['table'] for x in queries}), []), '-', input=text)
    counts = [t['rows'][0][0] for t in json.loads(p.stdout)['tables'] if len(t['columns']) == 1 and len(t['rows']) == 1]
    check(len(counts) == len(queries), d['dataset'], p.stderr)
    for x, count in zip(queries, counts):
        compared += 1
        check(count == direct[path, x['rule_id']], d['dataset'], x['rule_id'], 'direct', direct[path, x['rule_id']], 'kql', count)
check(compared > 200, compared, 'compared')
print('%d pairs, %d rules compiled, %d queries compared; %d failures' % (pairs, len(done) - len(bad), compared, failures))
sys.exit(failures != 0)
PYTHON
