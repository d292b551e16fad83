#!/bin/sh
# A few rounds of what `make crash` does many of, with event hubs.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
needs_program ps
BUILD=$(dirname "$ringfort") exec tests/crash_hub/run "${CRASH_ROUNDS:-4}"
