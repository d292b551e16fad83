#!/bin/sh
# Our reader of HTTP beside llhttp, the one of Node: known smuggling tricks and many thousand mutations. Whatever ours takes, llhttp
# takes too, with the same targets, the same bodies and the same ends; ours may refuse more. Skipped without node.
set -eu
cd "$(dirname "$0")/.."
if ! command -v node >/dev/null; then
    echo "skipped: node is not here"
    exit 77
fi
exec node tests/lib/http_smuggling.js "$(dirname "$RINGFORT")/tests_http_messages" "${HTTP_CASES:-20000}"
