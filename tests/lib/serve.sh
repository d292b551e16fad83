# shellcheck shell=sh disable=SC2034,SC2154
# tests/lib/serve.sh - a server of its own for a script that has sourced check.sh and called own_folder:
#
#     server_start              in $dir/data, its log in $dir/log; sets $supervisor; returns when it answers
#     child ROLE                the process id of @server or @keeper
#     server_stop               sets $status
#
# The server ends with the script.

data=$dir/data
supervisor=
status=0
trap 'server_stop; chmod -R u+rwx "$dir"; rm -rf "$dir"' EXIT

server_start()
{
    "$ringfort" serve --data "$data" --listen-https 127.0.0.1:0 >>"$dir/log" 2>&1 &
    supervisor=$!
    tries=0
    until "$ringfort" query --bootstrap "$data/bootstrap.json" 'print 1' >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ $tries -gt 150 ] || ! kill -0 "$supervisor" 2>/dev/null; then
            tail -n 20 "$dir/log"
            echo 'the server does not answer'
            exit 1
        fi
        sleep 0.1
    done
}

server_stop()
{
    [ -n "$supervisor" ] || return 0
    status=0
    kill "$supervisor" 2>/dev/null && wait "$supervisor" || status=$?
    supervisor=
}

child()
{
    for pid in $(ps -o pid= --ppid "$supervisor"); do
        if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q " @$1 "; then echo "$pid"; fi
    done
}
