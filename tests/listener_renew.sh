#!/bin/sh
# The listeners' certificate is renewed three times while clients of HTTPS, AMQP and Kafka connect, and go on with connections that they have: none of them fails,
# each renewal has another serial number and the same authority, and after a restart the newest is shown.
set -eu
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
own_folder
# shellcheck source=tests/lib/serve.sh
. tests/lib/serve.sh
needs_program python3
needs_program openssl
cd "$dir" || exit
server_start
boot=$data/bootstrap.json
address() { sed -n "s/.*\"$1\": *\"[^\"]*:\([0-9]*\)[^\"0-9]*\".*/\1/p" "$boot" | head -n 1; }
https=$(address https) amqps=$(address amqps) kafka=$(address kafka)

# Clients without an end: a line for what they did, one for each failure. "stop" is the file that ends them.
cat >clients.py <<'PY'
import os, socket, ssl, struct, sys, threading, time, http.client
ca, https, amqps, kafka = sys.argv[1], *map(int, sys.argv[2:5])
done, failures, serials, lock = {}, [], set(), threading.Lock()
def context():
    c = ssl.create_default_context(cafile=ca)
    c.options |= ssl.OP_NO_TICKET   # a whole handshake each time, with its signature
    return c
def connect(port):
    s = context().wrap_socket(socket.create_connection(("localhost", port), 10), server_hostname="localhost")
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
def versions(s):
    s.sendall(struct.pack(">ihhih", 10, 18, 0, 7, -1))
    n, = struct.unpack(">i", exactly(s, 4))
    if struct.unpack(">i", exactly(s, n)[:4])[0] != 7: raise OSError("no Kafka")
def kafka_new():
    s = connect(kafka); versions(s); s.close()
def kafka_kept():
    # Who does not sign in is sent away after a while; so one lives for six seconds.
    if "k" not in kept or time.monotonic() - kept["since"] > 6:
        kept["k"] = connect(kafka); kept["since"] = time.monotonic()
    versions(kept["k"])
def loop(work):
    while not os.path.exists("stop"):
        try: work()
        except Exception as e:
            with lock: failures.append("%s: %r" % (work.__name__, e))
            if len(failures) > 20: return
        with lock: done[work.__name__] = done.get(work.__name__, 0) + 1
        threading.Event().wait(0.02)
threads = [threading.Thread(target=loop, args=(w,)) for w in (https_new, https_kept, amqp_new, kafka_new, kafka_kept)]
for t in threads: t.start()
for t in threads: t.join()
for f in failures: print("FAILURE", f)
print(" ".join("%s=%d" % i for i in sorted(done.items())), "serials=%d" % len(serials))
PY
python3 clients.py "$data/ca.pem" "$https" "$amqps" "$kafka" >clients.out 2>&1 &
clients=$!

serial() # PORT
{
    openssl s_client -connect "localhost:$1" -CAfile "$data/ca.pem" -verify_return_error </dev/null 2>/dev/null |
        openssl x509 -noout -serial | sed 's/.*=0*//' | tr A-F a-f
}
before=$(serial "$https")
[ -n "$before" ] || fail 'no certificate is shown'
cp "$data/ca.pem" ca.before
for round in 1 2 3; do
    run server renew-certificate --data "$data"; ends 0
    new=$(sed -n 's/certificate \([0-9a-f]*\), .*/\1/p' out)
    [ "$new" != "$before" ] || fail "round $round: the serial number is the old one"
    tries=0
    until [ "$(serial "$https")" = "$new" ] && [ "$(serial "$amqps")" = "$new" ] && [ "$(serial "$kafka")" = "$new" ]; do
        tries=$((tries + 1))
        if [ $tries -gt 100 ]; then
            fail "round $round: the new certificate is not shown"
            break
        fi
        sleep 0.2
    done
    before=$new
done
: >stop
wait $clients || fail 'the clients broke off'
cat clients.out
if grep -q FAILURE clients.out; then fail 'a client failed'; fi
for kind in https_new https_kept amqp_new kafka_new kafka_kept; do
    [ "$(sed -n "s/.*$kind=\([0-9]*\).*/\1/p" clients.out)" -gt 50 ] || fail "$kind did too little"
done
[ "$(sed -n 's/.*serials=\([0-9]*\).*/\1/p' clients.out)" -ge 4 ] || fail 'the clients saw not all certificates'
cmp -s ca.before "$data/ca.pem" || fail 'the authority is another one'

# The newest outlives the process; its audit log tells of each.
server_stop
[ "$status" = 0 ] || fail "the server ended with $status"
server_start
https=$(address https)
[ "$(serial "$https")" = "$before" ] || fail 'after a restart another certificate is shown'
[ "$(grep -c '"event":"key.created","detail":"TLS"' "$data/keeper/audit.log")" = 4 ] || fail 'the audit log tells of four keys'
[ "$(grep -c server.certificate_renewed log)" = 3 ] || fail 'the log tells of three renewals'

# Wrong use.
run server; ends 2
run server restart --data "$data"; ends 2
run server renew-certificate; ends 2
run server renew-certificate --data "$dir/nowhere"; ends 1
conclude
