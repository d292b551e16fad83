// Analytics rules: their shape, what their runs left in SentinelHealth, what they raised, and counts over windows of the past.
import { deleteResource, getResource, list, putResource, sentinel, type Resource } from "./arm";
import { send } from "./client";
import { kqlBatch, quote, records, shape, type Result } from "./kql";
import { session } from "./session";
import type { Range } from "./time";

export interface RuleProperties {
  displayName: string; description?: string; severity: string; enabled: boolean; query: string;
  queryFrequency?: string; queryPeriod?: string; triggerOperator?: string; triggerThreshold?: number; startTimeUtc?: string;
  suppressionEnabled?: boolean; suppressionDuration?: string; tactics?: string[]; techniques?: string[]; subTechniques?: string[];
  entityMappings?: { entityType: string; fieldMappings: { identifier: string; columnName: string }[] }[];
  customDetails?: Record<string, string>;
  alertDetailsOverride?: { alertDisplayNameFormat?: string; alertDescriptionFormat?: string; alertTacticsColumnName?: string; alertSeverityColumnName?: string; [more: string]: unknown };
  eventGroupingSettings?: { aggregationKind: string };
  incidentConfiguration?: { createIncident: boolean; groupingConfiguration?: { enabled: boolean; reopenClosedIncident: boolean; lookbackDuration: string; matchingMethod: string; groupByEntities?: string[]; groupByAlertDetails?: string[]; groupByCustomDetails?: string[] } };
  lastModifiedUtc?: string;
  [more: string]: unknown;
}
export type Rule = Resource & { kind: string; properties: RuleProperties };
export const own = (r: { kind?: string }): boolean => r.kind === "Scheduled" || r.kind === "NRT";

export const listRules = (signal?: AbortSignal): Promise<Rule[]> => list<Rule>(sentinel("alertRules"), { signal });
/** The body of a write: what the server adds by itself stays out. */
export const bodyOf = (r: { kind: string; properties: RuleProperties; etag?: string }): object => { const { lastModifiedUtc: _, ...properties } = r.properties; return { kind: r.kind, properties }; };

/** Saves a rule as it is in `draft`. With the etag of what was read a change by somebody else in between is not written over: the server answers 412. */
export const saveRule = (id: string, draft: { kind: string; properties: RuleProperties }, etag?: string): Promise<Rule> => putResource<Rule>(id, bodyOf(draft), { etag });
export const removeRule = (id: string): Promise<unknown> => deleteResource(id);
/** Switches a rule on or off as it is now: nothing else of it changes. */
export async function switchRule(id: string, on: boolean): Promise<Rule> {
  const now = await getResource<Rule>(id);
  return now.properties.enabled === on ? now : saveRule(id, { kind: now.kind, properties: { ...now.properties, enabled: on } }, now.etag);
}

export const tactics = ["Reconnaissance", "ResourceDevelopment", "InitialAccess", "Execution", "Persistence", "PrivilegeEscalation", "DefenseEvasion", "CredentialAccess", "Discovery", "LateralMovement", "Collection", "CommandAndControl", "Exfiltration", "Impact", "PreAttack", "ImpairProcessControl", "InhibitResponseFunction"];
export const entityTypes: Record<string, string[]> = {
  Account: ["FullName", "Name", "UPNSuffix", "NTDomain", "DnsDomain", "Sid", "AadUserId", "AadTenantId", "PUID", "ObjectGuid", "DisplayName", "IsDomainJoined"], Host: ["FullName", "HostName", "DnsDomain", "NTDomain", "NetBiosName", "AzureID", "OMSAgentID", "OSFamily", "OSVersion", "IsDomainJoined"],
  IP: ["Address", "AddressScope"], URL: ["Url"], AzureResource: ["ResourceId"], CloudApplication: ["AppId", "Name", "InstanceName"], DNS: ["DomainName"], File: ["Name", "Directory"], FileHash: ["Algorithm", "Value"], Malware: ["Name", "Category"],
  Process: ["ProcessId", "CommandLine", "ElevationToken", "CreationTimeUtc"], RegistryKey: ["Hive", "Key"], RegistryValue: ["Name", "Value", "ValueType"], SecurityGroup: ["DistinguishedName", "SID", "ObjectGuid"],
  Mailbox: ["MailboxPrimaryAddress", "DisplayName", "Upn", "ExternalDirectoryObjectId", "RiskLevel"], MailMessage: ["NetworkMessageId", "Recipient", "Sender", "SenderIP", "Subject", "InternetMessageId"], SubmissionMail: ["SubmissionId", "NetworkMessageId", "Recipient", "Submitter"],
};

// ---- durations: PT5M on the wire, 5m in a field ----
const unit: Record<string, number> = { m: 60e3, h: 3600e3, d: 86400e3 };
export function isoMs(text: string | undefined): number {
  const m = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$/.exec(text ?? "");
  return m ? (Number(m[1] ?? 0) * 86400 + Number(m[2] ?? 0) * 3600 + Number(m[3] ?? 0) * 60 + Number(m[4] ?? 0)) * 1000 : 0;
}
export function isoShort(text: string | undefined): string {
  const ms = isoMs(text);
  if (!ms) return text ?? "";
  for (const u of ["d", "h", "m"]) if (ms % unit[u] === 0 && (u !== "d" || ms >= unit.d)) return `${ms / unit[u]}${u}`;
  return text ?? "";
}
/** "90m" as PT90M; what is no duration stays as it is, for the fault to name it. */
export function shortIso(text: string): string {
  const m = /^\s*(\d{1,5})\s*(m|h|d)\w*\s*$/i.exec(text);
  return m ? (m[2].toLowerCase() === "d" ? `P${Number(m[1])}D` : `PT${Number(m[1])}${m[2].toUpperCase()}`) : text.trim();
}

/** What stands in the way of saving: keys of rule.fault.*, by field. */
export function faults(kind: string, p: RuleProperties): Record<string, string> {
  const f: Record<string, string> = {}, day = 86400e3, between = (k: keyof RuleProperties, least: number, most: number, name: string) => { const ms = isoMs(p[k] as string); if (!ms) f[k as string] = "duration"; else if (ms < least || ms > most) f[k as string] = name; };
  if (!p.displayName.trim()) f.displayName = "name";
  if (!p.query.trim()) f.query = "query"; else if ([...p.query].length > 10_000) f.query = "query-long"; else if (/\b(search|union)\s+\*/.test(p.query)) f.query = "query-star";
  if (kind === "Scheduled") {
    between("queryFrequency", 300e3, 14 * day, "schedule"); between("queryPeriod", 300e3, 14 * day, "schedule");
    if (!f.queryFrequency && !f.queryPeriod && isoMs(p.queryFrequency) > isoMs(p.queryPeriod)) f.queryFrequency = "frequency";
    if (!Number.isInteger(p.triggerThreshold) || p.triggerThreshold! < 0 || p.triggerThreshold! > 10_000) f.triggerThreshold = "threshold";
  }
  if (p.suppressionEnabled) between("suppressionDuration", 300e3, day, "suppression");
  const g = p.incidentConfiguration?.groupingConfiguration;
  if (g?.enabled) { const ms = isoMs(g.lookbackDuration); if (ms < 300e3 || ms > 7 * day) f.lookback = "lookback"; if (g.matchingMethod === "Selected" && !g.groupByEntities?.length && !g.groupByAlertDetails?.length && !g.groupByCustomDetails?.length) f.matching = "selected"; }
  for (const x of p.techniques ?? []) if (!/^T\d{4}$/.test(x)) f.techniques = "technique";
  for (const x of p.subTechniques ?? []) if (!/^T\d{4}\.\d{3}$/.test(x)) f.techniques = "technique";
  for (const m of p.entityMappings ?? []) if (!m.fieldMappings.length || m.fieldMappings.some((x) => !x.identifier || !x.columnName.trim())) f.entityMappings = "mapping";
  for (const [k, v] of Object.entries(p.customDetails ?? {})) if (!k.trim() || !v.trim()) f.customDetails = "detail";
  return f;
}
export const triggers = (operator: string | undefined, threshold: number | undefined, rows: number): boolean => { const t = threshold ?? 0; return operator === "LessThan" ? rows < t : operator === "Equal" ? rows === t : operator === "NotEqual" ? rows !== t : rows > t; };

// ---- what runs left ----
export interface Runs { runs: number; failures: number; last?: string; status?: string; reason?: string; rows?: number; alerts: number; ms?: number; issue?: string; gaps: number; missed: number }
const id = "tostring(ExtendedProperties.RuleId)";
/** The rule's id in an alert: AlertType is the workspace's id, "_", the rule's id. */
const alertRule = "substring(AlertType, indexof(AlertType, \"_\") + 1)";
export const runsQuery = `SentinelHealth
| where SentinelResourceType == "Analytics Rule"
| extend Rule = ${id}
| summarize Runs = count(), Failures = countif(Status != "Success"), arg_max(TimeGenerated, Status, Reason, Description, Rows = toint(ExtendedProperties.ResultsAmount), Ms = tolong(ExtendedProperties.DurationMs), Issue = tostring(ExtendedProperties.Issues[0].Description)) by Rule`;
/** Times that no successful run of a scheduled rule looked at. */
export const gapsQuery = `SentinelHealth
| where SentinelResourceType == "Analytics Rule" and SentinelResourceKind == "Scheduled" and Status == "Success"
| extend Rule = ${id}, From = todatetime(ExtendedProperties.QueryStartTimeUTC), To = todatetime(ExtendedProperties.QueryEndTimeUTC)
| sort by Rule asc, To asc
| extend Before = iff(prev(Rule) == Rule, prev(To), datetime(null))
| where isnotnull(Before) and From > Before + 1s
| project Rule, Before, From, Missed = From - Before`;
export const alertsQuery = `SecurityAlert
| where ProviderName in ("ASI Scheduled Alerts", "ASI NRT Alerts")
| summarize arg_max(TimeGenerated, AlertType) by SystemAlertId
| summarize Alerts = count() by Rule = ${alertRule}, Day = bin(TimeGenerated, 1d)`;
export interface Facts { runs: Map<string, Runs>; days: Map<string, Map<string, number>>; faults: string[] }

export async function facts(range: Range, signal?: AbortSignal): Promise<Facts> {
  const got = await kqlBatch({ runs: runsQuery, gaps: `${gapsQuery}\n| summarize Gaps = count(), Missed = sum(Missed) / 1s by Rule`, alerts: alertsQuery }, { range, signal });
  const out: Facts = { runs: new Map(), days: new Map(), faults: [] }, rows = (k: string) => { const r = got[k]; if (r && "rows" in r) return records(r as Result) as Record<string, any>[]; if (r && "error" in r && !/SemanticError|could not be resolved|BadArgument/i.test(r.error.code + r.error.message)) out.faults.push(r.error.message || r.error.code); return []; };
  const of = (rule: string) => { let r = out.runs.get(rule); if (!r) out.runs.set(rule, (r = { runs: 0, failures: 0, alerts: 0, gaps: 0, missed: 0 })); return r; };
  for (const r of rows("runs")) Object.assign(of(r.Rule), { runs: r.Runs, failures: r.Failures, last: r.TimeGenerated, status: r.Status, reason: r.Reason, rows: r.Rows, ms: r.Ms, issue: r.Issue || r.Description });
  for (const r of rows("gaps")) Object.assign(of(r.Rule), { gaps: r.Gaps, missed: Number(r.Missed) * 1000 });
  for (const r of rows("alerts")) { of(r.Rule).alerts += r.Alerts; const d = out.days.get(r.Rule) ?? new Map<string, number>(); d.set(String(r.Day).slice(0, 10), r.Alerts); out.days.set(r.Rule, d); }
  return out;
}
export const ruleRuns = (rule: string): string => `SentinelHealth
| where SentinelResourceType == "Analytics Rule" and ${id} == ${quote(rule)}
| project TimeGenerated, Status, Reason, Description, From = todatetime(ExtendedProperties.QueryStartTimeUTC), To = todatetime(ExtendedProperties.QueryEndTimeUTC), Rows = toint(ExtendedProperties.ResultsAmount), Alerts = toint(ExtendedProperties.AlertsGeneratedAmount), Ms = tolong(ExtendedProperties.DurationMs), Issue = tostring(ExtendedProperties.Issues[0].Description)
| order by TimeGenerated desc`;
export const ruleIncidents = (rule: string): string => `SecurityIncident
| where tostring(RelatedAnalyticRuleIds) has ${quote(rule)}
| summarize arg_max(TimeGenerated, *) by IncidentName
| project IncidentNumber, Title, Severity, Status, Owner = tostring(Owner.assignedTo), CreatedTime
| order by CreatedTime desc`;

// ---- windows of the past ----
/** Whether each row of the answer is asked as of the window's end: ago() and now() mean that time. */
export const asOf = (query: string, end: Date): string => `set query_now = datetime(${end.toISOString()});\n${query.trim().replace(/;\s*$/, "")}`;
export interface Window { from: Date; to: Date }
/** Row counts of the query over windows: twenty of them in one request; what comes too fast for the server is asked again. Null where one failed; its message goes to `fault`. */
export async function countWindows(query: string, windows: Window[], o: { signal?: AbortSignal; seen?: (done: number) => void; fault?: (message: string) => void } = {}): Promise<(number | null)[]> {
  const workspace = session().workspace.customerId, out: (number | null)[] = windows.map(() => null);
  let todo = windows.map((_, i) => i), done = 0, idle = 0, size = 20;
  while (todo.length) {
    const part = todo.slice(0, size), later: number[] = [];
    const requests = part.map((i) => ({ id: String(i), headers: { "content-type": "application/json" }, method: "POST", path: "/query", workspace, body: { query: `${asOf(query, windows[i].to)}\n| count`, timespan: `${windows[i].from.toISOString()}/${windows[i].to.toISOString()}` } }));
    const { body } = await send<{ responses: { id: string; status: number; body: any }[] }>("/v1/$batch", { method: "POST", body: { requests }, signal: o.signal, safe: true });
    const by = new Map(body.responses.map((r) => [r.id, r]));
    for (const i of part) {
      const r = by.get(String(i)), value = r?.status === 200 ? shape(r.body).rows[0]?.[0] : null;
      if (r?.status === 429 && idle < patience) { later.push(i); continue; }
      done++;
      if (typeof value === "number") { out[i] = value; continue; }
      let e = r?.body?.error;
      while (e?.innererror) e = e.innererror;
      o.fault?.(e?.message ?? `HTTP ${r?.status}`);
    }
    idle = later.length === part.length ? idle + 1 : 0;
    todo = [...later, ...todo.slice(size)];
    o.seen?.(done);
    // Slowly from the first refusal on: the person's other pages ask too.
    if (later.length) { size = 5; await new Promise((ok) => setTimeout(ok, 1000)); }
    o.signal?.throwIfAborted();
  }
  return out;
}
const patience = 60;   // seconds without one answer until the server's refusal is the answer
/** What the rule would have raised: alerts by window, with suppression; rows singly where the rule says so (at most 150, NRT 30). */
export function replay(kind: string, p: RuleProperties, windows: Window[], rows: (number | null)[]): number[] {
  const each = p.eventGroupingSettings?.aggregationKind === "AlertPerResult", most = kind === "NRT" ? 30 : 150, quiet = p.suppressionEnabled ? isoMs(p.suppressionDuration) : 0;
  let until = 0;
  return windows.map((w, i) => {
    const n = rows[i];
    if (n === null || +w.to < until || !triggers(kind === "NRT" ? "GreaterThan" : p.triggerOperator, kind === "NRT" ? 0 : p.triggerThreshold, n)) return 0;
    if (quiet) until = +w.to + quiet;
    return each ? Math.min(most, Math.max(1, n)) : 1;
  });
}
