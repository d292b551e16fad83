#!/bin/sh
# A few of the flips of which `make flip` does many.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
BUILD=$(dirname "$ringfort") exec tests/flip/run "${FLIPS:-300}"
