#!/bin/sh
# Input at its worst, as the command line meets it: endless lines, empty, cut, broken and missing files. Each
# ends with the exit status that the manual states and a message that names the place, in little memory.
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
own_folder
cd "$dir" || exit

# zeros MB, letters MB - that many megabytes without an end of line.
zeros() { head -c "$(($1 << 20))" /dev/zero; }
letters() { zeros "$1" | tr '\0' x; }

# fed PRODUCER WORD... - runs ringfort on what the shell command PRODUCER writes, as it comes, so that no gigabyte goes
# to the disk.
fed()
{
    producer=$1
    shift
    mkfifo pipe
    eval "$producer" >pipe &
    ran "$producer | ringfort $*" "$ringfort" "$@" <pipe
    wait
    rm pipe
}

# ---- a line without an end ------------------------------------------------------------------------------
fed 'zeros 1024' query --file - 'stdin | count'; ends 1; says 'standard input does not fit in memory'
fed 'printf "{\"a\":1}\n{\"a\":\""; letters 100; printf "\"}\n{\"a\":3}\n"' query --file - 'stdin | summarize sum(tolong(a))'
ends 0; says 'first in line 2: the row is longer than'
fed 'printf "a,b\n1,"; letters 100; printf "\n2,3\n"' query --file - 'stdin | count'
ends 0; prints 'Count\n1\n'; says 'first in line 2: the row is longer than'
fed 'zeros 100 | tr "\0" "["' query --file - 'stdin | count'; ends 0; says 'line 1'
fed 'letters 17' query -; ends 1; says '16 MB'
fed 'zeros 1024' query -; ends 1; says '16 MB'

# A gigabyte in a file takes a megabyte, packed; it is read piece by piece.
zeros 1024 | gzip -1 >long.jsonl.gz
run query --file long.jsonl.gz 'long | count'; ends 0; prints 'Count\n0\n'; says 'long.jsonl.gz: 1 row was left out; the first in line 1'

# ---- empty files ----------------------------------------------------------------------------------------
for name in e.csv e.jsonl e.json e.csv.gz e; do
    : >"$name"
    run query --file "$name=T" 'T | count'; ends 0; prints 'Count\n0\n'
done
printf '\n\n \n' >blank.jsonl; run query --file blank.jsonl 'blank | count'; ends 0
printf 'a,b\n' >head.csv; run query --file head.csv 'head | getschema | count'; ends 0; prints 'Count\n2\n'
printf '\357\273\277a\n1\n' >mark.csv; run query --file mark.csv 'mark | project a'; ends 0; prints 'a\n1\n'
run query ''; ends 1; says 'the text has no query'
: >in; run query -; ends 1; says 'the text has no query'
: >none.kql; run lint none.kql; ends 1; says 'none.kql'

# ---- what is no file of rows ----------------------------------------------------------------------------
mkdir folder.csv
run query --file folder.csv 'folder | count'; ends 1; says 'folder.csv is a folder'
run query --file missing.csv 'missing | count'; ends 1; says 'missing.csv'
run query --file blank.jsonl/x.csv 'x | count'; ends 1; says 'blank.jsonl/x.csv'
run query --file /dev/null=T 'T | count'; ends 0; prints 'Count\n0\n'
printf 'a\n1\n' >shut.csv; chmod 000 shut.csv
[ -r shut.csv ] || { run query --file shut.csv 'shut | count'; ends 1; says 'shut.csv'; }
run query --data missing 'T'; ends 1; says 'missing'
run query --schemas missing 'print 1'; [ "$status" = 0 ] || ends 1; says 'missing'
run lint missing.kql; ends 1; says 'missing.kql'

# ---- cut and broken -------------------------------------------------------------------------------------
printf '{"a":1}\n{"a":2}\n' | gzip >whole.jsonl.gz
for bytes in 1 5 12 20; do
    head -c $bytes whole.jsonl.gz >cut.jsonl.gz
    run query --file cut.jsonl.gz 'cut | count'
    [ $bytes = 1 ] || { ends 1; says 'cut.jsonl.gz'; }
done
{ cat whole.jsonl.gz; printf 'more'; } >tail.jsonl.gz
run query --file tail.jsonl.gz 'tail | count'; ends 1; says 'tail.jsonl.gz'
{ printf '\037\213'; letters 1; } >no.jsonl.gz; run query --file no.jsonl.gz 'no | count'; ends 1; says 'no.jsonl.gz'
printf '{"a":"\377"}\n{"a":"b"}\n' >utf8.jsonl
run query --file utf8.jsonl 'utf8 | count'; ends 0; prints 'Count\n1\n'; says 'utf8.jsonl: 1 row was left out; the first in line 1: the row is not valid UTF-8'
printf 'a\n"b\n' >quote.csv; run query --file quote.csv 'quote | count'; ends 0; says 'quote.csv'
printf '{"a":1}\n{"a":' >half.jsonl; run query --file half.jsonl 'half | count'; ends 0; says 'line 2'

# ---- queries --------------------------------------------------------------------------------------------
printf 'print "\377"' >in; run query -; ends 1; says 'line 1, column 8'
printf 'print 1\000' >in; run query -; ends 1; says 'line 1, column 8'
{ printf 'print '; zeros 1 | tr '\0' '('; } >in; run query -; ends 1; says 'nests deeper than'
run query --max-memory 20000000 'range x from 1 to 1000000000 step 1 | sort by x'; ends 1; says '20000000 bytes'
run query --max-memory 1 'print 1'; [ "$status" = 1 ] || ends 2

conclude
