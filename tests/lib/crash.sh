# shellcheck shell=sh disable=SC2154,SC2034
# tests/lib/crash.sh - what tests share that kill the server. Sourced after check.sh, with $dir made, $driver the client
# and $random a seed. The server's data are in $data.

data=$dir/data
mkdir "$data"
supervisor=

next() # sets $random to the next number of a plain generator, 0..2147483647
{
    random=$(((random * 1103515245 + 12345) % 2147483648))
}

start()
{
    "$ringfort" serve --data "$data" --listen-https "127.0.0.1:${port:-0}" >>"$dir/log" 2>&1 &
    supervisor=$!
}

stop()
{
    [ -z "$supervisor" ] || { kill "$supervisor" 2>/dev/null && wait "$supervisor" 2>/dev/null; } || true
}
trap 'stop; rm -rf "$dir"' EXIT

die()
{
    echo "$1" >&2
    exit 1
}

# answers WORD - waits until the client's WORD ends well; its output is in $answer.
answers()
{
    tries=0
    until answer=$("$driver" "$data/bootstrap.json" "$1" 2>"$dir/answers.err"); do
        tries=$((tries + 1))
        if [ $tries -gt 150 ]; then
            cat "$dir/answers.err" >&2
            tail -n 20 "$dir/log" >&2
            die "the server does not answer"
        fi
        # While nobody listens there, somebody's connection may have the port for its own end.
        case $(ps -o stat= -p "$supervisor") in
        '' | Z*) tail -n 5 "$dir/log" | grep -q AddressInUse && start ;;
        esac
        sleep 0.2
    done
}

# port_stays - has the server come back on the port that it has now, so that clients find it again.
port_stays()
{
    # shellcheck disable=SC2034
    port=$(sed -n 's/.*"https":"https:[^"]*:\([0-9]*\)".*/\1/p' "$data/bootstrap.json")
}

# child ROLE - the process id of that role below the supervisor.
child()
{
    for pid in $(ps -o pid= --ppid "$supervisor"); do
        if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q " @$1 "; then
            echo "$pid"
            return
        fi
    done
}

# kill_one N - kills the supervisor (0), which is started again, the server (1) or the keeper (2).
kill_one()
{
    case $1 in
    0) victim=$supervisor ;;
    1) victim=$(child server) ;;
    *) victim=$(child keeper) ;;
    esac
    [ -z "$victim" ] || kill -9 "$victim" 2>/dev/null || true
    if [ "$1" = 0 ]; then
        wait "$supervisor" 2>/dev/null || true
        start
    fi
}
