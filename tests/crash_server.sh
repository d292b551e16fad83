#!/bin/sh
# A few rounds of what `make crash` does many of, with the server.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
needs_program ps
BUILD=$(dirname "$ringfort") exec tests/crash_server/run "${CRASH_ROUNDS:-6}"
