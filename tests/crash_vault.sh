#!/bin/sh
# A few rounds of what `make crash` does many of, with the vault.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
needs_program ps
needs_program python3
BUILD=$(dirname "$ringfort") exec tests/crash_vault/run "${CRASH_ROUNDS:-6}"
