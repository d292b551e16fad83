# shellcheck shell=sh
# tests/lib/check.sh - what the scripts in tests/ share. A script goes to the project's root and sources it:
#
#     cd "$(dirname "$0")/.." || exit
#     . tests/lib/check.sh
#     own_folder; cd "$dir" || exit
#     run query 'print x=1'; ends 0; prints 'x\n1\n'; silent
#     conclude
#
# It sets $ringfort, the path of the program under test, and counts in $failures what did not hold. A check that
# fails is told, and the script goes on.

ringfort=${RINGFORT:-build/ringfort}
case $ringfort in /*) ;; *) ringfort=$PWD/$ringfort ;; esac
failures=0

# own_folder - makes the empty folder $dir, which is gone when the script ends.
own_folder()
{
    dir=$(mktemp -d)
    # A test may have taken away its own right to look into a folder.
    trap 'chmod -R u+rwx "$dir"; rm -rf "$dir"' EXIT
}

# needs PATH, needs_program NAME - skips the test where that is missing.
needs() { [ -e "$1" ] || skip "$1 is not here"; }
needs_program() { command -v "$1" >/dev/null 2>&1 || skip "$1 is not here"; }
skip()
{
    echo "$1"
    exit 77
}

# run WORD... - runs ringfort; leaves $status and the files out and err. Standard input is the file in, which is
# used up, or nothing.
run()
{
    [ -f in ] || : >in
    ran "ringfort $*" "$ringfort" "$@" <in
    rm -f in
}

# ran NAME COMMAND... - the same for any command, on standard input as it comes; messages call it NAME.
ran()
{
    command=$1 status=0
    shift
    "$@" >out 2>err || status=$?
}

# fail MESSAGE - counts a failure, and shows what was run last and what it wrote.
fail()
{
    failures=$((failures + 1))
    printf 'FAILED: %s\n  %s\n  status %s\n' "$command" "$1" "$status"
    sed 's/^/  out: /' out | head -n 20 | cut -c 1-200
    sed 's/^/  err: /' err | head -n 20 | cut -c 1-200
}

# What must hold of the last run. TEXT of `prints` is the whole of standard output, as printf's %b reads it.
ends() { [ "$status" = "$1" ] || fail "wanted status $1"; }
prints()
{
    printf '%b' "$1" >want
    cmp -s want out || fail "wanted $(head -c 400 want)"
}
has() { grep -qF -- "$1" out || fail "standard output lacks: $1"; }
says() { grep -qF -- "$1" err || fail "standard error lacks: $1"; }
silent() { [ ! -s err ] || fail 'wanted nothing on standard error'; }

# die MESSAGE - ends the test at once and leaves its folder for a look at it.
die()
{
    trap - EXIT
    echo "$1; all is left in $dir" >&2
    exit 1
}

# conclude - ends the script: status 1 when a check failed.
conclude()
{
    [ "$failures" = 0 ] && exit 0
    echo "$failures checks failed"
    exit 1
}
