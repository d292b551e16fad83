#!/bin/sh
# What agents send to a running server: rsyslog (Debian's, as a process of our own) over TCP, TLS and UDP, OpenTelemetry's exporters
# (npm) and HEC. rsyslog is taken from the system or fetched with apt-get download, never installed.
set -eu
cd "$(dirname "$0")/.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
needs_program node
needs_program npm
needs_program openssl
needs_program logger
own_folder
src=$PWD
cd "$dir" || exit
data=$dir/data
supervisor=
rsyslog=
stop()
{
    for pid in $rsyslog $supervisor; do
        if kill "$pid" 2>/dev/null; then wait "$pid" || true; fi
    done
    rsyslog='' supervisor=''
}
trap 'stop; chmod -R u+rwx "$dir"; rm -rf "$dir"' EXIT

# ---- the programs that send ----
rsyslogd=$(command -v rsyslogd || true)
modules=
libraries=
if [ -z "$rsyslogd" ]; then
    mkdir -p packages root
    (cd packages && apt-get download rsyslog rsyslog-openssl libestr0 libfastjson4 liblognorm5) >apt.log 2>&1 ||
        skip 'rsyslog is neither here nor to be had from apt'
    for package in packages/*.deb; do dpkg -x "$package" root; done
    rsyslogd=$dir/root/usr/sbin/rsyslogd
    libraries=$(dirname "$(find "$dir/root" -name 'libestr.so.0')")
    modules=$libraries/rsyslog
fi
mkdir -p npm
cp "$src/tests/compat/collect.mjs" npm/
(cd npm && npm install --no-audit --no-fund --silent @opentelemetry/exporter-logs-otlp-http@0.203.0 \
    @opentelemetry/exporter-logs-otlp-proto@0.203.0 @opentelemetry/sdk-logs@0.203.0) >npm.log 2>&1 ||
    skip 'the packages of OpenTelemetry cannot be had from npm'

# ---- certificates of devices ----
openssl ecparam -name prime256v1 -genkey -noout -out ca.key
openssl req -x509 -new -key ca.key -subj /CN=devices -days 2 -out ca.pem
openssl ecparam -name prime256v1 -genkey -noout -out rs1.key
openssl req -new -key rs1.key -subj /CN=rs1 -out rs1.csr
printf 'extendedKeyUsage=clientAuth\n' >rs1.ext
openssl x509 -req -in rs1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile rs1.ext -out rs1.pem 2>/dev/null

# ---- the server ----
cat >ringfort.yaml <<YAML
data: $data
listen: {https: 127.0.0.1:0}
collect:
  udp: [127.0.0.1:0]
  tcp: [127.0.0.1:0]
  tls: [127.0.0.1:0]
YAML
"$ringfort" serve --config ringfort.yaml >log 2>&1 &
supervisor=$!
tries=0
until "$ringfort" query --bootstrap "$data/bootstrap.json" 'print 1' >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ $tries -gt 150 ] || ! kill -0 "$supervisor" 2>/dev/null; then
        cat log
        exit 1
    fi
    sleep 0.1
done
port() { sed -n "s/.*collect.listening protocol=$1 .* port=\([0-9]*\).*/\1/p" log; }
status=0
NODE_EXTRA_CA_CERTS=$data/ca.pem node npm/collect.mjs "$data/bootstrap.json" ca.pem >node.log 2>&1 || status=$?
cat node.log
[ $status -ne 77 ] || skip 'an exporter does not load'
[ $status -eq 0 ] || exit 1

# ---- rsyslog ----
cat >rsyslog.conf <<CONF
global(workDirectory="$dir" maxMessageSize="16k"
       defaultNetstreamDriverCAFile="$data/ca.pem"
       defaultNetstreamDriverCertFile="$dir/rs1.pem"
       defaultNetstreamDriverKeyFile="$dir/rs1.key")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="$dir/log.sock" UseSysTimeStamp="off" CreatePath="on")
action(type="omfwd" target="127.0.0.1" port="$(port syslog-tcp)" protocol="tcp" TCP_Framing="octet-counted"
       template="RSYSLOG_SyslogProtocol23Format")
action(type="omfwd" target="127.0.0.1" port="$(port syslog-tcp)" protocol="tcp" template="RSYSLOG_TraditionalForwardFormat")
action(type="omfwd" target="127.0.0.1" port="$(port syslog-udp)" protocol="udp" template="RSYSLOG_ForwardFormat")
action(type="omfwd" target="localhost" port="$(port syslog-tls)" protocol="tcp" template="RSYSLOG_SyslogProtocol23Format"
       StreamDriver="ossl" StreamDriverMode="1" StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="localhost")
CONF
LD_LIBRARY_PATH=$libraries "$rsyslogd" -n -f rsyslog.conf -i "$dir/rsyslog.pid" ${modules:+-M "$modules"} >rsyslog.log 2>&1 &
rsyslog=$!
tries=0
until [ -S log.sock ]; do
    tries=$((tries + 1))
    if [ $tries -gt 100 ] || ! kill -0 "$rsyslog" 2>/dev/null; then
        cat rsyslog.log
        exit 1
    fi
    sleep 0.1
done
logger -u "$dir/log.sock" -t backup -p daemon.warning 'disk almost full'
logger -u "$dir/log.sock" -t fw 'CEF:0|Contoso|Wall|1.0|100|dropped|7|src=10.0.0.1 dst=10.0.0.2 dpt=22 act=deny fromRule=x'

# has WANTED KQL - asks until the answer is that.
has()
{
    wanted=$1
    tries=0
    until run query --bootstrap "$data/bootstrap.json" --format csv "$2" && [ "$(tail -n 1 out)" = "$wanted" ]; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || { fail "wanted $wanted"; sed 's/^/  rsyslog: /' rsyslog.log | tail -n 5; return; }
        sleep 0.1
    done
}
# Twice over TCP, once over UDP, once over TLS.
has '4' 'Syslog | where ProcessName == "backup" and SeverityLevel == "warning" and Facility == "daemon" and SyslogMessage has "disk almost full" | count'
has '4' 'CommonSecurityLog | where DeviceVendor == "Contoso" and DestinationPort == 22 and DeviceAction == "deny" and AdditionalExtensions has "fromRule=x" | count'
has '"sent by http, sent by proto"' 'OTelLogs | where SeverityNumber == 17 and toint(Attributes.number) == 7 and tobool(Attributes.nested.deep) | order by Body asc | summarize strcat_array(make_list(Body), ", ")'
has '2' 'HecEvents | where Event == "second" or (Host == "h1" and EventData.sent == "by hec") | count'
has '"fluent, vector"' 'Heartbeat | where TimeGenerated == datetime(2019-08-29T12:09:36Z) | order by Computer asc | summarize strcat_array(make_list(Computer), ", ")'
conclude
