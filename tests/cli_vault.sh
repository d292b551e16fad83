#!/bin/sh
# The command line of the vault, over a real server: secrets, keys, certificates, commands that are run with secrets, credentials of
# units; and that no secret is shown that was not asked for.
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
needs_program openssl
own_folder
# shellcheck source=tests/lib/serve.sh
. tests/lib/serve.sh
caller=$PWD/tests/cli_vault/credential.py
typist=$PWD/tests/cli_vault/type.py
cd "$dir" || exit
: >out
: >err
server_start
RINGFORT_BOOTSTRAP=$data/bootstrap.json
export RINGFORT_BOOTSTRAP

# with TEXT WORD... - runs ringfort with that on standard input, without a line end.
with()
{
    printf '%s' "$1" >in
    shift
    run "$@"
}
lacks() { if grep -qF -- "$1" out err; then fail "it shows: $1"; fi; }

# ---- secrets ----
with 'geheim-1
' secret set pw --tag for=db --content-type text/plain --expires P90D
ends 0
lacks geheim
has 'for=db'
run secret get pw
ends 0
lacks geheim
has text/plain
run secret get pw --format json
lacks geheim
has '"contentType"'
run secret get pw --show
prints 'geheim-1'
printf 'a\nb\n' >whole
run secret set pw --file whole
ends 0
run secret get pw --out got
ends 0
cmp -s whole got || fail '--file does not keep every byte'
[ "$(stat -c %a got)" = 600 ] || fail 'others may read it'
run secret get pw --out got
ends 1
says '--force'
run secret get pw --out got --force
ends 0
run secret get pw --show --out got
ends 2
v1=$("$ringfort" secret versions pw --format csv | sed -n '2s/^pw,\([0-9a-f]*\),.*/\1/p')
v2=$("$ringfort" secret versions pw --format csv | sed -n '3s/^pw,\([0-9a-f]*\),.*/\1/p')
run secret get pw --version "$v1" --show
prints 'geheim-1'
run secret diff pw
ends 0
has "version: $v1 -> $v2"
has 'value: differs'
has 'contentType: text/plain -> -'
lacks geheim
run secret diff pw "$v1" "$v2" --show
has '-geheim-1'
has '+b'
run secret diff pw "$v1" "$v1"
has 'value: the same'
run secret diff pw "$v1"
ends 2
run secret wrap pw --ttl PT1M
ends 0
mv out token
run secret unwrap
ends 2
cp token in
run secret unwrap --out got
ends 1
cp token in
run secret unwrap --show
ends 0
prints 'a\nb\n'
cp token in
run secret unwrap --show
ends 1
run secret disable pw
ends 0
run secret get pw --show
ends 1
says disabled
run secret enable pw
ends 0
run secret backup pw --out pw.backup
ends 0
run secret delete pw
ends 0
run secret get pw
ends 1
run secret list --deleted
has pw
run secret recover pw
ends 0
run secret delete pw
run secret purge pw
ends 0
run secret restore --file pw.backup
ends 0
run secret get pw --version "$v1" --show
prints 'geheim-1'
with '' secret set pw
ends 1
printf '\377\376' >in
run secret set pw
ends 1
says base64
with x secret set 'a b'
ends 1
with x secret set pw --tag nothing
ends 2
with x secret set pw --expires tomorrow
ends 2
with x secret set pw extra
ends 2
run secret gte pw
ends 2
says "did you mean 'get'?"
run secret list --ttl P1D
ends 2
run secret --help
has 'unwrap'
run secret list --output json
has '"id"'
lacks geheim
run secret list --output nonsense
ends 2

# ---- vaults ----
cat >vault.json <<END
{"location":"local","properties":{"tenantId":"$(sed -n 's/.*"tenant_id":"\([^"]*\)".*/\1/p' "$RINGFORT_BOOTSTRAP")",
 "sku":{"family":"A","name":"standard"},"enableRbacAuthorization":false,"accessPolicies":[]}}
END
run resource put Microsoft.KeyVault/vaults/second-1 vault.json
ends 0
run secret list --vault second-1
ends 1
says 'does not have secrets list'
sed -i 's/"enableRbacAuthorization":false/"enableRbacAuthorization":true/' vault.json
run resource put Microsoft.KeyVault/vaults/second-1 vault.json
ends 0
with of-second secret set pw --vault second-1 --expires P3D
ends 0
named=$("$ringfort" resource get Microsoft.KeyVault/vaults/second-1 | sed -n 's/.*"vaultUri": "\([^"]*\)".*/\1/p')
run secret get pw --vault "$named" --show
prints 'of-second'
run secret get pw --vault http://elsewhere.example --show
ends 1
says 'https only'
run secret list --vault no-such-vault
ends 1

# An application with a right in one vault, by its file and by a login.
vault_id=$("$ringfort" resource get Microsoft.KeyVault/vaults/second-1 | sed -n 's/^  "id": "\([^"]*\)".*/\1/p')
run app create reader --role 'Key Vault Secrets User' --scope "$vault_id" --out reader.json
ends 0
run secret get pw --bootstrap reader.json --vault second-1 --show
prints 'of-second'
run secret get pw --bootstrap reader.json --show
ends 1
member() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$2" | head -n 1; }
XDG_CONFIG_HOME=$dir/config
export XDG_CONFIG_HOME
unset RINGFORT_BOOTSTRAP
member client_secret "$data/bootstrap.json" >in
run login --server "$(member https "$data/bootstrap.json")" --ca "$data/ca.pem" --tenant "$(member tenant_id "$data/bootstrap.json")" \
    --client-id "$(member client_id "$data/bootstrap.json")" --keep-secret
ends 0
run secret get pw --vault second-1 --show
prints 'of-second'
run secret get pw --vault second-1 --version 12
ends 1
says 'no version 12'
RINGFORT_BOOTSTRAP=$data/bootstrap.json
export RINGFORT_BOOTSTRAP
unset XDG_CONFIG_HOME

# A terminal: nothing is shown while it is typed, and it is typed twice.
if command -v python3 >/dev/null; then
    ran typing "$typist" typed-1 typed-1 -- "$ringfort" secret set typed
    ends 0
    lacks typed-1
    has 'once more'
    run secret get typed --show
    prints 'typed-1'
    ran typing "$typist" typed-2 typed-3 -- "$ringfort" secret set typed
    ends 1
    has 'not the same'
    printf 'a\033[2Jb\n' >whole
    run secret set escape --file whole
    ran showing "$typist" -- "$ringfort" secret get escape --show
    has 'a\e[2Jb'
fi

# ---- keys ----
run key create signer --kty EC --curve P-256
ends 0
printf data >plain
run key sign signer --algorithm ES256 --file plain
ends 0
mv out signature
run key verify signer --algorithm ES256 --file plain --signature signature
ends 0
run key sign signer --algorithm ES256 --file plain --out signature.raw
ends 0
[ "$(stat -c %s signature.raw)" = 64 ] || fail 'the signature is not 64 bytes'
run key verify signer --algorithm ES256 --file plain --signature signature.raw
ends 0
with other key verify signer --algorithm ES256 --signature signature.raw
ends 1
openssl dgst -sha256 -binary plain >in
run key sign signer --algorithm ES256 --digest
ends 0
run key create rsa --kty RSA --size 2048 --ops sign,verify,decrypt,encrypt
ends 0
run key public rsa --pem
ends 0
mv out rsa.pub
run key sign rsa --algorithm RS256 --file plain --out rsa.sig
ends 0
ran openssl openssl dgst -sha256 -verify rsa.pub -signature rsa.sig plain
ends 0
ran openssl openssl pkeyutl -encrypt -pubin -inkey rsa.pub -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -in plain -out rsa.box
ends 0
run key decrypt rsa --algorithm RSA-OAEP-256 --file rsa.box --raw
prints data
run key create box --kty oct --size 256
ends 0
for algorithm in A256GCM A256CBCPAD; do
    with secret-text key encrypt box --algorithm $algorithm
    ends 0
    lacks secret-text
    mv out boxed
    cp boxed in
    run key decrypt box --algorithm $algorithm --raw
    prints secret-text
    run key encrypt box --algorithm $algorithm --file plain --out boxed.raw --force
    run key decrypt box --algorithm $algorithm --file boxed.raw --out opened --force
    ends 0
    cmp -s plain opened || fail "$algorithm does not come back"
done
with x key decrypt box --algorithm A256GCM
ends 1
head -c 32 /dev/urandom >key
run key wrap box --algorithm A256KW --file key --out key.wrapped
ends 0
run key unwrap box --algorithm A256KW --file key.wrapped --out key.back
cmp -s key key.back || fail 'a key is not unwrapped'
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out ec.pem 2>/dev/null
run key import ec --file ec.pem
ends 0
run key public ec --pem
openssl pkey -in ec.pem -pubout -out ec.pub
cmp -s out ec.pub || fail 'the key is another after its import'
openssl genrsa -aes256 -passout pass:words -out locked.pem 2048 2>/dev/null
run key import locked --file locked.pem
ends 1
with words key import locked --file locked.pem --password-stdin
ends 0
run key import bad --file plain
ends 1
printf '{"lifetimeActions":[{"trigger":{"timeAfterCreate":"P30D"},"action":{"type":"Rotate"}}],"attributes":{"expiryTime":"P90D"}}' >policy.json
run key policy signer --file policy.json
ends 0
has P30D
run key policy signer
has P30D
run key rotate signer
ends 0
[ "$("$ringfort" key versions signer --format csv | wc -l)" = 3 ] || fail 'there are not two versions'
run key disable signer
run key sign signer --algorithm ES256 --file plain
ends 1
run key create none
ends 2
run key sign signer --file plain
ends 2
run key backup box --out box.backup
ends 0
run key delete box
run key purge box
run key restore --file box.backup
ends 0
run key list --format csv
has 'box,'

# ---- certificates ----
run cert issuer set House --provider Ringfort-CA
ends 0
run cert create web --issuer House --subject CN=web.example --dns web.example --dns www.example --wait
ends 0
has CN=web.example
run cert issuer list --format csv
has House,Ringfort-CA
run cert issuer show House --pem --out ca.crt
ends 0
run cert get web
ends 0
mv out web.crt
openssl x509 -in web.crt -noout -ext subjectAltName | grep -q www.example || fail 'a name is missing'
run cert get web --der --out web.der
ends 0
run cert get web --with-key
ends 2
run cert get web --with-key --out web.pfx
ends 0
[ "$(stat -c %a web.pfx)" = 600 ] || fail 'others may read the key'
openssl pkcs12 -in web.pfx -passin pass: -nodes 2>/dev/null | grep -q 'PRIVATE KEY' || fail 'the PFX holds no key'
run cert get web --with-key --pem --out web.pem
ends 0
grep -q 'PRIVATE KEY' web.pem || fail 'the PEM holds no key'
ran verify openssl verify -CAfile ca.crt -untrusted web.pem web.crt
ends 0
run cert renew web
ends 0
[ "$("$ringfort" cert versions web --format csv | wc -l)" = 3 ] || fail 'there are not two versions'
run cert import copy --file web.pfx
ends 0
run cert import copy2 --file web.pem
ends 0
openssl req -x509 -newkey rsa:2048 -nodes -keyout o.key -out o.crt -subj /CN=outside -days 2 2>/dev/null
openssl pkcs12 -export -inkey o.key -in o.crt -out o.pfx -passout pass:words
run cert import outside --file o.pfx
ends 1
with words cert import outside --file o.pfx --password-stdin
ends 0
run cert create asked --issuer Unknown --subject CN=asked.example --wait
ends 0
says 'cert merge asked'
run cert csr asked
ends 0
mv out asked.csr
openssl x509 -req -in asked.csr -CA o.crt -CAkey o.key -days 1 -out asked.crt 2>/dev/null
run cert merge asked --file asked.crt
ends 0
run cert pending asked
has completed
run cert create self --self-signed --subject CN=self --validity 1 --wait
ends 0
run cert create none --subject CN=x
ends 2
run cert revoke web --reason because
ends 2
old=$("$ringfort" cert versions web --format csv | sed -n '2s/^web,\([0-9a-f]*\),.*/\1/p')
run cert revoke web --version "$old" --reason superseded
ends 0
run cert revoke self --reason superseded
ends 1
run cert issuer issued House --format csv
has ',CN=web.example,'
run cert issuer issued House --revoked --format csv
ends 0
has ',revoked,superseded'
number=$("$ringfort" cert get web | openssl x509 -noout -serial | sed 's/serial=//')
run cert issuer revoke House --serial "$number" --reason keyCompromise
ends 0
run cert issuer revoke House --reason keyCompromise
ends 2
run cert expiring --days 5 --format csv
ends 0
has 'outside'
has 'second-1,secret,pw'
lacks ',self,'
run cert expiring --days 40 --format csv
has 'certificate,self,'
run cert delete self
run cert purge self
ends 0

# ---- a command with secrets ----
with 'of-env' secret set env-1
# shellcheck disable=SC2016 # for the shell that is run
run run --env A=secret:///env-1 --env B=secret://second-1/pw --file file=secret:///env-1 -- sh -c 'echo "$A $B"; cat file'
prints 'of-env of-second\nof-env'
[ "$(stat -c %a file)" = 600 ] || fail 'others may read the file'
run run --env A=secret:///env-1 --file file=secret:///env-1 -- touch ran
ends 1
run run --env A=secret:///env-1 -- sh -c 'env; ls -l /proc/self/fd'
lacks RINGFORT_
lacks bootstrap
lacks socket:
run run --env A=secret:///env-1 --env B=secret:///missing -- touch ran
ends 1
says 'B: '
[ ! -e ran ] || fail 'it ran without all of its secrets'
run run --env A=secret:///env-1 -- sh -c 'exit 7'
ends 7
run run --env A=secret://env-1 -- touch ran
ends 2
says 'secret:///NAME'
run run --env A=env-1 -- touch ran
ends 2
run run --env 1A=secret:///env-1 -- touch ran
ends 2
run run --env A=secret:///env-1 -- ./no-such-program
ends 1
# The shell's arguments belong to the command.
# shellcheck disable=SC2016
run run --env A=secret:///env-1 sh -c 'echo "$1"' sh --env
prints '--env\n'

# ---- credentials ----
if command -v python3 >/dev/null; then
    printf '# of units\nweb.service/password = secret:///env-1\nshared=secret://second-1/pw\n' >credentials.conf
    "$ringfort" credentials serve --socket "$dir/sock" --config credentials.conf 2>credentials.log &
    serving=$!
    tries=0
    until [ -S sock ] || [ $tries -gt 50 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    ran credential "$caller" sock web.service password
    prints 'of-env'
    ran credential "$caller" sock other.service shared
    prints 'of-second'
    for wrong in 'other.service password' 'web.service nothing' 'web.service ../password' '- -'; do
        # shellcheck disable=SC2086 # two words
        ran "credential $wrong" "$caller" sock $wrong
        ends 0
        [ "$(wc -c <out)" -gt 1048576 ] || fail 'systemd would take it for a credential'
        lacks of-env
    done
    lacks_log() { if grep -qF "$1" credentials.log; then fail "the log shows: $1"; fi; }
    lacks_log of-env
    grep -q "gave the credential 'password' to web.service" credentials.log || fail 'the log does not say who had it'
    [ "$(stat -c %a sock)" = 600 ] || fail 'others may ask'
    kill $serving
    wait $serving 2>/dev/null
    # The sockets that systemd gives: a listening one, and a connection.
    for accept in no yes; do
        ran "socket activation, accept=$accept" "$caller" --activate $accept "$ringfort" credentials serve --map password=secret:///env-1
        prints 'of-env'
    done
fi
run credentials serve --map password=secret:///env-1 --print-unit
ends 0
has 'SocketMode=0600'
has '--map password=secret:///env-1'
run credentials serve --map password
ends 1
run credentials serve
ends 1
conclude
