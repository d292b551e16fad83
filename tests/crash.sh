#!/bin/sh
# A few rounds of what `make crash` does many of.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
BUILD=$(dirname "$ringfort") exec tests/crash/run "${CRASH_ROUNDS:-12}"
