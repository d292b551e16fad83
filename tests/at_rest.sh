#!/bin/sh
# Whoever takes the disk reads nothing: no row, event, secret or setting that a running server was given is in its folder in clear.
# bootstrap.json is left out: it is there to be read, by its owner.
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
own_folder
# shellcheck source=tests/lib/serve.sh
. tests/lib/serve.sh
vault_client=$PWD/tests/crash_vault/client.py
cd "$dir" || exit
server_start
boot=$data/bootstrap.json

# Each thing that is planted has a word of its own; "nothing" is planted where it must be found, so that the search is known to see.
word() { echo "planted-$1-7f3a9c"; }
printf '{"Computer":"%s","Message":"%s"}\n' "$(word row)" "$(word text)" >rows.jsonl
ran ingest "$ringfort" ingest --bootstrap "$boot" --table Planted_CL rows.jsonl
ends 0
word event >event
ran events "$ringfort" events send --bootstrap "$boot" events event
ends 0
printf 'Name,Word\none,%s\n' "$(word watched)" >list.csv
ran watchlist "$ringfort" watchlist --bootstrap "$boot" put list.csv --alias planted --key Name
ends 0
# Secrets of the vault, "value-at-rest-1" and so on, and some keys.
if command -v python3 >/dev/null; then
    ran vault "$vault_client" "$boot" work at-rest 0.5
    ends 0
    has '=value-at-rest-1 acknowledged'
fi
word nothing >"$data/tables/planted"

search() # WHEN
{
    for what in row text event watched; do
        if grep -rlaF -- "$(word $what)" "$data" >found; then fail "$1: the planted $what is in $(cat found)"; fi
    done
    if grep -rlaF -- value-at-rest- "$data" >found; then fail "$1: a secret of the vault is in $(cat found)"; fi
    grep -rqaF -- "$(word nothing)" "$data" || fail "$1: the search finds nothing at all"
    # Keys of the installation's own hub and application: in bootstrap.json only.
    for name in client_secret key; do
        secret=$(sed -n "s/.*\"$name\":\"\([^\"]*\)\".*/\1/p" "$boot" | head -n 1)
        [ ${#secret} -ge 20 ] || fail "bootstrap.json has no $name"
        if grep -rlaF -- "$secret" "$data" | grep -v '/bootstrap.json$' >found; then fail "$1: the $name is in $(cat found)"; fi
    done
}
search 'while it runs'
kill -9 "$supervisor" "$(child server)" 2>/dev/null
wait "$supervisor" 2>/dev/null
supervisor=
search 'after kill -9'
server_start
ran query "$ringfort" query --bootstrap "$boot" --format csv "Planted_CL | where Computer == '$(word row)' | project Message"
ends 0
has "$(word text)"
server_stop
search 'after a stop'
conclude
