// Sign-ins, with why each policy applied or not; conditional access, with what would happen.
import { html, nothing } from "lit";
import { graphList, graphPatch, graphPost } from "../../data/graph";
import { kql, quote, records, type Result } from "../../data/kql";
import { session } from "../../data/session";
import { clock, day, stamp, when } from "../../data/time";
import { t } from "../../i18n";
import { curlLine } from "../../parts/copy-as";
import type { GridColumn } from "../../parts/grid";
import { confirmImpact } from "../../parts/impact";
import "../../parts/inspector";
import { failure } from "../../shell/page";
import { act } from "../../shell/tray";
import { choice, field, type Frame, type Tab } from "./frame";

/** Today the clock, else day and minute. */
const moment = (at: string): string => (day(at) === day(Date.now()) ? clock(at) : stamp(at, false));

export class SignIns implements Tab {
  signins;
  time = "24h";
  constructor(private page: Frame) { this.signins = page.load<Result>((signal) => kql(this.#query, { range: page.range, signal }), { auto: false, what: () => t("identity.reading-signins"), needs: () => ({ role: "Log Analytics Reader", on: session().workspace.name }), empty: () => false }); }
  get text() { return t("identity.signins"); }
  open() { void this.signins.run(); }
  again() { void this.signins.run(); }
  changed(names: Set<string>) { if (["t", "f", "q"].some((k) => names.has(k))) void this.signins.run(); }
  copyAs() { return [{ kind: "kql" as const, text: this.#query }]; }
  get #query(): string {
    const f = this.page.filters, q = this.page.q("q").trim(), some = (k: string) => f[k]?.length === 1, words = (k: string) => f[k].map(quote).join(", ");
    return ["SigninLogs",
      some("result") && `| where ResultType ${f.result[0] === "ok" ? "==" : "!="} "0"`, f.app?.length && `| where AppDisplayName in (${words("app")})`, some("mfa") && `| where AuthenticationRequirement ${f.mfa[0] === "yes" ? "==" : "!="} "multiFactorAuthentication"`,
      f.ca?.length && `| where ConditionalAccessStatus in (${words("ca")})`, f.risk?.length && `| where RiskLevelDuringSignIn in (${words("risk")})`, q && `| where UserPrincipalName contains ${quote(q)} or IPAddress startswith ${quote(q)} or UserId == ${quote(q)}`,
      "| project TimeGenerated, Id, UserPrincipalName, UserId, AppDisplayName, ResourceDisplayName, IPAddress, Location, ResultType, ResultDescription, AuthenticationRequirement, ConditionalAccessStatus, ConditionalAccessPolicies, AuthenticationDetails, DeviceDetail, ClientAppUsed, RiskLevelDuringSignIn, RiskEventTypes_V2",
      "| top 1000 by TimeGenerated desc"].filter(Boolean).join("\n");
  }
  body() {
    const p = this.page, rows = this.signins.value ? (records(this.signins.value) as Record<string, any>[]) : [], s = rows.find((r) => r.Id === p.q("sel")), result = (r: any) => (r.ResultType === "0" ? t("identity.ok") : r.ResultType);
    const columns: GridColumn[] = [{ id: "TimeGenerated", head: t("identity.c-time"), width: 150, cell: (r) => html`<time title=${stamp(r.TimeGenerated)}>${moment(r.TimeGenerated)}</time>` }, { id: "result", head: t("identity.f-result"), width: 96, value: (r) => r.ResultType, cell: (r) => html`<rf-state s=${r.ResultType === "0" ? "ok" : "fail"} word=${result(r)}></rf-state>` }, { id: "UserPrincipalName", head: t("identity.c-user"), min: 150 }, { id: "AppDisplayName", head: t("identity.f-app"), min: 120 }, { id: "IPAddress", head: t("identity.c-address"), width: 116 }, { id: "ConditionalAccessStatus", head: t("identity.f-ca"), width: 96 }];
    const each = (all: string[]) => all.map((v) => ({ value: v, text: v })), choices = { result: [{ value: "ok", text: t("identity.ok") }, { value: "fail", text: t("identity.failed") }], mfa: [{ value: "yes", text: t("grid.yes") }, { value: "no", text: t("grid.no") }], risk: each(["low", "medium", "high"]), ca: each(["success", "failure", "notApplied"]), app: each([...new Set(rows.map((r) => String(r.AppDisplayName)))].sort().slice(0, 12)) };
    return html`<section class="card" aria-label=${t("identity.signins")}>${p.bar(t("identity.search-signins"), choices)}
      ${this.signins.show((r) => (r.rows.length ? p.grid("signins", columns, rows, "-TimeGenerated", (x) => x.Id) : p.q("f") || p.q("q") ? p.filtered() : html`<div class="state"><p>${t("identity.no-signins")}</p></div>`), { skeleton: 10 })}</section>${s ? this.#pane(s) : p.none(t("identity.choose-signin"))}`;
  }
  #pane(s: Record<string, any>) {
    const policies = (s.ConditionalAccessPolicies ?? []) as any[], fact = (name: string, v: unknown, more?: string) => html`<dt>${name}</dt><dd>${v || "-"}${more ? html` <span class="t3">${more}</span>` : nothing}</dd>`, risky = s.RiskLevelDuringSignIn && s.RiskLevelDuringSignIn !== "none";
    const policy = (x: any) => html`<li><rf-state bare s=${/success/i.test(x.result) ? "ok" : /fail/i.test(x.result) ? "fail" : "unknown"} word=${x.result}></rf-state><span class="grow"><b>${x.displayName ?? x.id}</b> <span class="t2">${x.result}</span>${x.enforcedGrantControls?.length ? html`<br><span class="t2">${t("identity.asked", { what: x.enforcedGrantControls.join(", ") })}</span>` : nothing}${x.conditionsNotSatisfied && !/none/i.test(x.conditionsNotSatisfied) ? html`<br><span class="t3">${t("identity.not-met", { what: x.conditionsNotSatisfied })}</span>` : nothing}</span></li>`;
    return this.page.pane(s.UserPrincipalName, html`<rf-state s=${s.ResultType === "0" ? "ok" : "fail"} word=${s.ResultType === "0" ? t("identity.ok") : `${s.ResultType} ${s.ResultDescription ?? ""}`}></rf-state>`,
      html`<div class="sec"><dl class="kv">${fact(t("identity.c-time"), stamp(s.TimeGenerated))}${fact(t("identity.f-app"), s.AppDisplayName)}${fact(t("identity.c-resource"), s.ResourceDisplayName)}${fact(t("identity.c-address"), s.IPAddress, s.Location)}${fact(t("identity.f-mfa"), s.AuthenticationRequirement)}${risky ? fact(t("identity.risk"), html`<span class="c-high">${s.RiskLevelDuringSignIn}</span>`, Array.isArray(s.RiskEventTypes_V2) ? s.RiskEventTypes_V2.join(", ") : s.RiskEventTypes_V2) : nothing}${fact(t("identity.c-client"), s.ClientAppUsed)}</dl></div>
        <div class="sec"><h3>${t("identity.why")}</h3>${policies.length ? html`<ul class="rows">${policies.map(policy)}</ul>` : html`<p class="t3">${t("identity.no-why", { status: s.ConditionalAccessStatus || "-" })}</p>`}</div><div class="sec"><h3>${t("identity.device")}</h3><rf-inspector .value=${s.DeviceDetail ?? {}} path="DeviceDetail"></rf-inspector></div>`);
  }
}

export class Policies implements Tab {
  policies;
  #what = { user: "", app: "All", ip: "", country: "", platform: "", client: "browser" };
  #answer: { rows?: any[]; error?: Error; busy: boolean } = { busy: false };
  constructor(private page: Frame) { this.policies = page.load<any[]>((signal) => graphList("identity/conditionalAccess/policies", { signal }), { auto: false, what: () => t("identity.reading"), needs: () => ({ role: "Conditional Access Administrator", on: session().tenant.name }), empty: () => false }); }
  get text() { return t("identity.policies"); }
  open() { if (!this.policies.at) void this.policies.run(); }
  again() { void this.policies.run(); }
  copyAs() { return [{ kind: "curl" as const, text: curlLine(location.origin, "GET", "/v1.0/identity/conditionalAccess/policies") }, { kind: "json" as const, text: () => JSON.stringify(this.policies.value ?? [], null, 2) }]; }
  #flip = async (p: any) => {
    const next = p.state === "enabled" ? "disabled" : "enabled", name = p.displayName, k = next === "enabled" ? "enable" : "disable", write = (s: string) => graphPatch(`identity/conditionalAccess/policies/${p.id}`, { state: s }).then(() => this.policies.run());
    await confirmImpact({ title: t(`identity.${k}-title`, { name }), act: t(`identity.${k}`), impact: { changes: [t(next === "enabled" ? "identity.policy-on" : "identity.policy-off")], before: { state: p.state }, after: { state: next } }, undo: t("identity.tray-undo"), run: () => act({ text: `${name}: ${t(`identity.ps.${next}`)}`, run: () => write(next), undo: () => write(p.state) }) });
  };
  #ask = async () => {
    const w = this.#what, a = this.#answer;
    if (a.busy) return;
    this.#answer = { busy: true };
    this.page.requestUpdate();
    try {
      const u = this.page.userOf(w.user);
      this.#answer = { busy: false, rows: (await graphPost<{ value: any[] }>("identity/conditionalAccess/evaluate", { signInIdentity: { userId: u.id }, signInContext: { includeApplications: [w.app.trim() || "All"] }, signInConditions: { clientAppType: w.client, ...(w.ip ? { ipAddress: w.ip } : {}), ...(w.country ? { country: w.country } : {}), ...(w.platform ? { devicePlatform: w.platform } : {}) }, appliedPoliciesOnly: false })).value };
    } catch (e) { this.#answer = { busy: false, error: e as Error }; }
    this.page.requestUpdate();
  };
  #mark(s: string) { return html`<rf-state s=${s === "enabled" ? "ok" : s === "disabled" ? "unknown" : "partial"} word=${t(`identity.ps.${s}`)}></rf-state>`; }
  body() {
    const page = this.page, p = this.policies.value?.find((x) => x.id === page.q("sel")), w = this.#what, a = this.#answer, set = (k: keyof typeof w) => (v: string) => { w[k] = v.trim(); }, each = (all: string[]) => all.map((v) => ({ value: v, text: v || "-" }));
    const columns: GridColumn[] = [{ id: "displayName", head: t("identity.c-name"), min: 220, cell: (x) => html`<b class="nm">${x.displayName}</b>` }, { id: "state", head: t("identity.f-state"), width: 150, cell: (x) => this.#mark(x.state) }, { id: "controls", head: t("identity.c-controls"), min: 180, value: (x) => (x.grantControls?.builtInControls ?? []).join(", ") }, { id: "modified", head: t("identity.c-changed"), width: 120, num: true, value: (x) => x.modifiedDateTime ?? x.createdDateTime, cell: (x) => when(x.modifiedDateTime ?? x.createdDateTime) }];
    const row = (r: any) => html`<li><rf-state s=${r.policyApplies ? "partial" : "unknown"} word=${t(r.policyApplies ? "identity.applies" : "identity.applies-not")}></rf-state><span class="grow"><b>${r.displayName}</b> <span class="t2">${r.policyApplies ? (r.grantControls?.builtInControls ?? []).join(", ") : r.analysisReasons}</span></span></li>`;
    return html`<div class="stackd"><section class="card" aria-label=${t("identity.policies")}><header><h2>${t("identity.policies")}</h2></header>${this.policies.show((all) => (all.length ? page.grid("policies", columns, all, "displayName") : html`<div class="state"><p>${t("identity.none-policies")}</p></div>`))}</section>
      <section class="card" aria-label=${t("identity.what-if")}><header><h2>${t("identity.what-if")}</h2></header><div class="scroll">${page.datalist()}<form class="wform" @submit=${(e: Event) => { e.preventDefault(); void this.#ask(); }}>${field(t("identity.c-user"), w.user, set("user"), { list: "identity-users" })}${field(t("identity.c-resource"), w.app, set("app"))}${field(t("identity.c-address"), w.ip, set("ip"))}${field(t("identity.c-country"), w.country, set("country"))}${choice(t("identity.c-platform"), w.platform, each(["", "android", "iOS", "windows", "macOS", "linux"]), set("platform"))}${choice(t("identity.c-client"), w.client, each(["browser", "mobileAppsAndDesktopClients", "other"]), set("client"))}<button class="btn pri" aria-disabled=${a.busy ? "true" : nothing}><rf-icon n="play"></rf-icon>${t("identity.ask")}</button></form>
        ${a.error ? failure(a.error, { what: a.error.name === "ApiError" ? t("identity.not-asked") : a.error.message }) : a.rows ? html`<ul class="lst" role="status">${a.rows.length ? a.rows.map(row) : html`<li>${t("identity.no-policy")}</li>`}</ul>` : nothing}</div></section></div>
      ${p ? page.pane(p.displayName, this.#mark(p.state), html`<div class="sec"><rf-inspector .value=${{ conditions: p.conditions, grantControls: p.grantControls, sessionControls: p.sessionControls }} .open=${2}></rf-inspector></div>`, html`<button class="btn" @click=${() => void this.#flip(p)}>${t(p.state === "enabled" ? "identity.disable" : "identity.enable")}</button>`) : page.none(t("identity.choose-policy"))}`;
  }
}
