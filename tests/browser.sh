#!/bin/sh
# The portal as people use it: a browser, Contoso's live estate, the first administrator by his link; pages by mouse and keyboard, in three themes, wide and narrow, and a newcomer's five tasks.
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
needs_program node
needs_program "${CHROMIUM:-chromium}"
needs web/node_modules/playwright-core
own_folder
here=$PWD
OUT=$dir/live RINGFORT=$ringfort LISTEN=127.0.0.1:0 setsid examples/contoso-shipping/live >"$dir/log" 2>&1 &
estate=$!
trap '/bin/kill -TERM -- -$estate 2>/dev/null; wait $estate 2>/dev/null; rm -rf "$dir"' EXIT
boot=$dir/live/data/bootstrap.json
ask() { "$ringfort" query --bootstrap "$boot" --format csv "$1" 2>/dev/null | tail -n 1; }
tries=0
until grep -q 'Open the portal' "$dir/log" && [ "$(ask 'SecurityIncident | summarize count() > 3')" = true ]; do
    tries=$((tries + 1))
    kill -0 $estate 2>/dev/null || die 'the estate did not come to life'
    [ $tries -lt 180 ] || die 'no incident within three minutes'
    sleep 1
done
cd "$dir" || exit
ran 'first administrator' env NODE_EXTRA_CA_CERTS="$dir/live/data/ca.pem" node "$here/web/tests/lib/first.mjs" "$boot" live.json
ends 0
grep -h . out
ran 'browser tests' env NODE_EXTRA_CA_CERTS="$dir/live/data/ca.pem" RINGFORT="$ringfort" RINGFORT_LIVE="$dir/live.json" node --test --test-concurrency=1 "$here"/web/tests/browser/*.mjs
ends 0
grep -E '^# (tests|pass|fail) ' out
if [ "$status" != 0 ]; then grep -B2 -A40 '^ *not ok' out | head -n 150; fi
conclude
