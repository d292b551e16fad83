#!/bin/sh
# The server's listeners show certificates of a vault: one that its authority issued, then a new version of it, then one that was imported, while clients of HTTPS, AMQP
# and Kafka connect and keep connections: none of them fails. One that is disabled or deleted stays shown, the log and doctor say so, and a start without it shows the
# server's own. Who may not bind does not.
set -eu
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
needs_program python3
needs_program openssl
own_folder
# shellcheck source=tests/lib/serve.sh
. tests/lib/serve.sh
cd "$dir" || exit
server_start
boot=$data/bootstrap.json
address() { sed -n "s/.*\"$1\": *\"[^\"]*:\([0-9]*\)[^\"0-9]*\".*/\1/p" "$boot" | head -n 1; }
ports() { https=$(address https) amqps=$(address amqps) kafka=$(address kafka); }
ports
cp "$data/ca.pem" trusted.pem
cert() # WORD...
{
    run cert "$@" --bootstrap "$boot" --ca trusted.pem
}
serial() # PORT - of what is shown there
{
    openssl s_client -connect "localhost:$1" </dev/null 2>/dev/null | openssl x509 -noout -serial | sed 's/.*=//'
}
latest() # NAME - the serial number of the version that the vault has
{
    "$ringfort" cert get "$1" --pem --bootstrap "$boot" --ca trusted.pem | openssl x509 -noout -serial | sed 's/.*=//'
}
shown() # PORT SERIAL WHAT
{
    tries=0
    until [ "$(serial "$1")" = "$2" ]; do
        tries=$((tries + 1))
        if [ $tries -gt 40 ]; then
            fail "$3 is not shown"
            return
        fi
        sleep 0.1
    done
}

# ---- certificates: of the vault's authority (RSA), and one that is imported (P-384) ---------------------------------------------------------------
cert issuer set House --provider Ringfort-CA; ends 0
make() { cert create siem --issuer House --subject CN=siem.contoso.test --dns localhost --dns siem.contoso.test --wait; ends 0; }
make
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout other.key -out other.crt -days 30 -subj /CN=other -addext subjectAltName=DNS:localhost 2>/dev/null
cat other.key other.crt >other.pem
cert import other --file other.pem; ends 0
cert issuer show House --pem; ends 0
cat out other.crt "$data/ca.pem" >all.pem
mv all.pem trusted.pem

# ---- clients without an end: a line for each that failed; "stop" is the file that ends them -----------------------------------------------------------
cat >clients.py <<'PY'
import os, socket, ssl, struct, sys, threading, time, http.client
ca, https, amqps, kafka = sys.argv[1], *map(int, sys.argv[2:5])
done, failures, serials, lock = {}, [], set(), threading.Lock()
def context(version=None):
    c = ssl.create_default_context(cafile=ca)
    c.options |= ssl.OP_NO_TICKET   # a whole handshake each time, with its signature
    if version: c.maximum_version = version
    return c
def connect(port, version=None):
    s = context(version).wrap_socket(socket.create_connection(("localhost", port), 10), server_hostname="localhost")
    s.settimeout(10)
    with lock: serials.add(s.getpeercert()["serialNumber"])
    return s
def exactly(s, n):
    got = b""
    while len(got) < n:
        more = s.recv(n - len(got))
        if not more: raise OSError("ended")
        got += more
    return got
def get(c):
    c.request("GET", "/subscriptions")
    a = c.getresponse(); a.read()
    if a.status != 401: raise OSError("status %d" % a.status)
def https_new():
    c = http.client.HTTPSConnection("localhost", https, timeout=10, context=context()); get(c); c.close()
def https_old(): connect(https, ssl.TLSVersion.TLSv1_2).close()
kept = {}
def https_kept():
    if "h" not in kept:
        kept["h"] = http.client.HTTPSConnection("localhost", https, timeout=10, context=context())
        kept["h"].connect(); kept["h"].auto_open = 0   # never a second connection
    get(kept["h"])
def amqp_new():
    s = connect(amqps); s.sendall(b"AMQP\x03\x01\x00\x00")
    if exactly(s, 8) != b"AMQP\x03\x01\x00\x00": raise OSError("no AMQP")
    s.close()
def kafka_new():
    s = connect(kafka)
    s.sendall(struct.pack(">ihhih", 10, 18, 0, 7, -1))
    n, = struct.unpack(">i", exactly(s, 4))
    if struct.unpack(">i", exactly(s, n)[:4])[0] != 7: raise OSError("no Kafka")
    s.close()
def loop(work):
    while not os.path.exists("stop"):
        try: work()
        except Exception as e:
            with lock: failures.append("%s: %r" % (work.__name__, e))
            if len(failures) > 20: return
        with lock: done[work.__name__] = done.get(work.__name__, 0) + 1
        threading.Event().wait(0.02)
threads = [threading.Thread(target=loop, args=(w,)) for w in (https_new, https_old, https_kept, amqp_new, kafka_new)]
for t in threads: t.start()
for t in threads: t.join()
for f in failures: print("FAILURE", f)
print(" ".join("%s=%d" % i for i in sorted(done.items())), "serials=%d" % len(serials))
PY
own=$(serial "$https")
[ -n "$own" ] || fail 'no certificate is shown'
python3 clients.py trusted.pem "$https" "$amqps" "$kafka" >clients.out 2>&1 &
clients=$!
sleep 0.5

cert listen siem https; ends 0
shown "$https" "$(latest siem)" 'the certificate of the vault'
[ "$(serial "$amqps")" = "$own" ] || fail 'the streams were not bound yet'
cert listen siem streams; ends 0
for port in "$amqps" "$kafka"; do shown "$port" "$(latest siem)" "the certificate of the vault at $port"; done
# The chain is whole: an openssl that knows the root alone believes it.
cert issuer show House --pem; ends 0
cp out root.pem
ran verify sh -c "openssl s_client -connect localhost:$https -CAfile root.pem -verify_return_error -verify_hostname localhost </dev/null"
ends 0
before=$(latest siem)
make
[ "$(latest siem)" != "$before" ] || fail 'there is no new version'
for port in "$https" "$amqps" "$kafka"; do shown "$port" "$(latest siem)" "the new version at $port"; done
cert listen other https; ends 0
shown "$https" "$(latest other)" 'the imported certificate'
shown "$amqps" "$(latest siem)" 'the certificate of the streams'
sleep 0.5
: >stop
wait $clients || fail 'the clients broke off'
cat clients.out
if grep -q FAILURE clients.out; then fail 'a client failed'; fi
for kind in https_new https_old https_kept amqp_new kafka_new; do
    [ "$(sed -n "s/.*$kind=\([0-9]*\).*/\1/p" clients.out)" -gt 20 ] || fail "$kind did too little"
done
[ "$(sed -n 's/.*serials=\([0-9]*\).*/\1/p' clients.out)" -ge 4 ] || fail 'the clients saw not all certificates'
run doctor --data "$data"
grep -q '^ok *listeners .*https vault://.*/other good' out || fail 'doctor tells nothing of the listeners'

# ---- what is no more: the last good one stays; a keeper that is started anew, and a server, find it again --------------------------------------------------
kill -9 "$(child keeper)"
sleep 0.3
shown "$https" "$(latest other)" 'the imported certificate, by another keeper'
cert disable other; ends 0
tries=0
until grep -q 'listener.certificate_kept.*SealDisabled' log; do
    tries=$((tries + 1))
    [ $tries -lt 50 ] || { fail 'the log does not tell of the disabled certificate'; break; }
    sleep 0.1
done
shown "$https" "$(latest other)" 'the disabled certificate'
run doctor --data "$data"
grep -q '^MISSING *listeners .*/other STALE' out || fail 'doctor does not tell of the disabled certificate'
server_stop
[ "$status" = 0 ] || fail "the server ended with $status"
server_start
ports
own=$(serial "$https")
[ "$own" != "$(latest other)" ] || fail 'a disabled certificate is shown after a start'
[ "$(serial "$amqps")" = "$(latest siem)" ] || fail 'the streams show another one after a start'
cert enable other; ends 0
shown "$https" "$(latest other)" 'the certificate that is enabled again'
cert delete other; ends 0
sleep 1.5
[ "$(serial "$https")" != "$own" ] || fail 'a deleted certificate did not stay'
cert recover other; ends 0
cert unlisten other https; ends 0
shown "$https" "$own" 'the own certificate'
cert unlisten other https; ends 1
says 'does not use'

# ---- who may --------------------------------------------------------------------------------------------------------------------------------------------
cert listen nothing https; ends 1
cert listen siem smtp; ends 2
grep -q '"event":"listener.bound","detail":"https oid' "$data/keeper/audit.log" || fail 'the audit log does not tell who bound'
grep -q '"event":"listener.unbound","detail":"https oid' "$data/keeper/audit.log" || fail 'the audit log does not tell who ended it'
cert list; ends 0
has siem
conclude
