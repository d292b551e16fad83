// The ways into this server that a person can connect in a minute: what is made for each, and the one line that sends (docs/collect.md).
import type { Session } from "../../data/session";

export interface Source {
  id: string;
  icon: string;
  /** The table in which the first row is awaited. */
  table: string;
  /** A key of this use is made (Ringfort.Collect/tokens), or a listener of this protocol (Ringfort.Collect/listeners). */
  use?: "hec" | "otlp" | "windows" | "syslog";
  protocol?: "syslog-udp" | "syslog-tcp" | "syslog-tls";
  /** The line to copy; `key` is the secret that was just made. */
  line: (s: Session, key: string) => string;
}
const host = (s: Session) => new URL(s.origin).hostname, ca = "--cacert ca.pem";

export const sources: Source[] = [
  { id: "http", icon: "send", table: "HecEvents", use: "hec", line: (s, key) => `curl ${ca} ${s.origin}/services/collector/event -H 'Authorization: Splunk ${key}' -d '{"event":"hello from '"$(hostname)"'"}'` },
  { id: "syslog-tcp", icon: "host", table: "Syslog", protocol: "syslog-tcp", line: (s) => `logger --server ${host(s)} --port ${s.ports["syslog-tcp"]} --tcp --rfc5424 "hello from $(hostname)"` },
  { id: "syslog-udp", icon: "host", table: "Syslog", protocol: "syslog-udp", line: (s) => `logger --server ${host(s)} --port ${s.ports["syslog-udp"]} --udp --rfc5424 "hello from $(hostname)"` },
  { id: "syslog-tls", icon: "lock", table: "Syslog", protocol: "syslog-tls", line: (s) => `printf '<13>1 - %s hello - - - hello\\n' "$(hostname)" | openssl s_client -quiet -CAfile ca.pem -cert host.pem -key host.key -connect ${host(s)}:${s.ports["syslog-tls"]}` },
  { id: "otlp", icon: "pulse", table: "OTelLogs", use: "otlp", line: (s, key) => `export OTEL_EXPORTER_OTLP_ENDPOINT=${s.origin} OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf OTEL_EXPORTER_OTLP_CERTIFICATE=ca.pem OTEL_EXPORTER_OTLP_HEADERS='X-Ringfort-Token=${key}'` },
  { id: "windows", icon: "box", table: "SecurityEvent", use: "windows", line: (s, key) => `wevtutil qe Security /c:20 /rd:true /f:xml | curl.exe ${ca} ${s.origin}/collect/windows-events -H "X-Ringfort-Token: ${key}" -H "Content-Type: application/xml" --data-binary "@-"` },
];
/** Those that this server takes now. */
export const taken = (s: Session): Source[] => sources.filter((x) => !x.protocol || (s.ports?.[x.protocol] ?? 0) > 0);
