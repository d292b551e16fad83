#!/bin/sh
# `ringfort doctor`: what it looks at, in both forms, and its exit status.
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
own_folder
cd "$dir" || exit

# Each finding is there, good or not; a machine that lacks something ends with 1.
run doctor
case $status in
0) has 'All layers hold here.' ;;
1) has 'are missing.' ;;
*) fail 'wanted status 0 or 1' ;;
esac
silent
for name in kernel landlock-files landlock-tcp landlock-scope seccomp memfd-secret mdwe descriptors \
    localhost-names users; do
    grep -qE "^(ok|MISSING) +$name " out || fail "lacks $name"
done
missing=$(grep -c '^MISSING' out)
remedies=$(grep -c '^         ' out)
[ "$missing" = "$remedies" ] || fail "$missing are missing, but there are $remedies remedies"

run doctor --format json
has '{"missing":'"$missing"',"findings":[{"name":"kernel","ok":'

# A data folder that others may read is told, and one that nobody else may is not.
mkdir open shut
chmod 755 open
chmod 700 shut
run doctor --domain no.such.domain.invalid; ends 1; has '*.no.such.domain.invalid'; has 'a wildcard record'
run doctor --data open; ends 1; has 'chmod 700 the folder'
run doctor --data shut; has 'shut: mode 0700'
run doctor --data nowhere; ends 1; has 'nowhere'

# What the keeper wrote of cut or changed files is counted, with the last of it and the remedy.
mkdir shut/keeper
line() { printf '{"seq":1,"time":"2026-01-31T00:00:00.0000000Z","event":"%s","detail":"d","mac":"00"}\n' "$1"; }
line key.created >shut/keeper/audit.log
run doctor --data shut; has 'keeper-files'; has 'no line tells of a change'
{ line audit.cut; line heads.stale; line test; } >>shut/keeper/audit.log
run doctor --data shut; ends 1; has '2 alarms, the last'; has 'heads.stale'; has 'ringfort restore'

run doctor --format xml; ends 2; says "no format 'xml'"
run doctor more; ends 2
run doctor --help; ends 0; has 'usage: ringfort doctor'
conclude
