// Tables, columns and functions of the workspace, and how the pane groups them. No DOM.
import { get, post } from "../../data/client";
import { session } from "../../data/session";
import type { EditorSchema } from "../../parts/kql-editor/types";

export interface TableInfo { name: string; description: string; columns: { name: string; type: string; description: string }[]; rows?: number }
export interface Schema { tables: TableInfo[]; byName: Map<string, TableInfo>; names: ReadonlySet<string>; functions: { name: string; body: string; description: string; parameters: string }[]; editor: EditorSchema; /** Whether the number of rows is known. */ counted: boolean }

interface Metadata { tables: { name: string; description?: string; columns: { name: string; type: string; description?: string }[] }[]; functions: { name: string; body?: string; description?: string; parameters?: string }[] }

export async function readSchema(signal?: AbortSignal): Promise<Schema> {
  const id = encodeURIComponent(session().workspace.customerId);
  const [meta, counts] = await Promise.all([get<Metadata>(`/v1/workspaces/${id}/metadata`, { signal }), rowCounts(signal).catch(() => null)]);
  const tables: TableInfo[] = meta.tables.map((x) => ({ name: x.name, description: x.description ?? "", rows: counts?.get(x.name), columns: x.columns.map((c) => ({ name: c.name, type: c.type.toLowerCase() === "boolean" ? "bool" : c.type.toLowerCase(), description: c.description ?? "" })) })).sort((a, b) => a.name.localeCompare(b.name));
  const functions = (meta.functions ?? []).map((f) => ({ name: f.name, body: f.body ?? "", description: f.description ?? "", parameters: f.parameters ?? "" }));
  return {
    tables, functions, counted: !!counts, byName: new Map(tables.map((x) => [x.name, x])), names: new Set(tables.map((x) => x.name)),
    editor: {
      workspace: session().workspace.name,
      tables: tables.map((x) => ({ name: x.name, docstring: x.description || undefined, columns: x.columns.map((c) => ({ name: c.name, type: c.type, docstring: c.description || undefined })) })),
      functions: functions.map((f) => ({ name: f.name, body: /^\s*\{/.test(f.body) ? f.body : `{ ${f.body} }`, docstring: f.description || undefined, parameters: parameters(f.parameters) })),
    },
  };
}
/** How many rows each table has, from the store's own counters: nothing is read for it. */
async function rowCounts(signal?: AbortSignal): Promise<Map<string, number>> {
  const r = await post<{ Tables: { Columns: { ColumnName: string }[]; Rows: unknown[][] }[] }>("/v1/rest/mgmt", { db: session().workspace.name, csl: ".show tables details" }, { signal, safe: true });
  const x = r.Tables[0], name = x.Columns.findIndex((c) => c.ColumnName === "TableName"), rows = x.Columns.findIndex((c) => c.ColumnName === "TotalRowCount");
  if (name < 0 || rows < 0) throw new Error("no row counts");
  return new Map(x.Rows.map((v) => [String(v[name]), Number(v[rows])]));
}
/** "a:string, b:long=1" */
export function parameters(text: string): { name: string; type: string; value?: string }[] {
  const out: { name: string; type: string; value?: string }[] = [];
  for (const m of text.matchAll(/([A-Za-z_]\w*)\s*:\s*(\w+|\([^)]*\))\s*(?:=\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^,]+))?/g)) out.push({ name: m[1], type: m[2].startsWith("(") ? "dynamic" : m[2], ...(m[3] ? { value: m[3].trim() } : {}) });
  return out;
}

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
