#!/bin/sh
# Started as root, each process of the server runs as a user of its own and owns its part of the folder. The users are those of
# a passwd file that only the processes of this test see.
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
[ "$(id -u)" = 0 ] || skip 'not root: nobody else can become another user'
needs_program unshare
needs_program ps
own_folder
{ cat /etc/passwd; echo 'ringfort-keeper:x:64301:64301::/:/usr/sbin/nologin'; } | grep -v '^ringfort-server:' >"$dir/passwd1"
{ cat "$dir/passwd1"; echo 'ringfort-server:x:64302:64302::/:/usr/sbin/nologin'; } >"$dir/passwd2"
{ cat "$dir/passwd1"; echo 'ringfort-server:x:64301:64301::/:/usr/sbin/nologin'; } >"$dir/passwd3"
# with PASSWD COMMAND... - runs it where /etc/passwd is that file.
cat >"$dir/with" <<'END'
#!/bin/sh
passwd=$1
shift
exec unshare --mount sh -c 'mount --bind "$0" /etc/passwd && exec "$@"' "$passwd" "$@"
END
chmod 755 "$dir/with"
"$dir/with" "$dir/passwd2" true 2>/dev/null || skip 'mount namespaces are not to be had here'
cat >"$dir/ringfort" <<END
#!/bin/sh
exec "$dir/with" "\${PASSWD:-$dir/passwd2}" "$ringfort" "\$@"
END
chmod 755 "$dir/ringfort"
ringfort=$dir/ringfort
# shellcheck source=tests/lib/serve.sh
. tests/lib/serve.sh
cd "$dir" || exit

# owner USER:MODE PATH - whose it is; by number, as the users are not known out here.
owner()
{
    command="the owner of $2" status=$(stat -c '%u:%a' "$2")
    : >out; : >err
    [ "$status" = "$1" ] || fail "wanted $1"
}
# identity ROLE UID - all ids and groups of a process, and its capabilities.
identity()
{
    pid=$(child "$1")
    command="the process $1" status=0
    grep -E '^(Uid|Gid|Groups|CapPrm|CapEff|CapBnd|CapInh|CapAmb|NoNewPrivs)' "/proc/$pid/status" >out 2>err
    grep -q "^Uid:	$2	$2	$2	$2$" out || fail "wanted the user $2"
    grep -q "^Gid:	$2	$2	$2	$2$" out || fail "wanted the group $2"
    grep -q '^Groups:	 *$' out || fail 'wanted no further groups'
    [ "$(grep -cE '^Cap...:	0+$' out)" = 5 ] || fail 'wanted no capability'
}

# ---- a folder that the users cannot reach ----
chmod 700 "$dir"
run serve --data "$data" --listen-https 127.0.0.1:0
ends 1
says 'the user ringfort-keeper cannot pass through'
chmod 711 "$dir"
rm -rf "$data"

# ---- users that are not apart, and one that is missing ----
PASSWD=$dir/passwd3 run serve --data "$data" --listen-https 127.0.0.1:0
ends 1
says 'have the same id'
run doctor
grep -qE '^ok +users ' out || fail 'the users are there'
PASSWD=$dir/passwd1 run doctor
grep -qE '^MISSING +users +there is no user ringfort-server' out || fail 'a user is missing'
has 'systemd-sysusers'
rm -rf "$data"

# ---- without users of their own, and said ----
PASSWD=$dir/passwd1; export PASSWD
server_start
command='ringfort serve' status=0
cp log out
has 'users.shared'; has 'there is no user ringfort-server'; has 'useradd --system'
owner 0:700 "$data/keeper"
owner 0:700 "$data"
server_stop
unset PASSWD

# ---- what was root's is handed over; each process is who it should be ----
: >log
server_start
cp log out; : >err
! grep -q users.shared log || fail 'the users are there'
identity keeper 64301
identity server 64302
command='the supervisor' status=0
grep -E '^Cap(Prm|Eff|Bnd)' "/proc/$supervisor/status" >out
# CAP_KILL, CAP_SETGID, CAP_SETUID, CAP_SETPCAP, CAP_NET_BIND_SERVICE
[ "$(grep -c '	00000000000005e0$' out)" = 3 ] || fail 'wanted five capabilities'
owner 0:711 "$data"
owner 64301:700 "$data/keeper"
owner 64302:700 "$data/state"
find "$data/keeper" ! -user 64301 >out; find "$data/state" "$data/tables" ! -user 64302 >>out
[ ! -s out ] || fail 'these have another owner'
run doctor --data "$data"
grep -qE '^ok +data-owners ' out || fail 'the owners are right'
grep -qE '^ok +data-folder ' out || fail 'the folder is shut'

# ---- a role that dies comes back as its user, and the supervisor may end both ----
kill -9 "$(child server)"
tries=0
until run query --bootstrap "$data/bootstrap.json" 'print 1'; [ "$status" = 0 ]; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || break
    sleep 0.1
done
ends 0
identity server 64302

# ---- a copy made while it serves is root's, leaves no file of root's behind, and serves ----
run backup --data "$data" copy
ends 0
find "$data/keeper" ! -user 64301 >out; find "$data/state" "$data/tables" ! -user 64302 >>out
[ ! -s out ] || fail 'the backup left files of its own in the original'
server_stop
command='ringfort serve'
[ "$status" = 0 ] || fail 'wanted a clean end'
first=$data
data=$dir/copy
server_start
owner 64301:700 "$data/keeper"
owner 64301:600 "$data/keeper/root.key"
server_stop

# ---- a killed supervisor leaves nobody ----
server_start
pids="$(child server) $(child keeper)"
kill -9 "$supervisor"
wait "$supervisor" 2>/dev/null
supervisor=
tries=0
# shellcheck disable=SC2086
while ps -o pid= -p "$(echo $pids | tr ' ' ',')" >out && [ $tries -lt 50 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
command='ps' status=0
[ ! -s out ] || fail 'processes are left'

# ---- a folder of another user's is not taken, nor root's any more when the users are gone ----
data=$first
PASSWD=$dir/passwd1 run serve --data "$data" --listen-https 127.0.0.1:0
ends 1
says 'belongs to the user with the id 64301'
chown 12345 "$data"
run serve --data "$data" --listen-https 127.0.0.1:0
ends 1
says 'belongs to the user with the id 12345'
chown 0 "$data"

# ---- a file with a second name elsewhere is not given away ----
mkdir -p new/tables
chmod 711 new
echo precious >precious
ln precious new/tables/x
run serve --data new --listen-https 127.0.0.1:0
ends 1
says 'no file with one name'
owner 0:644 precious
conclude
