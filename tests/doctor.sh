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
    localhost-names user; do
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
run doctor --data open; ends 1; has 'chmod 700 the folder'
run doctor --data shut; has 'shut: mode 0700'
run doctor --data nowhere; ends 1; has 'nowhere'

run doctor --format xml; ends 2; says "no format 'xml'"
run doctor more; ends 2
run doctor --help; ends 0; has 'usage: ringfort doctor'
conclude
