// Incidents with their alerts, entities, comments and tasks, as the pages read and write them.
import { ApiError, post } from "./client";
import { apiVersion, deleteResource, getResource, list, putResource, sentinel } from "./arm";
import { kql, quote, records, type Cell } from "./kql";

export interface Owner { objectId?: string | null; email?: string | null; assignedTo?: string | null; userPrincipalName?: string | null; ownerType?: string | null }
export interface IncidentProperties {
  title: string; description?: string; severity: string; status: string;
  classification?: string; classificationReason?: string; classificationComment?: string;
  owner?: Owner; labels?: { labelName: string; labelType?: string }[];
  firstActivityTimeUtc?: string; lastActivityTimeUtc?: string; createdTimeUtc: string; lastModifiedTimeUtc: string;
  incidentNumber: number; relatedAnalyticRuleIds?: string[];
  additionalData: { alertsCount: number; bookmarksCount: number; commentsCount: number; tactics?: string[]; techniques?: string[]; alertProductNames?: string[] };
}
export interface Incident { id: string; name: string; etag: string; properties: IncidentProperties }
export type IncidentChange = Partial<Pick<IncidentProperties, "title" | "description" | "severity" | "status" | "classification" | "classificationReason" | "classificationComment" | "owner" | "labels">>;

export const severities = ["High", "Medium", "Low", "Informational"] as const;
export const statuses = ["New", "Active", "Closed"] as const;
/** Each way to close an incident: classification and, where there is one, its reason. */
export const closings: { classification: string; reason?: string }[] = [
  { classification: "TruePositive", reason: "SuspiciousActivity" }, { classification: "BenignPositive", reason: "SuspiciousButExpected" },
  { classification: "FalsePositive", reason: "IncorrectAlertLogic" }, { classification: "FalsePositive", reason: "InaccurateData" }, { classification: "Undetermined" }];
/** High 3 to Informational 0. */
export const rank = (severity: string): number => 3 - severities.indexOf(severity as "High");
export const isOpen = (i: Incident): boolean => i.properties.status !== "Closed";
export const ownerName = (i: Incident): string => { const o = i.properties.owner; return o?.assignedTo || o?.userPrincipalName || o?.email || ""; };
export const numberOf = (i: Incident): number => i.properties.incidentNumber;

export const listIncidents = (filter: string, signal?: AbortSignal): Promise<Incident[]> =>
  list<Incident>(sentinel("incidents"), { signal, query: { $top: 1000, ...(filter ? { $filter: filter } : {}) } });
export async function incidentByNumber(n: number, signal?: AbortSignal): Promise<Incident> {
  const [found] = await list<Incident>(sentinel("incidents"), { signal, query: { $top: 1, $filter: `properties/incidentNumber eq ${n}` } });
  if (!found) throw new ApiError(404, "IncidentNotFound", `There is no incident ${n} in this workspace.`);
  return found;
}

/** What a PUT has to say to leave all else as it is: it replaces the incident, and what is left out is cleared. */
export function whole(i: Incident, change: IncidentChange = {}): { properties: Record<string, unknown> } {
  const p = i.properties, all: Record<string, unknown> = { title: p.title, description: p.description, severity: p.severity, status: p.status, classification: p.classification, classificationReason: p.classificationReason,
    classificationComment: p.classificationComment, owner: p.owner, labels: p.labels, firstActivityTimeUtc: p.firstActivityTimeUtc, lastActivityTimeUtc: p.lastActivityTimeUtc, ...change };
  for (const k of Object.keys(all)) if (all[k] === undefined || all[k] === null) delete all[k];
  return { properties: all };
}
/** Changes some and keeps the rest. Somebody else's change in between is read first and kept. */
export async function putIncident(i: Incident, change: IncidentChange): Promise<Incident> {
  try { return await putResource<Incident>(i.id, whole(i, change), { etag: i.etag }); }
  catch (e) {
    if (!(e instanceof ApiError) || e.status !== 412) throw e;
    const now = await getResource<Incident>(i.id);
    return putResource<Incident>(i.id, whole(now, change), { etag: now.etag });
  }
}
export const newIncident = (name: string, p: { title: string; severity: string; status: string; description?: string; owner?: Owner }): Promise<Incident> => putResource<Incident>(sentinel(`incidents/${name}`), { properties: p });
export const deleteIncident = (i: Incident): Promise<unknown> => deleteResource(i.id);

// ---- alerts and their entities ----
export interface Entity { /** The same for the same thing in two alerts. */ key: string; kind: string; label: string; fields: Record<string, unknown> }
export interface Alert {
  id: string; title: string; severity: string; description: string; time: string; start: string; end: string; product: string; tactics: string[]; techniques: string[];
  entities: Entity[]; extended: Record<string, string>; rule?: string; query?: string;
  /** Where the query looked at, by TimeGenerated. */
  from?: string; to?: string;
  rows?: number;
}
export async function alertsOf(i: Incident, signal?: AbortSignal): Promise<Alert[]> {
  const { value } = await post<{ value: { name: string; properties: Record<string, any> }[] }>(`${i.id}/alerts`, {}, { query: { "api-version": apiVersion(i.id) }, signal, safe: true });
  if (!value.length) return [];
  // What the list of alerts does not say, entities and techniques, is in the rows; a row may be a moment behind, or past its retention.
  const rows = new Map<string, Record<string, Cell>>();
  const found = await kql(`SecurityAlert\n| where SystemAlertId in (${value.map((a) => quote(a.name)).join(", ")})\n| summarize arg_max(TimeGenerated, *) by SystemAlertId`, { signal });
  for (const r of records(found)) rows.set(String(r.SystemAlertId), r);
  return value.map((a) => alertOf(a.name, a.properties, rows.get(a.name))).sort((a, b) => a.start.localeCompare(b.start) || a.time.localeCompare(b.time));
}
function alertOf(id: string, p: Record<string, any>, row: Record<string, Cell> = {}): Alert {
  const x = (p.additionalData ?? {}) as Record<string, string>, start = p.startTimeUtc ?? p.timeGenerated, end = p.endTimeUtc ?? p.timeGenerated;
  // A rule without a schedule looks at what arrives; its rows lie between the first and the last of them.
  const nrt = p.productComponentName === "NRT Alerts", [from, to] = nrt || !x["Query Start Time UTC"] ? [start, end] : [x["Query Start Time UTC"], x["Query End Time UTC"]].map((t) => new Date(t.replace(" ", "T")).toISOString());
  return {
    id, title: p.alertDisplayName ?? p.friendlyName ?? "", severity: p.severity ?? "", description: p.description ?? "", time: p.timeGenerated, start, end, product: p.productName ?? "",
    tactics: p.tactics ?? [], techniques: [...words(row.Techniques), ...words(row.SubTechniques)], entities: entitiesIn(String(row.Entities ?? "")), extended: x,
    rule: x["Analytic Rule Name"], query: x.Query || undefined, from, to: new Date(+new Date(to) + 1000).toISOString(), rows: Number(x["Search Query Results Overall Count"]) || undefined,
  };
}
const words = (v: Cell | undefined): string[] => { try { const j = typeof v === "string" ? JSON.parse(v) : v; return Array.isArray(j) ? j.map(String) : []; } catch { return String(v ?? "").split(/[,;\s]+/).filter(Boolean); } };

/** The member that tells one entity of a kind from another, first that is there. */
const names: Record<string, string[]> = {
  ip: ["Address"], host: ["HostName", "NetBiosName", "AzureID"], url: ["Url"], dns: ["DomainName"], "azure-resource": ["ResourceId"], "cloud-application": ["Name", "AppId"], file: ["Name"], filehash: ["Value"], malware: ["Name"],
  process: ["CommandLine", "ProcessId"], "registry-key": ["Key"], "registry-value": ["Name"], "security-group": ["DistinguishedName", "SID", "ObjectGuid"], mailbox: ["MailboxPrimaryAddress", "Upn"], "mail-message": ["Subject", "NetworkMessageId"], iotdevice: ["DeviceName", "DeviceId"] };
export function entitiesIn(text: string): Entity[] {
  let all: Record<string, any>[];
  try { all = JSON.parse(text); } catch { return []; }
  if (!Array.isArray(all)) return [];
  const byRef = new Map(all.filter((e) => e?.$id).map((e) => [String(e.$id), e]));
  return all.filter((e) => e && e.Type).map((e) => {
    const kind = String(e.Type).toLowerCase(), fields = Object.fromEntries(Object.entries(e).filter(([k]) => k !== "$id" && k !== "Type").map(([k, v]) => [k, (v as any)?.$ref ? entityLabel(byRef.get(String((v as any).$ref)) ?? {}) : v]));
    const label = entityLabel(e);
    return { key: `${kind} ${label.toLowerCase()}`, kind, label, fields };
  }).filter((e) => e.label);
}
function entityLabel(e: Record<string, any>): string {
  const kind = String(e.Type ?? "").toLowerCase();
  if (kind === "account") { const n = e.Name ?? e.DisplayName ?? e.AadUserId ?? e.Sid ?? e.ObjectGuid ?? ""; return n && e.UPNSuffix ? `${n}@${e.UPNSuffix}` : n && e.NTDomain ? `${e.NTDomain}\\${n}` : String(n); }
  if (kind === "host") { const n = e.HostName ?? e.NetBiosName ?? e.AzureID ?? ""; return n && e.DnsDomain ? `${n}.${e.DnsDomain}` : String(n); }
  for (const m of names[kind] ?? []) if (e[m]) return kind === "file" && e.Directory ? `${e.Directory}/${e[m]}` : String(e[m]);
  return String(Object.entries(e).find(([k, v]) => !k.startsWith("$") && k !== "Type" && typeof v === "string" && v)?.[1] ?? "");
}
/** All entities of alerts, most alerts first, each with the alerts that it stands in. */
export function entitiesOf(alerts: Alert[]): { entity: Entity; alerts: Alert[] }[] {
  const all = new Map<string, { entity: Entity; alerts: Alert[] }>();
  for (const a of alerts) for (const e of a.entities) { const had = all.get(e.key); if (!had) all.set(e.key, { entity: e, alerts: [a] }); else if (!had.alerts.includes(a)) had.alerts.push(a); }
  return [...all.values()].sort((a, b) => b.alerts.length - a.alerts.length);
}
export const entityIcon = (kind: string): string => ({ account: "user", host: "host", ip: "globe", url: "link", dns: "globe", "azure-resource": "box", "cloud-application": "grid", file: "file", filehash: "file", process: "play", mailbox: "mail", "mail-message": "mail", "mail-cluster": "mail", iotdevice: "drone", malware: "incident", "security-group": "user" } as Record<string, string>)[kind] ?? "box";
/** Questions about an entity, to open in Logs: a name and a query. `upn` and `host` are what their tables call it. */
export function entityQueries(e: Entity): { name: string; query: string }[] {
  const v = quote(e.label), all = { name: "tables", query: `search ${v}\n| summarize Rows = count(), First = min(TimeGenerated), Last = max(TimeGenerated) by Table = $table\n| order by Rows desc` };
  if (e.kind === "ip") return [{ name: "signins", query: `SigninLogs\n| where IPAddress == ${v}\n| project TimeGenerated, UserPrincipalName, AppDisplayName, ResultType, ResultDescription, Location\n| order by TimeGenerated desc` }, { name: "flows", query: `DeviceNetworkEvents\n| where RemoteIP == ${v} or LocalIP == ${v}\n| summarize Rows = count(), First = min(TimeGenerated), Last = max(TimeGenerated) by DeviceName, RemoteIP, RemotePort\n| order by Rows desc` }, { name: "vaults", query: `AzureDiagnostics\n| where CallerIPAddress == ${v}\n| project TimeGenerated, Resource, OperationName, ResultType, id_s\n| order by TimeGenerated desc` }, all];
  if (e.kind === "account") return [{ name: "signins", query: `SigninLogs\n| where UserPrincipalName =~ ${v}\n| project TimeGenerated, IPAddress, AppDisplayName, ResultType, ResultDescription, Location\n| order by TimeGenerated desc` }, { name: "changes", query: `AuditLogs\n| where tostring(InitiatedBy) has ${v} or tostring(TargetResources) has ${v}\n| project TimeGenerated, OperationName, Result, InitiatedBy, TargetResources\n| order by TimeGenerated desc` }, all];
  if (e.kind === "host") return [{ name: "processes", query: `DeviceProcessEvents\n| where DeviceName startswith ${v}\n| project TimeGenerated, DeviceName, FileName, ProcessCommandLine, AccountName\n| order by TimeGenerated desc` }, { name: "logons", query: `SecurityEvent\n| where Computer startswith ${v} and EventID in (4624, 4625)\n| project TimeGenerated, EventID, TargetUserName, IpAddress, LogonType\n| order by TimeGenerated desc` }, all];
  return [all];
}

// ---- what hangs on an incident ----
export interface Comment { id: string; name: string; etag?: string; properties: { message: string; createdTimeUtc: string; lastModifiedTimeUtc?: string; author?: { name?: string; userPrincipalName?: string; email?: string } } }
export interface Task { id: string; name: string; etag?: string; properties: { title: string; description?: string; status: "New" | "Completed"; createdTimeUtc?: string; lastModifiedTimeUtc?: string; createdBy?: { name?: string; userPrincipalName?: string } } }
export interface Relation { id: string; name: string; properties: { relatedResourceId: string; relatedResourceName: string; relatedResourceKind: string } }
export const commentsOf = (i: Incident, signal?: AbortSignal): Promise<Comment[]> => list<Comment>(`${i.id}/comments`, { signal });
export const putComment = (i: Incident, name: string, message: string): Promise<Comment> => putResource<Comment>(`${i.id}/comments/${name}`, { properties: { message } });
export const tasksOf = (i: Incident, signal?: AbortSignal): Promise<Task[]> => list<Task>(`${i.id}/tasks`, { signal });
export const putTask = (i: Incident, name: string, p: { title: string; description?: string; status: string }, etag?: string): Promise<Task> => putResource<Task>(`${i.id}/tasks/${name}`, { properties: p }, { etag });
export const relationsOf = (i: Incident, signal?: AbortSignal): Promise<Relation[]> => list<Relation>(`${i.id}/relations`, { signal });

/** Puts the alerts and bookmarks of others into one incident; the answer takes them out again. */
export async function relateAll(target: Incident, others: Incident[]): Promise<() => Promise<void>> {
  const there = new Set((await relationsOf(target)).map((r) => r.properties.relatedResourceId.toLowerCase())), made: string[] = [];
  const back = async () => { for (const id of made.splice(0)) await deleteResource(id); };
  try {
    for (const o of others) for (const r of await relationsOf(o)) {
      if (there.has(r.properties.relatedResourceId.toLowerCase())) continue;
      const id = `${target.id}/relations/${crypto.randomUUID()}`;
      await putResource(id, { properties: { relatedResourceId: r.properties.relatedResourceId } });
      there.add(r.properties.relatedResourceId.toLowerCase());
      made.push(id);
    }
  } catch (e) { await back(); throw e; }
  return back;
}
