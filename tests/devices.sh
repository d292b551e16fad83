#!/bin/sh
# Devices by the command line: enrolled, sending as themselves over AMQP, WebSocket, HTTPS and Kafka, refused elsewhere, renewed, revoked
# while they are connected; each refusal is a row.
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
own_folder
# shellcheck source=tests/lib/serve.sh
. tests/lib/serve.sh
needs_program curl
needs_program openssl
cd "$dir" || exit
server_start
boot=$data/bootstrap.json
setting() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" "$boot" | head -n 1; }
https=$(setting https) kafka=$(setting kafka) ca=$data/ca.pem
device() { what=$1; shift; run device "$what" --bootstrap "$boot" "$@"; }
send() { run events send --bootstrap "$boot" events --device-field d --devices c "$@"; }
# post DEVICE PATH - prints the status
post()
{
    ran "curl $2" curl -sS -o answer -w '%{http_code}' --cacert "$ca" --cert "c/$1.pem" --key "c/$1.key" \
        -H 'Content-Type: text/plain' -d hello "$https/$2"
}
answers() { [ "$(cat out)" = "$1" ] || fail "the answer is $1"; }
serial() { openssl x509 -in "c/$1.pem" -noout -serial | sed 's/.*=//'; }
# until_row CONDITION - rows are written behind the answer
until_row()
{
    tries=0
    until run query --bootstrap "$boot" --format csv "RingfortDenials | where $1 | count" && [ "$(tail -n 1 out)" != 0 ] &&
        [ "$status" = 0 ]; do
        tries=$((tries + 1))
        if [ $tries -gt 100 ]; then
            fail "a row of RingfortDenials where $1"
            return
        fi
        sleep 0.1
    done
}

# Enrolled: a key that nobody else can read, which is not written over.
device enrol truck-7 truck-8 --hub events --out c; ends 0
[ "$(stat -c %a c/truck-7.key)" = 600 ] || fail 'the key is for its owner alone'
cp c/truck-7.key before
device enrol truck-7 --hub events --out c; ends 1
says 'is not written over'
cmp -s before c/truck-7.key || fail 'the key is as it was'
device enrol truck-9 --out c; ends 1
says '--hub HUB'
[ ! -e c/truck-9.key ] || fail 'no key without a device'
device enrol truck-9 --hub nosuch --out c; ends 1
says nosuch
device enrol 'truck 9' --hub events; ends 2
device list --format csv; ends 0
has 'truck-7,Enabled,events,1,'
openssl x509 -in c/truck-7.pem -noout -subject -nameopt RFC2253 >out
has 'CN=truck-7,'

# Sent, as itself and as nobody else.
printf '{"d":"truck-7","n":1}\n' >in
send -; ends 0
printf '{"d":"truck-7","n":2}\n' >in
send --over websocket -; ends 0
post truck-7 events/publishers/truck-7/messages; answers 201
post truck-7 events/publishers/truck-8/messages; answers 401
post truck-7 events/messages; answers 401
run events peek --bootstrap "$boot" events; ends 0
[ "$(grep -c '"publisher":"truck-7"' out)" = 3 ] || fail 'three events of truck-7'
until_row "Caller == 'truck-7' and Code == 'Unauthorized' and Scope endswith 'events/messages'"

# Another hub, to which it is not registered.
run resource put --bootstrap "$boot" Microsoft.EventHub/namespaces/ringfort/eventhubs/other - <<X
{}
X
post truck-7 other/publishers/truck-7/messages; answers 401
until_row "Caller == 'truck-7' and Scope has 'other'"

# By a code, without a login.
device enrol truck-9 --hub events --code; ends 0
cp out code
run device enrol truck-9 --server "$https" --ca "$ca" --code-file code --out c; ends 0
post truck-9 events/publishers/truck-9/messages; answers 201
run device enrol truck-9 --server "$https" --ca "$ca" --code-file code --out c2; ends 1
says 'enrolment code'
until_row "Caller == 'truck-9' and Mechanism == 'enrolment'"

# By a request of the device's own, with another kind of key.
openssl req -new -newkey rsa:2048 -nodes -keyout c/rsa-1.key -subj /CN=rsa-1 -out rsa.csr 2>/dev/null
device enrol rsa-1 --hub events --csr rsa.csr --out c; ends 0
post rsa-1 events/publishers/rsa-1/messages; answers 201
device enrol truck-7 --csr rsa.csr --out c2; ends 1
says CN=truck-7

# Renewed, by the certificate alone. What was before is kept, and good until it ends.
old=$(serial truck-9)
run device renew truck-9 --server "$https" --ca "$ca" --out c; ends 0
[ "$(serial truck-9)" != "$old" ] || fail 'another certificate'
[ "$(stat -c %a c/truck-9.key)" = 600 ] || fail 'the new key is for its owner alone'
post truck-9 events/publishers/truck-9/messages; answers 201
[ "$(find c -name 'truck-9.*' | wc -l)" = 4 ] || fail 'both pairs are there'

# Kafka by TLS alone.
if command -v kcat >/dev/null 2>&1; then
    kafka()
    {
        ran "kcat $1" timeout 20 kcat -b "$kafka" -X security.protocol=SSL -X "ssl.ca.location=$ca" \
            -X "ssl.certificate.location=c/$1.pem" -X "ssl.key.location=c/$1.key" -X message.timeout.ms=6000 -P -t "$2"
    }
    echo kafka-1 >line
    kafka truck-7 events <line; ends 0
    run events peek --bootstrap "$boot" events; ends 0
    grep -q '"publisher":"truck-7".*"x-opt-kafka-key":"truck-7".*"kafka-1"' out || fail 'its event says who sent it'
    echo kafka-2 >line
    kafka truck-7 other <line; [ "$status" != 0 ] || fail 'not to a hub that it is not registered for'
    until_row "Caller == 'truck-7' and Scope endswith 'other/publishers/truck-7'"
else
    echo 'kcat is not here: nothing was sent by Kafka'
fi

# Revoked by serial while a connection is open: what follows is refused, and nothing of it is stored.
mkfifo lines
"$ringfort" events send --bootstrap "$boot" events --device-field d --devices c lines >sent 2>&1 &
sender=$!
exec 9>lines
# So many that the sender makes sure of the first ones.
seq 1 2000 | sed 's/.*/{"d":"truck-8","m":&}/' >&9
count() { run events stats --bootstrap "$boot" --format csv events && awk -F, 'NR > 1 { n += $4 } END { print n }' out; }
before=$(count)
tries=0
until [ "$(count)" -ge $((before + 500)) ] || [ "$before" -ge 500 ]; do
    tries=$((tries + 1))
    [ $tries -le 100 ] || { fail 'the first lines are stored'; break; }
    sleep 0.1
done
device revoke truck-8 --serial "$(serial truck-8)"; ends 0
until_row "Caller == 'truck-8' and Code == 'PublisherRevoked'"
before=$(count)
seq 2001 4000 | sed 's/.*/{"d":"truck-8","m":&}/' >&9
exec 9>&-
wait "$sender"; [ $? = 1 ] || fail 'the sender fails'
grep -q revoked sent || fail 'the sender is told why'
[ "$(count)" = "$before" ] || fail 'nothing is stored after the revocation'
post truck-8 events/publishers/truck-8/messages; answers 401
run device renew truck-8 --server "$https" --ca "$ca" --out c; ends 1
says revoked
printf '{"d":"truck-8","n":1}\n{"d":"truck-7","n":3}\n' >in
send -; ends 1
says 'truck-8 is left out'
[ "$(count)" = $((before + 1)) ] || fail 'the other device goes on'
device enrol truck-8 --out c3; ends 0

# Revoked by name; the server remembers.
device revoke truck-8 rsa-1; ends 0
server_stop
server_start
https=$(setting https)
post rsa-1 events/publishers/rsa-1/messages; answers 401
post truck-9 events/publishers/truck-9/messages; answers 201
device enrol truck-8 --out c4; ends 1
says --again
device enrol truck-8 --out c4 --again; ends 0
device show truck-8; ends 0
has Revoked
run query --bootstrap "$boot" --format csv "AzureActivity | where OperationNameValue endswith 'DEVICES/RENEW/ACTION' | count"; ends 0
[ "$(tail -n 1 out)" = 1 ] || fail 'the renewal is a row of AzureActivity'
conclude
