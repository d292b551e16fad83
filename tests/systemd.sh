#!/bin/sh
# The packaged unit keeps its exposure low: systemd-analyze scores it from 0 (shut) to 10 (open) without running
# anything.
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
needs_program systemd-analyze
own_folder
unit=$PWD/packaging/ringfort.service
systemd-analyze --help 2>&1 | grep -q -- --threshold || skip 'systemd-analyze knows no --threshold'

# score UNIT - runs systemd-analyze on the file in $dir; the score must not be above 2.4. A unit with User= would have 1.7: the
# score sees that the supervisor is root, not that no other process is, nor that keys and rows are two users'.
score() { ran "systemd-analyze security $1" systemd-analyze security --offline=true --threshold=24 "$dir/$1"; }

cp "$unit" "$dir/ringfort.service"
cd "$dir" || exit
score ringfort.service
grep -qi 'exposure level' out || skip "systemd-analyze security does not work here: $(tail -n 1 err)"
ends 0; has 'Overall exposure level for ringfort.service'

# The gate is able to fail.
sed '/^ProtectSystem=/d; /^PrivateDevices=/d; /^NoNewPrivileges=/d; /^SystemCallFilter=/d' "$unit" >open.service
score open.service; ends 1

# Every line is understood: a key that systemd does not know is a hole that nobody sees.
sed 's|^ExecStart=.*|ExecStart=/bin/true|' "$unit" >ringfort.service
ran 'systemd-analyze verify' systemd-analyze verify --man=no "$dir/ringfort.service"
if grep -qE "ringfort.service:[0-9]+:" err; then fail 'wanted no complaint about a line of the unit'; fi
conclude
