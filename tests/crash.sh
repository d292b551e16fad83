#!/bin/sh
# A few rounds of what `make crash` does many of.
set -eu
cd "$(dirname "$0")/.."
ringfort=${RINGFORT:-build/ringfort}
BUILD=$(dirname "$ringfort") exec tests/crash/run "${CRASH_ROUNDS:-12}"
