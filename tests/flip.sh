#!/bin/sh
# A few of the flips of which `make flip` does many.
set -eu
cd "$(dirname "$0")/.."
ringfort=${RINGFORT:-build/ringfort}
BUILD=$(dirname "$ringfort") exec tests/flip/run "${FLIPS:-300}"
