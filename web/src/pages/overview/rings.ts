// The rings of the estate, from controls that this server can be asked about. How each is judged: docs/portal-rings.md. What cannot be asked is not assessed.
import { getResource, inGroup, type PageOf, type Resource } from "../../data/arm";
import { ApiError, post } from "../../data/client";
import { kqlBatch, records, type Cell, type Result } from "../../data/kql";
import { session } from "../../data/session";
import { day } from "../../data/time";
import { t } from "../../i18n";
import type { RingData, RingState } from "../../parts/ring-picture";
import { href } from "../../router";

export interface Control { id: string; ring: string; state: RingState; detail: string; href?: string; act?: string }
export const rings = ["physical", "identity", "perimeter", "network", "compute", "application", "data"] as const;

const queries = {
  factors: `SigninLogs\n| where TimeGenerated > ago(7d) and ResultType == "0"\n| summarize People = dcount(UserPrincipalName), One = dcountif(UserPrincipalName, AuthenticationRequirement == "singleFactorAuthentication")`,
  listeners: `RingfortCollect\n| where TimeGenerated > ago(7d)\n| summarize arg_max(TimeGenerated, Protocol) by Listener\n| project Listener, Protocol`,
  hardening: `RingfortHardening\n| extend Part = column_ifexists("Role", ""), Lacking = column_ifexists("Missing", int(null))\n| where isnotempty(Part)\n| summarize arg_max(TimeGenerated, Lacking) by Part\n| project Part, Lacking`,
  rules: `SentinelHealth\n| where TimeGenerated > ago(2d) and SentinelResourceType == "Analytics Rule"\n| summarize arg_max(TimeGenerated, Status) by SentinelResourceName\n| summarize Rules = count(), Failing = countif(Status != "Success"), First = take_anyif(SentinelResourceName, Status != "Success")`,
  vaultRows: `union isfuzzy=true AzureDiagnostics, AZKVAuditLogs\n| where TimeGenerated > ago(1d)\n| where Type == "AZKVAuditLogs" or ResourceProvider == "MICROSOFT.KEYVAULT"\n| summarize Rows = count(), Last = max(TimeGenerated)`,
};
/** One factor: people shown by name, to see who. */
const openQuery: Partial<Record<keyof typeof queries, string>> = { factors: `SigninLogs\n| where ResultType == "0" and AuthenticationRequirement == "singleFactorAuthentication"\n| summarize SignIns = count(), Last = max(TimeGenerated) by UserPrincipalName\n| order by SignIns desc`, rules: `SentinelHealth\n| where SentinelResourceType == "Analytics Rule" and Status != "Success"\n| project TimeGenerated, SentinelResourceName, Status, Description, Reason\n| order by TimeGenerated desc` };
const logs = (q: keyof typeof queries, time: string): string => href("/logs", {}, { q: openQuery[q] ?? queries[q], t: time });

interface Answers { graph: Map<string, { status: number; body: any }>; kql: Record<string, Result | { error: { code: string; message: string } }>; vaults: Resource[] | Error; asked: Error | null }
/** Three requests, whatever the size of the estate. */
export async function readControls(signal: AbortSignal): Promise<Control[]> {
  const [g, k, v] = await Promise.allSettled([
    post<{ responses: { id: string; status: number; body: any }[] }>("/v1.0/$batch", { requests: [
      { id: "defaults", method: "GET", url: "/policies/identitySecurityDefaultsEnforcementPolicy" }, { id: "policies", method: "GET", url: "/identity/conditionalAccess/policies" },
      { id: "emergency", method: "GET", url: "/policies/emergencyAccessPolicy" }, { id: "applications", method: "GET", url: "/applications?$select=id,displayName,passwordCredentials&$top=100" }] }, { signal, safe: true }),
    kqlBatch(queries, { signal }),
    getResource<PageOf<Resource>>(inGroup("Microsoft.KeyVault/vaults"), { signal }),
  ]);
  if (signal.aborted) throw signal.reason;
  if (g.status === "rejected" && k.status === "rejected" && v.status === "rejected") throw k.reason;
  return judge({
    graph: new Map(g.status === "fulfilled" ? g.value.responses.map((r) => [r.id, r]) : []), kql: k.status === "fulfilled" ? k.value : {},
    vaults: v.status === "fulfilled" ? v.value.value ?? [] : v.reason as Error, asked: g.status === "rejected" ? g.reason as Error : k.status === "rejected" ? k.reason as Error : null,
  });
}

/** No answer: not assessed, and why. */
const lack = (status: number | undefined, role: string): string => (status === 403 || status === 401 ? t("state.needs", { role, on: session().tenant.name }) : t("overview.not-read"));
export function judge(a: Answers, now = Date.now()): Control[] {
  const all: Control[] = [], put = (ring: string, id: string, state: RingState, detail: string, to?: string, act?: string) => { all.push({ ring, id, state, detail, href: to, act }); };
  const graph = (id: string): any => { const r = a.graph.get(id); return r?.status === 200 ? r.body : null; };
  const table = (id: keyof typeof queries): Record<string, Cell>[] | null => { const r = a.kql[id]; return r && "rows" in r ? records(r) : null; };
  const unknown = (ring: string, id: string, role: string, graphId?: string) => put(ring, id, "unknown", lack(graphId ? a.graph.get(graphId)?.status ?? (a.asked instanceof ApiError ? a.asked.status : undefined) : undefined, role));

  put("physical", "physical", "unknown", t("overview.no-source"));

  // identity
  const defaults = graph("defaults"), policies = graph("policies")?.value as any[] | undefined;
  if (!defaults || !policies) unknown("identity", "factor-policy", "Security Reader", defaults ? "policies" : "defaults");
  else {
    const wants = policies.filter((p) => p.grantControls && ((p.grantControls.builtInControls ?? []).includes("mfa") || p.grantControls.authenticationStrength)), on = wants.filter((p) => p.state === "enabled"), everybody = on.filter((p) => (p.conditions?.users?.includeUsers ?? []).includes("All"));
    put("identity", "factor-policy", defaults.isEnabled || everybody.length ? "ok" : wants.length ? "partial" : "fail", defaults.isEnabled ? t("overview.d-defaults") : everybody.length ? t("overview.d-policy", { name: everybody[0].displayName }) : wants.length ? t("overview.d-policy-some", { n: wants.length }) : t("overview.d-policy-none"), href("/identity"), t("overview.fix-policy"));
  }
  const f = table("factors")?.[0];
  if (!f) unknown("identity", "factors", "Log Analytics Reader");
  else { const people = Number(f.People), one = Number(f.One); put("identity", "factors", !people ? "unknown" : !one ? "ok" : one * 10 > people ? "fail" : "partial", people ? t("overview.d-factors", { one, people }) : t("overview.d-no-signins"), logs("factors", "7d"), t("overview.fix-factors")); }
  const emergency = graph("emergency");
  if (!emergency) unknown("identity", "emergency", "Security Reader", "emergency");
  else put("identity", "emergency", emergency.userIds?.length ? "ok" : "partial", t("overview.d-emergency", { n: emergency.userIds?.length ?? 0 }), href("/identity"), t("overview.fix-emergency"));

  // perimeter
  const l = table("listeners");
  if (!l) unknown("perimeter", "listeners", "Log Analytics Reader");
  else { const clear = l.filter((x) => !/tls|https|dtls/i.test(String(x.Protocol))); put("perimeter", "listeners", !l.length ? "unknown" : clear.length ? "partial" : "ok", !l.length ? t("overview.d-no-listeners") : clear.length ? t("overview.d-clear", { n: clear.length, names: clear.map((x) => `${x.Listener} (${x.Protocol})`).join(", ") }) : t("overview.d-tls", { n: l.length }), logs("listeners", "7d"), t("overview.fix-listeners")); }
  put("perimeter", "firewall", "unknown", t("overview.no-source"));

  // network, data: vaults
  if (a.vaults instanceof Error) { unknown("network", "vault-network", "Reader"); unknown("data", "vault-delete", "Reader"); }
  else {
    const v = a.vaults, open = v.filter((x) => x.properties?.publicNetworkAccess !== "Disabled" && x.properties?.networkAcls?.defaultAction !== "Deny"), weak = v.filter((x) => !x.properties?.enableSoftDelete || !x.properties?.enablePurgeProtection), names = (list: Resource[]) => list.slice(0, 3).map((x) => x.name).join(", ");
    const to = href("/vaults");
    put("network", "vault-network", !v.length ? "none" : open.length ? "partial" : "ok", !v.length ? t("overview.d-no-vaults") : open.length ? t("overview.d-vault-open", { n: open.length, names: names(open) }) : t("overview.d-vault-closed", { n: v.length }), to, t("overview.fix-vault-network"));
    put("data", "vault-delete", !v.length ? "none" : weak.length ? "partial" : "ok", !v.length ? t("overview.d-no-vaults") : weak.length ? t("overview.d-vault-weak", { n: weak.length, names: names(weak) }) : t("overview.d-vault-safe", { n: v.length }), to, t("overview.fix-vault-delete"));
  }
  put("network", "segments", "unknown", t("overview.no-source"));

  // compute
  const h = table("hardening");
  if (!h) unknown("compute", "hardening", "Log Analytics Reader");
  else { const lacking = h.filter((x) => Number(x.Lacking) > 0); put("compute", "hardening", !h.length || h.some((x) => x.Lacking === null) ? "unknown" : lacking.length ? "partial" : "ok", !h.length ? t("overview.d-no-hardening") : lacking.length ? t("overview.d-lacking", { names: lacking.map((x) => `${x.Part} ${x.Lacking}`).join(", ") }) : t("overview.d-hardened", { n: h.length }), h.length ? href("/health") : logs("hardening", "30d"), t("overview.fix-hardening")); }
  put("compute", "updates", "unknown", t("overview.no-source"));

  // application
  const apps = graph("applications")?.value as { displayName: string; passwordCredentials?: { endDateTime: string }[] }[] | undefined;
  if (!apps) unknown("application", "credentials", "Directory Readers", "applications");
  else {
    const keys = apps.flatMap((x) => (x.passwordCredentials ?? []).map((c) => ({ app: x.displayName, end: +new Date(c.endDateTime) }))), over = keys.filter((c) => c.end < now), long = keys.filter((c) => c.end > now + 366 * 86400e3);
    put("application", "credentials", !keys.length ? "none" : over.length || long.length ? "partial" : "ok", !keys.length ? t("overview.d-no-keys") : long.length ? t("overview.d-long", { n: long.length, app: long.sort((x, y) => y.end - x.end)[0].app, end: day(long[0].end) }) : over.length ? t("overview.d-over", { n: over.length, app: over[0].app }) : t("overview.d-keys", { n: keys.length }), href("/identity"), t("overview.fix-credentials"));
  }
  const r = table("rules")?.[0];
  if (!r) unknown("application", "rules", "Log Analytics Reader");
  else { const n = Number(r.Rules), bad = Number(r.Failing); put("application", "rules", !n ? "unknown" : !bad ? "ok" : bad === n ? "fail" : "partial", !n ? t("overview.d-no-rules") : bad ? t("overview.d-rules-failing", { n: bad, of: n, first: String(r.First ?? "") }) : t("overview.d-rules", { n }), bad ? logs("rules", "2d") : href("/rules"), t("overview.fix-rules")); }

  // data
  const d = table("vaultRows")?.[0];
  if (!d) unknown("data", "vault-rows", "Log Analytics Reader");
  else { const n = Number(d.Rows); put("data", "vault-rows", n ? "ok" : "unknown", n ? t("overview.d-vault-rows", { n }) : t("overview.d-no-vault-rows"), logs("vaultRows", "24h")); }
  put("data", "classes", "unknown", t("overview.no-source"));
  return all;
}

export const assessed = (all: Control[]): Control[] => all.filter((c) => c.state === "ok" || c.state === "partial" || c.state === "fail");
/** What does not hold, the worst first. */
export const weak = (all: Control[]): Control[] => { const rank = { fail: 0, partial: 1, ok: 2, unknown: 3, none: 3 }; return all.filter((c) => c.state === "fail" || c.state === "partial").sort((a, b) => rank[a.state] - rank[b.state]); };
export function ringData(all: Control[]): RingData {
  const known = assessed(all), hold = known.filter((c) => c.state === "ok").length;
  return {
    title: t("overview.rings-title", { name: session().tenant.name }), centre: known.length ? { value: t("overview.of", { n: hold, of: known.length }), label: t("overview.hold"), detail: t("overview.hold-detail") } : { value: "-", label: t("overview.hold") },
    rings: rings.map((id) => ({ id, label: t(`overview.ring.${id}`), segments: all.filter((c) => c.ring === id).map((c) => ({ id: c.id, label: t(`overview.c-${c.id}`), state: c.state, detail: c.detail, href: c.href })) })),
  };
}
