// How the pane of tables groups and finds them. No DOM.
import type { TableInfo } from "../../data/kql-schema";

const groups: [string, RegExp][] = [
  ["ringfort", /^(Ringfort|Rings$|ResponsibilityLedger$)/], ["custom", /_CL$/],
  ["identity", /^(Signin|AAD|Audit(Logs)?$|Identity|Behavior|MicrosoftGraph|UserAccess|UserPeer|Entra|AADNon|ADF?S?SignIn|Watchlist$)/i],
  ["alerts", /^(Security(Alert|Incident|Event?Recommendation)|Alert(Info|Evidence)|Incident|Anomalies|Sentinel(Health|Audit)|Hunting|ThreatIntel|LAQuery)/],
  ["hosts", /^(SecurityEvent|WindowsEvent|Event$|Syslog|Heartbeat|Device|Linux|Perf$|Update|Protection|ConfigurationChange|VM|Sysmon|ContainerLog|Kube)/],
  ["network", /^(CommonSecurityLog|AZFW|AzureNetwork|NetworkMonitoring|NTA|Dns|ASim(Dns|Network|Dhcp|Web)|W3CIISLog|AGW|VMConnection|Cloudflare)/],
  ["data", /^(Storage|AZKV|AzureDiagnostics|SQL|CosmosDB|CDB|KeyVault|AZMS|EventHub|Databricks)/],
  ["cloud", /^(Azure|AWS|GCP|Cloud|Operation$|Usage$|App|Function|LogicApp|ARM)/],
];
export const groupOf = (table: string): string => groups.find(([, re]) => re.test(table))?.[0] ?? "other";
export const groupOrder = ["identity", "alerts", "hosts", "network", "data", "cloud", "custom", "ringfort", "other"];

/** Tables of the pane: those whose name or a column holds the text. A text in front finds first. */
export function findTables(tables: readonly TableInfo[], text: string): { table: TableInfo; column: boolean }[] {
  const s = text.trim().toLowerCase();
  if (!s) return tables.map((table) => ({ table, column: false }));
  return tables.map((table) => ({ table, own: table.name.toLowerCase().indexOf(s), column: table.columns.some((c) => c.name.toLowerCase().includes(s)) })).filter((x) => x.own >= 0 || x.column)
    .sort((a, b) => (a.own < 0 ? 2 : a.own ? 1 : 0) - (b.own < 0 ? 2 : b.own ? 1 : 0) || Number(!a.table.rows) - Number(!b.table.rows)).map(({ table, own, column }) => ({ table, column: column && own < 0 }));
}
