#!/bin/sh
# Rights that go while links and fetches are open (see hub_rights.c).
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
needs_program ps
own_folder
# shellcheck source=tests/lib/serve.sh
. tests/lib/serve.sh
rights=$(dirname "$ringfort")/tests_hub_rights
cd "$dir" || exit
server_start
ran 'hub_rights ...' "$rights" "$data/bootstrap.json"
cat out
ends 0; silent
conclude
