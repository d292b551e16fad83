#!/bin/sh
# Queries that read outside: only what --external names, in every format that is text.
set -u
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
own_folder
cd "$dir" || exit
mkdir lists other
printf 'ip,count,note\n10.0.0.1,3,"a ""b"", c"\n10.0.0.2,x,\n' >lists/bad.csv
printf '10.0.0.1\t3\tn\textra\n10.0.0.2\t4\tm\n' >lists/bad.tsv
printf '{"ip":"10.0.0.3","count":5,"more":{"a":[1]}}\n{"ip":"10.0.0.4"}\n' >lists/bad.json
printf 'one\r\ntwo, "x\n\nfour' >lists/words.txt
gzip -c lists/bad.json >lists/packed.json.gz
printf 'secret\n' >other/secret.txt
ln -s ../other/secret.txt lists/link.txt

kql() { run query --external ./lists --format csv "$@"; }
good() { kql "$1"; ends 0; silent; }

good 'externaldata(ip:string, n:long, note:string) ["lists/bad.csv"] with (format="csv", ignoreFirstRecord=true)'
prints 'ip,n,note\n10.0.0.1,3,"a ""b"", c"\n10.0.0.2,,\n'
good 'externaldata(ip:string, n:long) ["lists/bad.tsv"] with (format="tsv")'
prints 'ip,n\n10.0.0.1,3\n10.0.0.2,4\n'
good 'externaldata(ip:string, count:int, more:dynamic) ["lists/bad.json"] with (format="multijson") | extend x = more.a[0]'
prints 'ip,count,more,x\n10.0.0.3,5,"{""a"":[1]}",1\n10.0.0.4,,,\n'
good "externaldata(ip:string) [h@'lists/packed.json.gz', 'lists/bad.json'] | summarize count() by ip | sort by ip asc"
prints 'ip,count_\n10.0.0.3,2\n10.0.0.4,2\n'
good 'externaldata(line:string) ["lists/words.txt"] with (format="txt")'
prints 'line\none\n"two, ""x"\n\nfour\n'
good 'externaldata(line:string, other:long) ["lists/words.txt"] with (format="raw") | extend n = strlen(line) | project n, other'
prints 'n,other\n18,\n'
good "externaldata(line:string) ['file://$PWD/lists/words.txt'] with (format='txt', ignoreFirstRecord=true) | take 1"
prints 'line\n"two, ""x"\n'
good 'let bad = externaldata(ip:string) ["lists/bad.tsv"] with (format="tsv"); print ip = "10.0.0.2" | where ip in (bad)'
prints 'ip\n10.0.0.2\n'
good 'inline_external_table (ip:string, n:long) kind=storage dataformat=tsv ("lists/bad.tsv")'
prints 'ip,n\n10.0.0.1,3\n10.0.0.2,4\n'

# Columns of files.
good "evaluate infer_storage_schema(dynamic({'StorageContainers': ['lists/bad.json'], 'DataFormat': 'multijson'}))"
prints 'CslSchema\n"ip:string, count:long, more:dynamic"\n'
good "evaluate infer_storage_schema(dynamic({'StorageContainers': ['lists/bad.csv'], 'DataFormat': 'csv', 'InferenceOptions': {'UseFirstRowAsHeader': true}}))"
prints 'CslSchema\n"ip:string, count:string, note:string"\n'
good "evaluate infer_storage_schema(dynamic({'StorageContainers': ['lists/bad.tsv'], 'DataFormat': 'tsv'}))"
prints 'CslSchema\n"Column1:string, Column2:long, Column3:string, Column4:string"\n'

# What nobody allowed: no rows and a warning, whatever way leads there; the key in a connection is not shown.
for place in other/secret.txt lists/../other/secret.txt lists/link.txt /etc/passwd lists/none.txt \
    'https://lists.contoso.example/x.csv?sig=hushhush;key=hushhush'; do
    kql "externaldata(line:string) ['$place'] with (format='txt')"
    ends 0
    prints 'line\n'
    says 'is no place that externaldata may read'
    ! grep -q hushhush err || fail "the key of $place is shown"
done
run query --format csv 'externaldata(line:string) ["lists/words.txt"] with (format="txt")'
ends 0
prints 'line\n'
says 'may read'
kql "evaluate infer_storage_schema(dynamic({'StorageContainers': ['other/secret.txt'], 'DataFormat': 'csv'}))"
ends 1
says 'the operator names them'
kql 'externaldata(a:string) ["lists/bad.csv"] with (format="parquet")'
ends 1
says "'parquet' is no format that can be read"
run query --external ./nosuch 'print 1'
ends 1
says 'there is no such folder'
conclude
