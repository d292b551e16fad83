import { html, nothing } from "lit";
import { list } from "../../data/arm";
import { send } from "../../data/client";
import { graph, graphDelete, graphList, graphPatch, graphPost, odata } from "../../data/graph";
import { kql, quote, records, type Result } from "../../data/kql";
import { session } from "../../data/session";
import { ago, stamp, when } from "../../data/time";
import { t } from "../../i18n";
import { chipFilter, readFilters, writeFilters } from "../../parts/choice";
import { copyText, curlLine, csv } from "../../parts/copy-as";
import { openDialog } from "../../parts/dialog";
import "../../parts/grid";
import type { Grid, GridColumn } from "../../parts/grid";
import { confirmImpact } from "../../parts/impact";
import "../../parts/inspector";
import { openMenu } from "../../parts/menu";
import { href } from "../../router";
import { type CopyItem, emptyState, failure, filteredEmpty, type Head, type Key, Page } from "../../shell/page";
import { act } from "../../shell/tray";
import "./page.css";

interface User { id: string; displayName: string; userPrincipalName: string; accountEnabled: boolean; createdDateTime: string; userType?: string; methods?: Method[]; last?: string }
interface Method { id: string; "@odata.type": string; createdDateTime?: string; displayName?: string; model?: string; lifetimeInMinutes?: number; isUsable?: boolean }
interface Deep { methods: Method[] | Error; sessions: any[] | Error; groups: any[] | Error; roles: { name: string; scope: string }[] | Error; signins: Record<string, any>[] | Error }
interface Roles { rows: { id: string; who: string; principalId: string; kind: string; role: string; scope: string; directory: boolean }[]; armError?: Error }
const kindOf = (m: Method): string => /#microsoft\.graph\.(\w+)AuthenticationMethod/.exec(m["@odata.type"])?.[1] ?? m["@odata.type"];
const second = (m: Method): boolean => ["fido2", "softwareOath", "microsoftAuthenticator", "phone", "windowsHelloForBusiness"].includes(kindOf(m));
const segment: Record<string, string> = { fido2: "fido2Methods", softwareOath: "softwareOathMethods", temporaryAccessPass: "temporaryAccessPassMethods" };
const soft = <T>(p: Promise<T>): Promise<T | Error> => p.catch((e: unknown) => e as Error);
const soon = 30 * 86400e3;
/** The secret or certificate of an application that ends first. */
const ends = (a: any): string => [...(a.passwordCredentials ?? []), ...(a.keyCredentials ?? [])].map((c: any) => String(c.endDateTime)).sort()[0] ?? "";

export default class extends Page {
  bodyClass = "p-identity";
  #typing?: ReturnType<typeof setTimeout>;
  #of = "";
  #whatIf: { user: string; app: string; ip: string; country: string; platform: string; client: string; rows?: any[]; error?: Error; busy: boolean } = { user: "", app: "All", ip: "", country: "", platform: "", client: "browser", busy: false };

  get #tab(): string { return this.q("tab", "users"); }
  users = this.load<User[]>(async (signal) => {
    const all = await graphList<User>("users", { signal, query: { $top: 999, $select: "id,displayName,userPrincipalName,accountEnabled,createdDateTime,userType" } });
    void this.#facts(all, signal);
    return all;
  }, { what: () => t("identity.reading"), needs: () => ({ role: "User Administrator", on: session().tenant.name }), empty: () => false });
  deep = this.load<Deep>((signal) => this.#readUser(this.q("sel"), signal), { auto: false, what: () => t("identity.reading-user"), empty: () => false });
  groups = this.load<any[]>((signal) => graphList("groups", { signal, query: { $top: 999 } }), { auto: false, what: () => t("identity.reading"), needs: () => ({ role: "Groups Administrator", on: session().tenant.name }), empty: () => false });
  members = this.load<any[]>((signal) => graphList(`groups/${encodeURIComponent(this.q("sel"))}/members`, { signal }), { auto: false, empty: () => false });
  apps = this.load<any[]>((signal) => graphList("applications", { signal, query: { $top: 999 } }), { auto: false, what: () => t("identity.reading"), needs: () => ({ role: "Application Administrator", on: session().tenant.name }), empty: () => false });
  signins = this.load<Result>((signal) => kql(this.#signinQuery, { range: this.range, signal }), { auto: false, what: () => t("identity.reading-signins"), needs: () => ({ role: "Log Analytics Reader", on: session().workspace.name }), empty: () => false });
  policies = this.load<any[]>((signal) => graphList("identity/conditionalAccess/policies", { signal }), { auto: false, what: () => t("identity.reading"), needs: () => ({ role: "Conditional Access Administrator", on: session().tenant.name }), empty: () => false });
  roles = this.load<Roles>((signal) => this.#readRoles(signal), { auto: false, what: () => t("identity.reading"), needs: () => ({ role: "Privileged Role Administrator", on: session().tenant.name }), empty: () => false });

  connectedCallback() { super.connectedCallback(); this.#readTab(); }
  disconnectedCallback() { super.disconnectedCallback(); clearTimeout(this.#typing); }
  queryChanged(changed: Set<string>) { if (changed.has("tab")) { this.#of = ""; this.#readTab(); } else if (this.#tab === "signins" && ["t", "f", "q"].some((k) => changed.has(k))) void this.signins.run(); }
  #readTab() { const l = { groups: this.groups, apps: this.apps, signins: this.signins, policies: this.policies, roles: this.roles }[this.#tab]; if (l && !l.at) void (l as { run(): Promise<unknown> }).run(); else if (this.#tab === "signins") void this.signins.run(); }

  // ---- reading ----
  /** Factors by batches of twenty and the last sign-in from the logs: they follow the list. */
  async #facts(all: User[], signal: AbortSignal) {
    await soft((async () => {
      for (let at = 0; at < Math.min(all.length, 2000); at += 20) {
        const part = all.slice(at, at + 20), { body } = await send<{ responses: { id: string; status: number; body: { value: Method[] } }[] }>("/v1.0/$batch", { method: "POST", signal, safe: true, body: { requests: part.map((u, i) => ({ id: String(i), method: "GET", url: `/users/${u.id}/authentication/methods` })) } });
        for (const r of body.responses) if (r.status === 200) part[Number(r.id)].methods = r.body.value;
        this.users.set([...all]);
      }
    })());
    const last = await soft(kql(`union isfuzzy=true SigninLogs, AADNonInteractiveUserSignInLogs\n| where ResultType == "0"\n| summarize Last = max(TimeGenerated) by UserId`, { signal, range: { text: "90d", from: new Date(Date.now() - 90 * 86400e3), to: new Date(), live: true } }));
    if (!(last instanceof Error)) { const by = new Map(last.rows.map((r) => [String(r[0]), String(r[1])])); for (const u of all) u.last = by.get(u.id) ?? ""; if (!signal.aborted) this.users.set([...all]); }
  }
  async #readUser(id: string, signal: AbortSignal): Promise<Deep> {
    const [methods, sessions, groups, roles, signins] = await Promise.all([
      soft(graph<{ value: Method[] }>(`users/${id}/authentication/methods`, { signal }).then((r) => r.value)), soft(graph<{ value: any[] }>(`users/${id}/ringfort.sessions`, { signal }).then((r) => r.value)), soft(graphList(`users/${id}/transitiveMemberOf`, { signal })),
      soft(Promise.all([graphList("roleManagement/directory/roleAssignments", { signal, query: { $filter: `principalId eq ${odata(id)}` } }), graphList("roleManagement/directory/roleDefinitions", { signal }), list<any>(`/subscriptions/${session().subscription}/providers/Microsoft.Authorization/roleAssignments`, { signal, query: { $filter: `principalId eq ${odata(id)}` } }), list<any>(`/subscriptions/${session().subscription}/providers/Microsoft.Authorization/roleDefinitions`, { signal })]).then(([dir, defs, arm, armDefs]) => [...dir.map((a) => ({ name: defs.find((d) => d.id === a.roleDefinitionId)?.displayName ?? a.roleDefinitionId, scope: t("identity.directory") })), ...arm.map((a) => ({ name: armDefs.find((d) => d.name.toLowerCase() === a.properties.roleDefinitionId.split("/").pop().toLowerCase())?.properties.roleName ?? a.properties.roleDefinitionId.split("/").pop(), scope: String(a.properties.scope) }))])),
      soft(kql(`SigninLogs\n| where UserId == ${quote(id)}\n| project TimeGenerated, AppDisplayName, IPAddress, ResultType, ResultDescription\n| top 8 by TimeGenerated desc`, { signal, range: { text: "30d", from: new Date(Date.now() - 30 * 86400e3), to: new Date(), live: true } }).then(records)),
    ]);
    return { methods, sessions, groups, roles, signins } as Deep;
  }
  async #readRoles(signal: AbortSignal): Promise<Roles> {
    const [dir, defs, arm, armDefs] = await Promise.all([graphList("roleManagement/directory/roleAssignments", { signal }), graphList("roleManagement/directory/roleDefinitions", { signal }), soft(list<any>(`/subscriptions/${session().subscription}/providers/Microsoft.Authorization/roleAssignments`, { signal })), soft(list<any>(`/subscriptions/${session().subscription}/providers/Microsoft.Authorization/roleDefinitions`, { signal }))]);
    const ids = [...new Set([...dir.map((a) => a.principalId), ...(arm instanceof Error ? [] : arm.map((a) => a.properties.principalId))])].map(String), names = new Map<string, any>();
    if (ids.length) for (const o of (await graphPost<{ value: any[] }>("directoryObjects/getByIds", { ids: ids.slice(0, 1000) })).value) names.set(o.id, o);
    const who = (id: string) => names.get(id)?.displayName ?? id, kind = (id: string) => /graph\.(\w+)$/.exec(names.get(id)?.["@odata.type"] ?? "")?.[1] ?? "";
    return { armError: arm instanceof Error ? arm : undefined, rows: [...dir.map((a) => ({ id: a.id, who: who(a.principalId), principalId: a.principalId, kind: kind(a.principalId), role: defs.find((d) => d.id === a.roleDefinitionId)?.displayName ?? a.roleDefinitionId, scope: t("identity.directory"), directory: true })),
      ...(arm instanceof Error ? [] : arm.map((a) => ({ id: a.id, who: who(a.properties.principalId), principalId: a.properties.principalId, kind: kind(a.properties.principalId) || a.properties.principalType, role: armDefs instanceof Error ? a.properties.roleDefinitionId : armDefs.find((d) => d.name.toLowerCase() === a.properties.roleDefinitionId.split("/").pop().toLowerCase())?.properties.roleName ?? a.properties.roleDefinitionId, scope: a.properties.scope, directory: false })))] };
  }
  get #signinQuery(): string {
    const f = this.#filters, q = this.q("q").trim();
    return `SigninLogs${f.result?.length === 1 ? `\n| where ResultType ${f.result[0] === "ok" ? "==" : "!="} "0"` : ""}${f.app?.length ? `\n| where AppDisplayName in (${f.app.map(quote).join(", ")})` : ""}${f.mfa?.length === 1 ? `\n| where AuthenticationRequirement ${f.mfa[0] === "yes" ? "==" : "!="} "multiFactorAuthentication"` : ""}${f.ca?.length ? `\n| where ConditionalAccessStatus in (${f.ca.map(quote).join(", ")})` : ""}${q ? `\n| where UserPrincipalName contains ${quote(q)} or IPAddress startswith ${quote(q)} or UserId == ${quote(q)}` : ""}\n| project TimeGenerated, Id, UserPrincipalName, UserId, AppDisplayName, ResourceDisplayName, IPAddress, Location, ResultType, ResultDescription, AuthenticationRequirement, ConditionalAccessStatus, ConditionalAccessPolicies, AuthenticationDetails, DeviceDetail, ClientAppUsed\n| top 1000 by TimeGenerated desc`;
  }
  get #filters() { return readFilters(this.q("f")); }
  #setFilter(k: string, v: string[]) { this.setQ({ f: writeFilters({ ...this.#filters, [k]: v }) || null }); }

  // ---- acts on a user ----
  get #user(): User | undefined { return this.users.value?.find((u) => u.id === this.q("sel")); }
  #again = () => { void this.deep.run(); };
  #pass = async (u: User) => {
    let minutes = 60, once = true;
    const made = await openDialog<{ value: string; until: string }>({ title: t("identity.pass-title", { name: u.displayName }), body: () => html`<p>${t("identity.pass-effect")}</p><label class="stack">${t("identity.pass-minutes")}<input class="in" type="number" min="10" max="43200" .value=${String(minutes)} @input=${(e: Event) => { minutes = Number((e.target as HTMLInputElement).value); }}></label><label class="row"><input type="checkbox" .checked=${once} @change=${(e: Event) => { once = (e.target as HTMLInputElement).checked; }}>${t("identity.pass-once")}</label>`,
      acts: [{ text: t("act.cancel") }, { text: t("identity.pass"), primary: true, run: async () => { let value = ""; await act({ text: t("identity.pass-made", { name: u.displayName }), run: async () => { const r = await graphPost<any>(`users/${u.id}/authentication/temporaryAccessPassMethods`, { lifetimeInMinutes: minutes, isUsableOnce: once }); value = r.temporaryAccessPass; } }); return { value, until: stamp(Date.now() + minutes * 60e3) }; } }] });
    if (!made) return;
    await this.#once(t("identity.pass-title", { name: u.displayName }), made.value, t("identity.pass-until", { time: made.until }));
    this.#again();
  };
  /** A secret, shown once: it is in this dialog only. */
  #once(title: string, value: string, note: string) {
    return openDialog({ title, body: () => html`<div class="note warn"><rf-icon n="key"></rf-icon><span>${t("identity.once")}</span></div><div class="row"><code class="secret grow">${value}</code><button type="button" class="btn" @click=${() => void copyText(value, t("identity.value"))}><rf-icon n="copy"></rf-icon>${t("act.copy")}</button></div><p class="t2">${note}</p>`, acts: [{ text: t("identity.noted"), primary: true, run: (d) => { d.close(); return undefined; } }] });
  }
  #remove = async (u: User, m: Method) => { if (await confirmImpact({ title: t("identity.remove-title", { what: t(`identity.m.${kindOf(m)}`), name: u.displayName }), act: t("identity.remove"), danger: true, impact: { changes: [t("identity.remove-effect", { name: u.displayName })] }, run: () => act({ text: t("identity.removed", { what: t(`identity.m.${kindOf(m)}`), name: u.displayName }), run: () => graphDelete(`users/${u.id}/authentication/${segment[kindOf(m)]}/${m.id}`) }) })) { this.#again(); void this.users.run(); } };
  #revoke = async (u: User) => { if (await confirmImpact({ title: t("identity.revoke-title", { name: u.displayName }), act: t("identity.revoke"), danger: true, impact: { changes: [t("identity.revoke-effect", { name: u.displayName })] }, undo: t("identity.revoke-undo"), run: () => act({ text: t("identity.revoked", { name: u.displayName }), run: () => graphPost(`users/${u.id}/revokeSignInSessions`) }) })) this.#again(); };
  #end = async (u: User, s: any) => { await act({ text: t("identity.ended", { name: u.displayName }), run: () => graphDelete(`users/${u.id}/ringfort.sessions/${s.id}`) }).catch(() => undefined); this.#again(); };
  #enable = async (u: User) => {
    const on = !u.accountEnabled, write = async (v: boolean) => { await graphPatch(`users/${u.id}`, { accountEnabled: v }); this.users.set((this.users.value ?? []).map((x) => (x.id === u.id ? { ...x, accountEnabled: v } : x))); };
    await confirmImpact({ title: t(on ? "identity.enable-title" : "identity.disable-title", { name: u.displayName }), act: t(on ? "identity.enable" : "identity.disable"), danger: !on, impact: { changes: [t(on ? "identity.enable-effect" : "identity.disable-effect", { name: u.displayName })] }, undo: t("identity.tray-undo"), run: () => act({ text: t(on ? "identity.enabled" : "identity.disabled", { name: u.displayName }), run: () => write(on), undo: () => write(!on) }) });
  };
  // ---- applications ----
  #newApp = async () => {
    let name = "", urls = "", kind = "web", months = 6;
    const made = await openDialog<{ app: any; secret: string }>({ title: t("identity.new-app"), wide: true, body: () => html`<p class="t2">${t("identity.new-app-text")}</p><label class="stack">${t("identity.c-name")}<input class="in" placeholder="Grafana" @input=${(e: Event) => { name = (e.target as HTMLInputElement).value.trim(); }}></label>
      <label class="stack">${t("identity.app-kind")}<select class="in" @change=${(e: Event) => { kind = (e.target as HTMLSelectElement).value; }}><option value="web">${t("identity.app-web")}</option><option value="spa">${t("identity.app-spa")}</option><option value="publicClient">${t("identity.app-public")}</option></select></label>
      <label class="stack">${t("identity.redirects")}<textarea class="in mono" rows="3" @input=${(e: Event) => { urls = (e.target as HTMLTextAreaElement).value; }}></textarea></label><label class="stack">${t("identity.secret-months")}<input class="in" type="number" min="1" max="24" .value=${String(months)} @input=${(e: Event) => { months = Number((e.target as HTMLInputElement).value); }}></label>`,
      acts: [{ text: t("act.cancel") }, { text: t("identity.new-app"), primary: true, run: async () => {
        const list = urls.split("\n").map((x) => x.trim()).filter(Boolean), bad = list.find((x) => { try { const u = new URL(x); return !(u.protocol === "https:" || /^(localhost|127\.0\.0\.1)$/.test(u.hostname) || kind === "publicClient"); } catch { return true; } });
        if (!name) throw new Error(t("identity.name-needed"));
        if (bad) throw new Error(t("identity.redirect-fault", { url: bad }));
        let app: any, secret = "";
        await act({ text: t("identity.app-made", { name }), run: async () => { app = await graphPost("applications", { displayName: name, signInAudience: "AzureADMyOrg", [kind]: { redirectUris: list } }); await graphPost("servicePrincipals", { appId: app.appId }); if (kind === "web") secret = (await graphPost<any>(`applications/${app.id}/addPassword`, { passwordCredential: { displayName: "portal", endDateTime: new Date(Date.now() + months * 30 * 86400e3).toISOString() } })).secretText; }, undo: () => graphDelete(`applications/${app.id}`).then(() => this.apps.run()) });
        return { app, secret };
      } }] });
    if (!made) return;
    await this.apps.run();
    this.setQ({ sel: made.app.id });
    const o = session().origin, at = `${o}/${session().tenant.id}`;
    await openDialog({ title: t("identity.app-ready", { name: made.app.displayName }), wide: true, body: () => html`${made.secret ? html`<div class="note warn"><rf-icon n="key"></rf-icon><span>${t("identity.once")}</span></div>` : nothing}<dl class="kv">${[["client_id", made.app.appId], ...(made.secret ? [["client_secret", made.secret]] : []), ["auth_url", `${at}/oauth2/v2.0/authorize`], ["token_url", `${at}/oauth2/v2.0/token`], ["issuer", `${at}/v2.0`], ["scopes", "openid profile email"]].map(([k, v]) => html`<dt class="mono">${k}</dt><dd class="row"><code class="secret grow">${v}</code><button type="button" class="btn s quiet ic" aria-label=${t("act.copy")} @click=${() => void copyText(v, k)}><rf-icon n="copy"></rf-icon></button></dd>`)}</dl>`, acts: [{ text: t("identity.noted"), primary: true, run: (d) => { d.close(); return undefined; } }] });
  };
  #secret = async (a: any) => {
    let text = "", months = 6;
    const value = await openDialog<string>({ title: t("identity.secret-title", { name: a.displayName }), body: () => html`<label class="stack">${t("identity.c-name")}<input class="in" @input=${(e: Event) => { text = (e.target as HTMLInputElement).value; }}></label><label class="stack">${t("identity.secret-months")}<input class="in" type="number" min="1" max="24" .value=${String(months)} @input=${(e: Event) => { months = Number((e.target as HTMLInputElement).value); }}></label>`,
      acts: [{ text: t("act.cancel") }, { text: t("identity.secret-new"), primary: true, run: async () => { let v = ""; await act({ text: t("identity.secret-made", { name: a.displayName }), run: async () => { v = (await graphPost<any>(`applications/${a.id}/addPassword`, { passwordCredential: { displayName: text || "portal", endDateTime: new Date(Date.now() + months * 30 * 86400e3).toISOString() } })).secretText; } }); return v; } }] });
    if (value) { await this.#once(t("identity.secret-title", { name: a.displayName }), value, ""); void this.apps.run(); }
  };
  #dropSecret = async (a: any, c: any) => { if (await confirmImpact({ title: t("identity.drop-title", { name: c.displayName || c.hint || c.keyId }), act: t("identity.remove"), danger: true, word: a.displayName, impact: { changes: [t("identity.drop-effect", { name: a.displayName })] }, run: () => act({ text: t("identity.dropped", { name: a.displayName }), run: () => graphPost(`applications/${a.id}/removePassword`, { keyId: c.keyId }) }) })) void this.apps.run(); };
  #dropApp = async (a: any) => { if (await confirmImpact({ title: t("identity.app-delete", { name: a.displayName }), act: t("act.delete"), danger: true, word: a.displayName, impact: { changes: [t("identity.app-delete-effect")] }, run: () => act({ text: t("identity.app-deleted", { name: a.displayName }), run: () => graphDelete(`applications/${a.id}`) }) })) { this.setQ({ sel: null }); void this.apps.run(); } };
  #policyState = async (p: any) => {
    const next = p.state === "enabled" ? "disabled" : "enabled", write = (s: string) => graphPatch(`identity/conditionalAccess/policies/${p.id}`, { state: s }).then(() => this.policies.run());
    await confirmImpact({ title: t(next === "enabled" ? "identity.enable-title" : "identity.disable-title", { name: p.displayName }), act: t(next === "enabled" ? "identity.enable" : "identity.disable"), impact: { changes: [t(next === "enabled" ? "identity.policy-on" : "identity.policy-off")], before: { state: p.state }, after: { state: next } }, undo: t("identity.tray-undo"), run: () => act({ text: `${p.displayName}: ${t(`identity.ps.${next}`)}`, run: () => write(next), undo: () => write(p.state) }) });
  };
  #evaluate = async () => {
    const w = this.#whatIf, u = this.users.value?.find((x) => x.userPrincipalName === w.user || x.displayName === w.user || x.id === w.user);
    if (w.busy) return;
    if (!u) { w.error = new Error(t("identity.no-user", { name: w.user })); w.rows = undefined; this.requestUpdate(); return; }
    w.busy = true; w.error = undefined; this.requestUpdate();
    try { w.rows = (await graphPost<{ value: any[] }>("identity/conditionalAccess/evaluate", { signInIdentity: { userId: u.id }, signInContext: { includeApplications: [w.app.trim() || "All"] }, signInConditions: { clientAppType: w.client, ...(w.ip ? { ipAddress: w.ip } : {}), ...(w.country ? { country: w.country } : {}), ...(w.platform ? { devicePlatform: w.platform } : {}) }, appliedPoliciesOnly: false })).value; }
    catch (e) { w.error = e as Error; w.rows = undefined; }
    w.busy = false; this.requestUpdate();
  };

  // ---- frame ----
  head(): Head {
    const tab = this.#tab, x = (text: string, name: string, count?: number) => ({ text, tab: name === "users" ? undefined : name, count });
    return { title: t("page.identity"), time: tab === "signins" ? "24h" : undefined, tabs: [x(t("identity.users"), "users", this.users.value?.length), x(t("identity.groups"), "groups"), x(t("identity.apps"), "apps"), x(t("identity.signins"), "signins"), x(t("identity.policies"), "policies"), x(t("identity.roles"), "roles")],
      acts: tab === "apps" ? [{ text: t("identity.new-app"), icon: "plus", primary: true, run: () => void this.#newApp() }] : [] };
  }
  keys(): Key[] {
    const u = (run: (u: User) => void) => () => { const x = this.#tab === "users" ? this.#user : undefined; if (x) run(x); };
    return [{ key: "p", text: t("identity.pass"), run: u((x) => void this.#pass(x)) }, { key: "x", text: t("identity.revoke"), run: u((x) => void this.#revoke(x)) }, { key: "d", text: t("identity.key-enable"), run: u((x) => void this.#enable(x)) }, { key: "n", text: t("identity.new-app"), run: () => { if (this.#tab === "apps") void this.#newApp(); } },
      ...["users", "groups", "apps", "signins", "policies", "roles"].map((k, i) => ({ key: String(i + 1), text: t(`identity.${k}`), run: () => this.setQ({ tab: i ? k : null, sel: null, f: null, q: null, sort: null }, { push: true }) })),
      { key: "Escape", text: t("identity.key-back"), run: () => { this.setQ({ sel: null }); this.querySelector<HTMLElement>("rf-grid td[tabindex='0']")?.focus(); } }, { key: "r", text: t("palette.reload"), run: () => { this.#of = ""; this.reload(); } }];
  }
  copyAs(): CopyItem[] {
    const path: Record<string, string> = { users: "users", groups: "groups", apps: "applications", policies: "identity/conditionalAccess/policies", roles: "roleManagement/directory/roleAssignments" }, l = ({ users: this.users, groups: this.groups, apps: this.apps, policies: this.policies } as Record<string, { value?: any[] }>)[this.#tab];
    if (this.#tab === "signins") return [{ kind: "kql", text: this.#signinQuery }];
    return [{ kind: "curl", text: curlLine(location.origin, "GET", `/v1.0/${path[this.#tab]}`) }, ...(l ? [{ kind: "json" as const, text: () => JSON.stringify(l.value ?? [], null, 2) }] : []), ...(this.#tab === "users" ? [{ kind: "az" as const, text: "az ad user list" }, { kind: "csv" as const, text: () => csv(["Name", "UPN", "Enabled", "SecondFactor", "LastSignIn"], this.#people().map((u) => [u.displayName, u.userPrincipalName, u.accountEnabled, u.methods ? u.methods.some(second) : "", u.last ?? ""])) }] : [])];
  }
  body() {
    switch (this.#tab) {
      case "groups": return this.#groupTab();
      case "apps": return this.#appTab();
      case "signins": return this.#signinTab();
      case "policies": return this.#policyTab();
      case "roles": return this.#roleTab();
      default: return this.#userTab();
    }
  }
  #bar(placeholder: string, filters: Record<string, { value: string; text: string }[]>) {
    const f = this.#filters;
    return html`<div class="bar flt"><label class="field"><rf-icon n="search"></rf-icon><span class="vh">${placeholder}</span><input type="search" placeholder=${placeholder} .value=${this.q("q")} @input=${(e: Event) => { const v = (e.target as HTMLInputElement).value; clearTimeout(this.#typing); this.#typing = setTimeout(() => this.setQ({ q: v.trim() }), 250); }} @keydown=${(e: KeyboardEvent) => { if (e.key === "ArrowDown" || e.key === "Enter") { e.preventDefault(); this.querySelector<Grid>("rf-grid")?.enter(); } }}></label>
      ${Object.entries(f).filter(([, v]) => v.length).map(([k, v]) => chipFilter(t(`identity.f-${k}`), v.map((x) => filters[k]?.find((y) => y.value === x)?.text ?? x).join(", "), () => this.#setFilter(k, [])))}
      ${Object.keys(filters).length ? html`<button class="btn s quiet" aria-haspopup="menu" @click=${(e: Event) => openMenu(e.currentTarget as HTMLElement, Object.entries(filters).flatMap(([k, all], i) => all.map((x, j) => ({ text: t("filter.is", { name: t(`identity.f-${k}`), value: x.text }), checked: !!f[k]?.includes(x.value), line: i > 0 && j === 0, run: () => this.#setFilter(k, f[k]?.includes(x.value) ? f[k].filter((y) => y !== x.value) : [...(f[k] ?? []), x.value]) }))), { label: t("filter.add") })}><rf-icon n="plus"></rf-icon>${t("filter.add")}</button>` : nothing}</div>`;
  }
  #grid(name: string, columns: GridColumn[], rows: any[], sort: string, key: (r: any) => string = (r) => r.id) { return html`<rf-grid name=${`identity-${name}`} .label=${t(`identity.${name}`)} .columns=${columns} .rows=${rows} .rowKey=${key} .current=${this.q("sel")} .sort=${this.q("sort", sort)} @rf-current=${(e: CustomEvent<{ key: string }>) => this.setQ({ sel: e.detail.key })} @rf-open=${() => this.querySelector<HTMLElement>(".pane .btn, .pane a")?.focus()} @rf-sort=${(e: CustomEvent<string>) => this.setQ({ sort: e.detail === sort ? null : e.detail })}></rf-grid>`; }
  #none(text: string) { return html`<aside class="pane none"><div class="state"><p class="t2">${text}</p></div></aside>`; }
  #shell(title: string, sub: unknown, inside: unknown, acts: unknown = nothing) { return html`<aside class="pane" aria-label=${title}><header><h2 class="grow">${title}</h2><button class="btn s quiet ic" aria-label=${t("identity.close-pane")} @click=${() => this.setQ({ sel: null })}><rf-icon n="x"></rf-icon></button></header><div class="sub">${sub}</div><div class="scroll">${inside}</div>${acts === nothing ? nothing : html`<div class="acts">${acts}</div>`}</aside>`; }
  #part<T>(v: T[] | Error, some: (v: T[]) => unknown, none: string, role: string) { return v instanceof Error ? failure(v, { retry: this.#again, needs: { role, on: session().tenant.name } }) : v.length ? some(v) : html`<p class="t3">${none}</p>`; }

  // ---- users ----
  #people(): User[] {
    const f = this.#filters, text = this.q("q").toLowerCase();
    return (this.users.value ?? []).filter((u) => (!text || `${u.displayName} ${u.userPrincipalName}`.toLowerCase().includes(text)) && (!f.state?.length || f.state.includes(u.accountEnabled ? "on" : "off")) && (!f.factor?.length || (u.methods && f.factor.includes(u.methods.some(second) ? "yes" : "no"))) && (!f.last?.length || (f.last.includes("never") && u.last === "")));
  }
  #userTab() {
    const u = this.#user;
    if (u && this.#of !== u.id) { this.#of = u.id; this.deep.at = undefined; queueMicrotask(() => void this.deep.run()); }
    const columns: GridColumn<User>[] = [
      { id: "name", head: t("identity.c-name"), min: 150, value: (x) => x.displayName, cell: (x) => html`<b class="nm">${x.displayName}</b>` }, { id: "upn", head: t("identity.c-upn"), min: 190, value: (x) => x.userPrincipalName },
      { id: "state", head: t("identity.f-state"), width: 104, value: (x) => x.accountEnabled, cell: (x) => html`<rf-state s=${x.accountEnabled ? "ok" : "unknown"} word=${t(x.accountEnabled ? "identity.on" : "identity.off")}></rf-state>` },
      { id: "factor", head: t("identity.f-factor"), width: 124, value: (x) => (x.methods ? x.methods.some(second) : null), cell: (x) => (x.methods ? html`<rf-state s=${x.methods.some(second) ? "ok" : "fail"} word=${t(x.methods.some(second) ? "grid.yes" : "grid.no")}></rf-state>` : html`<span class="t3">${t("grid.unknown")}</span>`) },
      { id: "last", head: t("identity.c-last"), width: 118, num: true, value: (x) => x.last ?? null, cell: (x) => (x.last === undefined ? html`<span class="t3">${t("grid.unknown")}</span>` : x.last ? html`<time title=${stamp(x.last)}>${when(x.last)}</time>` : html`<span class="t3">${t("identity.never")}</span>`) }];
    return html`<section class="card" aria-label=${t("identity.users")}>${this.#bar(t("identity.search-users"), { state: [{ value: "on", text: t("identity.on") }, { value: "off", text: t("identity.off") }], factor: [{ value: "no", text: t("grid.no") }, { value: "yes", text: t("grid.yes") }], last: [{ value: "never", text: t("identity.never") }] })}
      ${this.users.show((all) => { const rows = this.#people(); return rows.length ? this.#grid("users", columns, rows, "name") : filteredEmpty([...Object.keys(this.#filters).map((k) => t(`identity.f-${k}`)), this.q("q")].filter(Boolean).join(", "), all.length, () => this.setQ({ f: null, q: null })); }, { skeleton: 12 })}</section>${u ? this.#userPane(u) : this.#none(t("identity.choose-user"))}`;
  }
  #userPane(u: User) {
    return this.#shell(u.displayName, html`<span class="t2">${u.userPrincipalName}</span> <rf-state s=${u.accountEnabled ? "ok" : "unknown"} word=${t(u.accountEnabled ? "identity.on" : "identity.off")}></rf-state>`, this.deep.show((d) => html`
      <div class="sec"><h3>${t("identity.factors")}</h3>${this.#part(d.methods, (all) => html`<ul class="rows">${all.map((m) => html`<li><rf-icon n=${kindOf(m) === "fido2" ? "finger" : kindOf(m) === "softwareOath" ? "phone" : kindOf(m) === "temporaryAccessPass" ? "clock" : "key"}></rf-icon><span class="grow">${t(`identity.m.${kindOf(m)}`)}${m.displayName || m.model ? html` <span class="t3">${m.displayName || m.model}</span>` : nothing}</span><time class="t3">${when(m.createdDateTime)}</time>${segment[kindOf(m)] ? html`<button class="btn s quiet" @click=${() => void this.#remove(u, m)}>${t("identity.remove")}</button>` : nothing}</li>`)}</ul>${all.some(second) ? nothing : html`<div class="note warn"><rf-icon n="incident"></rf-icon><span>${t("identity.no-factor")}</span></div>`}`, t("identity.no-methods"), "Authentication Administrator")}</div>
      <div class="sec"><h3>${t("identity.sessions")}</h3>${this.#part(d.sessions, (all) => html`<ul class="rows">${all.map((s: any) => html`<li><rf-icon n="globe"></rf-icon><span class="grow ell" title=${s.userAgent ?? ""}>${s.ipAddress} <span class="t3">${(s.applications ?? []).map((a: any) => a.displayName).join(", ")}</span>${s.isCurrent ? html` <span class="chip on">${t("identity.this")}</span>` : nothing}</span><time class="t3" title=${stamp(s.lastSeenDateTime)}>${ago(s.lastSeenDateTime)}</time>${s.isCurrent ? nothing : html`<button class="btn s quiet" @click=${() => void this.#end(u, s)}>${t("identity.end")}</button>`}</li>`)}</ul>`, t("identity.no-sessions"), "User Administrator")}</div>
      <div class="sec"><h3>${t("identity.roles")}</h3>${this.#part(d.roles, (all) => html`<ul class="rows">${all.map((r: any) => html`<li><span class="grow">${r.name}</span><span class="t3 ell" title=${r.scope}>${r.scope.split("/").pop() || r.scope}</span></li>`)}</ul>`, t("identity.no-roles"), "Privileged Role Administrator")}</div>
      <div class="sec"><h3>${t("identity.groups")}</h3>${this.#part(d.groups, (all) => html`<p>${all.map((g: any) => g.displayName).join(", ")}</p>`, t("identity.no-groups"), "Directory Readers")}</div>
      <div class="sec"><h3>${t("identity.signins")}</h3>${this.#part(d.signins, (all) => html`<ul class="rows">${all.map((s: any) => html`<li><rf-state bare s=${s.ResultType === "0" ? "ok" : "fail"} word=${s.ResultType === "0" ? t("identity.ok") : s.ResultDescription || s.ResultType}></rf-state><span class="grow ell">${s.AppDisplayName} <span class="t3">${s.IPAddress}</span></span><time class="t3" title=${stamp(s.TimeGenerated)}>${when(s.TimeGenerated)}</time></li>`)}</ul><a class="sm" href=${href("/identity", {}, { tab: "signins", q: u.id, t: "30d" })}>${t("identity.all-signins")}</a>`, t("identity.no-signins"), "Log Analytics Reader")}</div>`, { skeleton: 6 }),
      html`<button class="btn pri" @click=${() => void this.#pass(u)}><rf-icon n="key"></rf-icon>${t("identity.pass")}</button><button class="btn" @click=${() => void this.#revoke(u)}>${t("identity.revoke")}</button><button class="btn" @click=${() => void this.#enable(u)}>${t(u.accountEnabled ? "identity.disable" : "identity.enable")}</button>`);
  }
  // ---- groups ----
  #groupTab() {
    const text = this.q("q").toLowerCase(), g = this.groups.value?.find((x) => x.id === this.q("sel"));
    if (g && this.#of !== g.id) { this.#of = g.id; this.members.at = undefined; queueMicrotask(() => void this.members.run()); }
    return html`<section class="card" aria-label=${t("identity.groups")}>${this.#bar(t("identity.search-name"), {})}${this.groups.show((all) => { const rows = all.filter((x) => !text || x.displayName.toLowerCase().includes(text)); return !all.length ? html`<div class="state"><p>${t("identity.none-groups")}</p></div>` : rows.length ? this.#grid("groups", [{ id: "displayName", head: t("identity.c-name"), min: 180 }, { id: "description", head: t("identity.c-description"), min: 220 }, { id: "createdDateTime", head: t("identity.c-made"), width: 120, num: true, cell: (r) => when(r.createdDateTime) }], rows, "displayName") : filteredEmpty(`"${this.q("q")}"`, all.length, () => this.setQ({ q: null })); })}</section>
      ${g ? this.#shell(g.displayName, html`<span class="t2">${g.description ?? ""}</span>`, html`<div class="sec"><h3>${t("identity.members")}</h3>${this.members.show((all) => (all.length ? html`<ul class="rows">${all.map((m) => html`<li><rf-icon n=${/group$/.test(m["@odata.type"] ?? "") ? "grid" : "user"}></rf-icon><a class="grow" href=${href("/identity", {}, { sel: m.id })}>${m.displayName}</a><span class="t3 ell">${m.userPrincipalName ?? ""}</span></li>`)}</ul>` : html`<p class="t3">${t("identity.no-members")}</p>`))}</div>`) : this.#none(t("identity.choose-group"))}`;
  }
  // ---- applications ----
  #appTab() {
    const text = this.q("q").toLowerCase(), f = this.#filters, a = this.apps.value?.find((x) => x.id === this.q("sel")), late = (x: any) => { const e = ends(x); return e && Date.parse(e) - Date.now() < soon; };
    const columns: GridColumn[] = [{ id: "displayName", head: t("identity.c-name"), min: 170, cell: (x) => html`<b class="nm">${x.displayName}</b>` }, { id: "appId", head: "Client id", min: 260, cell: (x) => html`<code>${x.appId}</code>` }, { id: "n", head: t("identity.c-secrets"), width: 96, num: true, value: (x) => (x.passwordCredentials?.length ?? 0) + (x.keyCredentials?.length ?? 0) }, { id: "ends", head: t("identity.c-ends"), width: 120, num: true, value: (x) => ends(x), cell: (x) => (ends(x) ? html`<time class=${late(x) ? "late" : ""} title=${stamp(ends(x))}>${when(ends(x))}</time>` : html`<span class="t3">-</span>`) }];
    return html`<section class="card" aria-label=${t("identity.apps")}>${this.#bar(t("identity.search-name"), { ends: [{ value: "soon", text: t("identity.in-30") }] })}${this.apps.show((all) => { const rows = all.filter((x) => (!text || `${x.displayName} ${x.appId}`.toLowerCase().includes(text)) && (!f.ends?.length || late(x))); return !all.length ? emptyState(t("identity.none-apps"), { text: t("identity.new-app"), run: () => void this.#newApp() }) : rows.length ? this.#grid("apps", columns, rows, "displayName") : filteredEmpty([...Object.keys(f).map((k) => t(`identity.f-${k}`)), this.q("q")].filter(Boolean).join(", "), all.length, () => this.setQ({ q: null, f: null })); })}</section>
      ${a ? this.#shell(a.displayName, html`<code>${a.appId}</code>`, html`<div class="sec"><h3>${t("identity.redirects")}</h3>${["web", "spa", "publicClient"].flatMap((k) => (a[k]?.redirectUris ?? []).map((u: string) => html`<p class="mono any">${u}</p>`))}${["web", "spa", "publicClient"].some((k) => a[k]?.redirectUris?.length) ? nothing : html`<p class="t3">${t("identity.no-redirects")}</p>`}</div>
        <div class="sec"><h3>${t("identity.c-secrets")}</h3><ul class="rows">${(a.passwordCredentials ?? []).map((c: any) => html`<li><rf-icon n="key"></rf-icon><span class="grow">${c.displayName ?? "-"} <span class="t3">${c.hint ? `${c.hint}…` : ""}</span></span><time class=${Date.parse(c.endDateTime) - Date.now() < soon ? "late" : "t3"} title=${stamp(c.endDateTime)}>${when(c.endDateTime)}</time><button class="btn s quiet" @click=${() => void this.#dropSecret(a, c)}>${t("identity.remove")}</button></li>`)}${(a.keyCredentials ?? []).map((c: any) => html`<li><rf-icon n="file"></rf-icon><span class="grow">${c.displayName ?? "-"} <span class="t3">${c.type ?? ""}</span></span><time class=${Date.parse(c.endDateTime) - Date.now() < soon ? "late" : "t3"}>${when(c.endDateTime)}</time></li>`)}</ul>${a.passwordCredentials?.length || a.keyCredentials?.length ? nothing : html`<p class="t3">${t("identity.no-secrets")}</p>`}</div>`, html`<button class="btn pri" @click=${() => void this.#secret(a)}>${t("identity.secret-new")}</button><button class="btn danger end" @click=${() => void this.#dropApp(a)}>${t("act.delete")}</button>`) : this.#none(t("identity.choose-app"))}`;
  }
  // ---- sign-ins ----
  #signinTab() {
    const rows = this.signins.value ? (records(this.signins.value) as Record<string, any>[]) : [], s = rows.find((r) => r.Id === this.q("sel")), policies = (s?.ConditionalAccessPolicies ?? []) as any[];
    const columns: GridColumn[] = [{ id: "TimeGenerated", head: t("identity.c-time"), width: 150, cell: (r) => html`<time>${stamp(r.TimeGenerated)}</time>` }, { id: "result", head: t("identity.f-result"), width: 110, value: (r) => r.ResultType, cell: (r) => html`<rf-state s=${r.ResultType === "0" ? "ok" : "fail"} word=${r.ResultType === "0" ? t("identity.ok") : r.ResultType}></rf-state>` }, { id: "UserPrincipalName", head: t("identity.c-user"), min: 190 }, { id: "AppDisplayName", head: t("identity.f-app"), min: 130 }, { id: "IPAddress", head: t("identity.c-address"), width: 124 }, { id: "ConditionalAccessStatus", head: t("identity.f-ca"), width: 104 }];
    const apps = [...new Set(rows.map((r) => String(r.AppDisplayName)))].sort().slice(0, 12);
    return html`<section class="card" aria-label=${t("identity.signins")}>${this.#bar(t("identity.search-signins"), { result: [{ value: "ok", text: t("identity.ok") }, { value: "fail", text: t("identity.failed") }], mfa: [{ value: "yes", text: t("grid.yes") }, { value: "no", text: t("grid.no") }], ca: ["success", "failure", "notApplied"].map((v) => ({ value: v, text: v })), app: apps.map((v) => ({ value: v, text: v })) })}
      ${this.signins.show((r) => (r.rows.length ? this.#grid("signins", columns, rows, "-TimeGenerated", (x) => x.Id) : this.q("f") || this.q("q") ? filteredEmpty([...Object.keys(this.#filters).map((k) => t(`identity.f-${k}`)), this.q("q")].filter(Boolean).join(", "), undefined, () => this.setQ({ q: null, f: null })) : html`<div class="state"><p>${t("identity.no-signins")}</p></div>`))}</section>
      ${s ? this.#shell(s.UserPrincipalName, html`<rf-state s=${s.ResultType === "0" ? "ok" : "fail"} word=${s.ResultType === "0" ? t("identity.ok") : `${s.ResultType} ${s.ResultDescription ?? ""}`}></rf-state>`, html`<div class="sec"><dl class="kv"><dt>${t("identity.c-time")}</dt><dd>${stamp(s.TimeGenerated)}</dd><dt>${t("identity.f-app")}</dt><dd>${s.AppDisplayName}</dd><dt>${t("identity.c-resource")}</dt><dd>${s.ResourceDisplayName || "-"}</dd><dt>${t("identity.c-address")}</dt><dd>${s.IPAddress} <span class="t3">${s.Location ?? ""}</span></dd><dt>${t("identity.f-mfa")}</dt><dd>${s.AuthenticationRequirement || "-"}</dd><dt>${t("identity.c-client")}</dt><dd>${s.ClientAppUsed || "-"}</dd></dl></div>
        <div class="sec"><h3>${t("identity.why")}</h3>${policies.length ? html`<ul class="rows">${policies.map((p) => html`<li><rf-state bare s=${/success/i.test(p.result) ? "ok" : /fail/i.test(p.result) ? "fail" : "unknown"} word=${p.result}></rf-state><span class="grow"><b>${p.displayName ?? p.id}</b> <span class="t2">${p.result}</span>${(p.enforcedGrantControls ?? []).length ? html`<br><span class="t2">${t("identity.asked", { what: p.enforcedGrantControls.join(", ") })}</span>` : nothing}${p.conditionsNotSatisfied && !/none/i.test(p.conditionsNotSatisfied) ? html`<br><span class="t3">${t("identity.not-met", { what: p.conditionsNotSatisfied })}</span>` : nothing}</span></li>`)}</ul>` : html`<p class="t3">${t("identity.no-why", { status: s.ConditionalAccessStatus || "-" })}</p>`}</div><div class="sec"><h3>${t("identity.device")}</h3><rf-inspector .value=${s.DeviceDetail ?? {}} path="DeviceDetail"></rf-inspector></div>`) : this.#none(t("identity.choose-signin"))}`;
  }
  // ---- conditional access ----
  #policyTab() {
    const p = this.policies.value?.find((x) => x.id === this.q("sel")), w = this.#whatIf, mark = (s: string) => html`<rf-state s=${s === "enabled" ? "ok" : s === "disabled" ? "unknown" : "partial"} word=${t(`identity.ps.${s}`)}></rf-state>`;
    const set = (k: "user" | "app" | "ip" | "country") => (e: Event) => { w[k] = (e.target as HTMLInputElement).value.trim(); };
    return html`<div class="stackd"><section class="card" aria-label=${t("identity.policies")}><header><h2>${t("identity.policies")}</h2></header>${this.policies.show((all) => (all.length ? this.#grid("policies", [{ id: "displayName", head: t("identity.c-name"), min: 220 }, { id: "state", head: t("identity.f-state"), width: 150, cell: (x) => mark(x.state) }, { id: "controls", head: t("identity.c-controls"), min: 180, value: (x) => (x.grantControls?.builtInControls ?? []).join(", ") }, { id: "modified", head: t("identity.c-changed"), width: 120, num: true, value: (x) => x.modifiedDateTime ?? x.createdDateTime, cell: (x) => when(x.modifiedDateTime ?? x.createdDateTime) }], all, "displayName") : html`<div class="state"><p>${t("identity.none-policies")}</p><code class="cap">${curlLine(location.origin, "POST", "/v1.0/identity/conditionalAccess/policies").slice(0, 120)}</code></div>`))}</section>
      <section class="card" aria-label=${t("identity.what-if")}><header><h2>${t("identity.what-if")}</h2><button class="btn pri end" @click=${() => void this.#evaluate()}><rf-icon n="play"></rf-icon>${t("identity.ask")}</button></header><div class="scroll"><datalist id="identity-users">${(this.users.value ?? []).slice(0, 500).map((u) => html`<option value=${u.userPrincipalName}></option>`)}</datalist><div class="wform"><label class="stack">${t("identity.c-user")}<input class="in" list="identity-users" .value=${w.user} @input=${set("user")} @keydown=${(e: KeyboardEvent) => { if (e.key === "Enter") void this.#evaluate(); }}></label><label class="stack">${t("identity.c-resource")}<input class="in" .value=${w.app} @input=${set("app")}></label><label class="stack">${t("identity.c-address")}<input class="in" .value=${w.ip} @input=${set("ip")}></label><label class="stack">${t("identity.c-country")}<input class="in" maxlength="2" .value=${w.country} @input=${set("country")}></label>
        <label class="stack">${t("identity.c-platform")}<select class="in" @change=${(e: Event) => { w.platform = (e.target as HTMLSelectElement).value; }}>${["", "android", "iOS", "windows", "macOS", "linux"].map((v) => html`<option value=${v} ?selected=${v === w.platform}>${v || "-"}</option>`)}</select></label><label class="stack">${t("identity.c-client")}<select class="in" @change=${(e: Event) => { w.client = (e.target as HTMLSelectElement).value; }}>${["browser", "mobileAppsAndDesktopClients", "other"].map((v) => html`<option value=${v}>${v}</option>`)}</select></label></div>
        ${w.error ? failure(w.error, { what: t("identity.not-asked") }) : w.rows ? html`<ul class="lst" role="status">${w.rows.length ? w.rows.map((r) => html`<li><rf-state s=${r.policyApplies ? "partial" : "unknown"} word=${t(r.policyApplies ? "identity.applies" : "identity.applies-not")}></rf-state><span class="grow"><b>${r.displayName}</b> ${r.policyApplies ? html`<span class="t2">${(r.grantControls?.builtInControls ?? []).join(", ")}</span>` : html`<span class="t3">${r.analysisReasons}</span>`}</span></li>`) : html`<li>${t("identity.no-policy")}</li>`}</ul>` : nothing}</div></section></div>
      ${p ? this.#shell(p.displayName, mark(p.state), html`<div class="sec"><rf-inspector .value=${{ conditions: p.conditions, grantControls: p.grantControls, sessionControls: p.sessionControls }} .open=${2}></rf-inspector></div>`, html`<button class="btn" @click=${() => void this.#policyState(p)}>${t(p.state === "enabled" ? "identity.disable" : "identity.enable")}</button>`) : this.#none(t("identity.choose-policy"))}`;
  }
  // ---- roles ----
  #roleTab() {
    const text = this.q("q").toLowerCase();
    return html`<section class="card wide" aria-label=${t("identity.roles")}>${this.#bar(t("identity.search-roles"), {})}${this.roles.show((all) => { const rows = all.rows.filter((r) => !text || `${r.who} ${r.role} ${r.scope}`.toLowerCase().includes(text)); return html`${all.armError ? html`<div class="note warn"><rf-icon n="lock"></rf-icon><span>${t("identity.no-arm")}</span></div>` : nothing}${rows.length ? this.#grid("roles", [{ id: "who", head: t("identity.c-who"), min: 180, cell: (r) => (r.kind === "user" ? html`<a class="nm" tabindex="-1" href=${href("/identity", {}, { sel: r.principalId })}>${r.who}</a>` : r.who) }, { id: "kind", head: t("identity.c-kind"), width: 140 }, { id: "role", head: t("identity.c-role"), min: 220 }, { id: "scope", head: t("identity.c-scope"), min: 260 }], rows, "who") : filteredEmpty(`"${this.q("q")}"`, all.rows.length, () => this.setQ({ q: null }))}`; })}</section>`;
  }
}
