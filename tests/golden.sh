#!/bin/sh
# Stores that earlier versions wrote: today's program answers as they did, also after it has rewritten them.
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
own_folder
root=$PWD
cd "$dir" || exit

# asked WHAT - the answers are the stored ones.
asked()
{
    ran "questions to $1" "$root/tests/golden/ask" "$ringfort" "$version"
    ends 0
    cmp -s "$version/answers" out && return
    diff "$version/answers" out >err
    fail 'the answers are other ones'
}

# both WORD - the command on both stores.
both()
{
    run "$1" --data "$version/plain"; ends 0
    run "$1" --data "$version/sealed" --key-file "$version/key"; ends 0
}

load() { run ingest --data "$version/plain" --table Loaded "$1"; ends 0; }

# Every version that a release wrote: a folder that is missing is a failure.
# The list has one name so far.
# shellcheck disable=SC2043
for version in v1; do
    ran "cp $version" cp -R "$root/tests/golden/$version" .
    ends 0
    ran "files of $version" sh -c "cd '$version' && sha256sum -c --quiet sums"
    ends 0
    asked "$version"
    both fsck
    run query --data "$version/sealed" 'Every | count'; ends 1; says 'is encrypted; give its key'
    load "$version/Loaded.jsonl"; says 'already ingested'
    both merge
    asked "$version after a merge"
    both fsck
    load "$version/Loaded.jsonl"; says 'already ingested'
    echo '{"Number":120,"User":"dan"}' >>"$version/Loaded.jsonl"
    load "$version/Loaded.jsonl"; says 'went on behind the 120 rows'; has '1 rows'
    run query --data "$version/plain" 'Loaded | summarize count(), sum(Number)'; ends 0; prints 'count_,sum_Number\n121,7260\n'
done
conclude
