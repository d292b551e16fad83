#!/bin/sh
# Other people's applications let their people sign in with us: a real OpenID Connect client (npm's openid-client), and what it must see refused.
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
needs_program node
[ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] || skip 'node is older than 20, which openid-client needs'
needs web/node_modules/openid-client
own_folder
# shellcheck source=tests/lib/serve.sh
. tests/lib/serve.sh
web=$PWD/web
cd "$dir" || exit
server_start
run app create grafana --bootstrap "$data/bootstrap.json" --redirect http://localhost:3000/login/generic_oauth --out grafana.json
ends 0
ran 'openid-client' env APPLICATION="$PWD/grafana.json" NODE_EXTRA_CA_CERTS="$data/ca.pem" RINGFORT_BOOTSTRAP="$data/bootstrap.json" node --test "$web/tests/apps/oidc.mjs"
ends 0
conclude
