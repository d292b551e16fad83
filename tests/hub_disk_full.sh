#!/bin/sh
# A disk that is full under event hubs: over each protocol what is sent is refused with an error that lets clients try again, nothing that was
# acknowledged is lost, also when the server is killed then, and with room again the same clients go on.
#
# The hubs' folder is a small file system in memory, mounted in a name space of our own; without the right to do that the test
# is skipped. The clients and the check are those of tests/crash_hub.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
build=$(dirname "$ringfort")
needs_program ps
needs "$build/tests_crash_hub_sender" # built where librdkafka is

if [ "${1:-}" != inside ]; then
    root=
    [ "$(id -u)" = 0 ] || root=-r
    if ! unshare $root -m true 2>/dev/null && ! { root=-r && unshare -rm true 2>/dev/null; }; then
        skip 'no name space for a file system of our own'
    fi
    own_folder
    RINGFORT=$ringfort unshare $root -m "tests/$(basename "$0")" inside "$dir"
    exit
fi

dir=$2
random=1
# shellcheck source=tests/lib/crash.sh
. tests/lib/crash.sh
sender=
mkdir "$dir/sent"
trap '[ -z "$sender" ] || kill -9 $sender 2>/dev/null || true; stop; umount "$data/hubs" 2>/dev/null || true' EXIT

client()
{
    case $2 in
    prepare) "$build/tests_crash_hub_sender" "$1" prepare ;;
    *) "$build/tests_crash_hub_checker" "$1" "$2" "$dir/sent" ;;
    esac
}
# shellcheck disable=SC2034
driver=client

# What clients are told: each of these lets them try again.
told='status 503|amqp:internal-error|server-busy|KAFKA_STORAGE_ERROR'
refusals() { cat "$dir"/sent/*.sent 2>/dev/null | grep -cE "$told" || true; }

# wait_full - until the file system is full, and clients were told of it REFUSALS times more than before.
REFUSALS=25
wait_full()
{
    tries=0 before=$(refusals)
    until [ "$(df -k --output=avail "$data/hubs" | tail -n 1)" -le 8 ] && [ "$(refusals)" -ge $((before + REFUSALS)) ]; do
        tries=$((tries + 1))
        if [ $tries -gt 300 ]; then
            tail -n 2 "$dir"/sent/*.sent >&2
            die "not everybody was told that the disk is full"
        fi
        sleep 0.1
    done
}

mkdir "$data/hubs"
mount -t tmpfs -o size=700k tmpfs "$data/hubs" 2>/dev/null || skip 'no right to mount a file system'
start
answers prepare
port_stays
# One request at a time: librdkafka 2.0 gives up for good when the first of several finds no room after it had to connect again.
CRASH_KAFKA_IN_FLIGHT=1 "$build/tests_crash_hub_sender" "$data/bootstrap.json" "$dir/sent" 7 2>"$dir/sender.err" &
sender=$!
for size in 1500k 2500k 64m; do
    wait_full
    # The second time the server is killed while there is no room.
    [ "$size" != 2500k ] || kill_one 1
    answers ends
    mount -o "remount,size=$size" "$data/hubs"
done
# Kafka's producers with sequence numbers wait without a word; all the others were told, each in its protocol's way.
for name in amqp-any amqp-key amqp-part ws-any ws-part; do
    grep -qE 'unknown .* - .*(amqp:internal-error|server-busy)' "$dir/sent/$name.sent" || die "$name was not told"
done
for name in https-key https-part; do
    grep -q 'unknown .* - status 503' "$dir/sent/$name.sent" || die "$name was not told"
done
grep -q 'unknown .* - KAFKA_STORAGE_ERROR' "$dir/sent/kafka-plain.sent" || die "kafka-plain was not told"
sleep 2
kill $sender
wait $sender
sender=
"$build/tests_crash_hub_checker" "$data/bootstrap.json" check "$dir/sent"
stop
supervisor=
