// People: who there is, how they sign in, what they may; new ones, temporary passes, sessions, roles.
import { html, nothing } from "lit";
import { ApiError } from "../../data/client";
import { graphDelete, graphList, graphPatch, graphPost } from "../../data/graph";
import { type Deep, isSecond, type Method, methodKind, methodSegment, readUser, type SignInSession, type User } from "../../data/people";
import { session } from "../../data/session";
import { ago, stamp, when } from "../../data/time";
import { t } from "../../i18n";
import { curlLine, csv } from "../../parts/copy-as";
import { openDialog } from "../../parts/dialog";
import type { GridColumn } from "../../parts/grid";
import { confirmImpact } from "../../parts/impact";
import { openMenu } from "../../parts/menu";
import { href } from "../../router";
import { act } from "../../shell/tray";
import { field, type Frame, showOnce, type Tab } from "./frame";
import { giveDialog } from "./roles";

/** Some 79 random bits as four groups that can be read out. */
function password(): string {
  const letters = "abcdefghjkmnpqrstuvwxyz23456789", bytes = crypto.getRandomValues(new Uint8Array(64)), out: string[] = [];
  for (const b of bytes) if (b < letters.length * 8 && out.length < 16) out.push(letters[b % letters.length]);
  return out.join("").replace(/(.{4})(?=.)/g, "$1-");
}
const icons: Record<string, string> = { fido2: "finger", softwareOath: "phone", temporaryAccessPass: "clock" };
const methodName = (m: Method): string => t(`identity.m.${methodKind(m)}`);

export class Users implements Tab {
  #of = "";
  deep;
  constructor(private page: Frame) { this.deep = page.load<Deep>((signal) => readUser(page.q("sel"), signal), { auto: false, what: () => t("identity.reading-user"), empty: () => false }); }
  get text() { return t("identity.users"); }
  get count() { return this.page.users.value?.onlyMe ? undefined : this.page.users.value?.users.length; }
  open() { this.#of = ""; }
  again() { this.#of = ""; void this.page.users.run(); }
  #deepAgain = () => { void this.deep.run(); };
  get #user(): User | undefined { return this.page.users.value?.users.find((u) => u.id === this.page.q("sel")); }
  #change(id: string, part: Partial<User>) { const v = this.page.users.value; if (v) this.page.users.set({ ...v, users: v.users.map((u) => (u.id === id ? { ...u, ...part } : u)) }); }

  // ---- acts ----
  acts() { return [{ text: t("identity.new-user"), icon: "plus", primary: true, run: () => void this.#create(), disabled: !!this.page.users.value?.onlyMe, why: t("state.needs", { role: "User Administrator", on: session().tenant.name }) }]; }
  #create = async () => {
    let name = "", upn = "";
    const domain = session().tenant.domain, first = password();
    const made = await openDialog<User>({
      title: t("identity.new-user"),
      body: () => html`${field(t("identity.c-name"), name, (v) => { name = v; }, { focus: true })}${field(t("identity.c-upn"), upn, (v) => { upn = v; }, { hint: t("identity.upn-hint", { domain }) })}<p class="t2">${t("identity.user-effect")}</p>`,
      acts: [{ text: t("act.cancel") }, { text: t("identity.new-user"), primary: true, run: async () => {
        const full = upn.trim().includes("@") ? upn.trim() : `${upn.trim()}@${domain}`, nick = full.split("@")[0];
        if (!name.trim() || !nick) throw new ApiError(400, "NameMissing", t("identity.user-needed"));
        let user: User | undefined;
        await act({ text: t("identity.user-made", { name: name.trim() }), undo: () => graphDelete(`users/${user!.id}`).then(() => this.page.users.run()),
          run: async () => { user = await graphPost<User>("users", { accountEnabled: true, displayName: name.trim(), mailNickname: nick.replace(/[^\w.-]/g, ""), userPrincipalName: full, passwordProfile: { password: first, forceChangePasswordNextSignIn: true } }); } });
        return user;
      } }],
    });
    if (!made) return;
    await this.page.users.run();
    this.page.setQ({ sel: made.id, q: null, f: null });
    await showOnce(t("identity.first-password", { name: made.displayName }), first, t("identity.first-note", { upn: made.userPrincipalName }));
  };
  #pass = async (u: User) => {
    let minutes = 60, once = true;
    const made = await openDialog<{ value: string; until: string }>({
      title: t("identity.pass-title", { name: u.displayName }),
      body: () => html`<p>${t("identity.pass-effect")}</p>${field(t("identity.pass-minutes"), String(minutes), (v) => { minutes = Number(v); }, { type: "number", min: 10, max: 43200, focus: true })}<label class="row"><input type="checkbox" .checked=${once} @change=${(e: Event) => { once = (e.target as HTMLInputElement).checked; }}>${t("identity.pass-once")}</label>`,
      acts: [{ text: t("act.cancel") }, { text: t("identity.pass"), primary: true, run: async () => {
        let value = "";
        await act({ text: t("identity.pass-made", { name: u.displayName }), run: async () => { value = (await graphPost<any>(`users/${u.id}/authentication/temporaryAccessPassMethods`, { lifetimeInMinutes: minutes, isUsableOnce: once })).temporaryAccessPass; } });
        return { value, until: stamp(Date.now() + minutes * 60e3) };
      } }],
    });
    if (!made) return;
    await showOnce(t("identity.pass-title", { name: u.displayName }), made.value, t("identity.pass-until", { time: made.until }));
    this.#deepAgain();
  };
  #remove = async (u: User, m: Method) => {
    const what = methodName(m), name = u.displayName;
    const done = await confirmImpact({ title: t("identity.remove-title", { what, name }), act: t("identity.remove"), danger: true, impact: { changes: [t("identity.remove-effect", { name })] }, run: () => act({ text: t("identity.removed", { what, name }), run: () => graphDelete(`users/${u.id}/authentication/${methodSegment[methodKind(m)]}/${m.id}`) }) });
    if (done) { this.#deepAgain(); void this.page.users.run(); }
  };
  #revoke = async (u: User) => {
    const name = u.displayName;
    const done = await confirmImpact({ title: t("identity.revoke-title", { name }), act: t("identity.revoke"), danger: true, impact: { changes: [t("identity.revoke-effect", { name }), ...(u.id === session().user.id ? [t("identity.revoke-own")] : [])] }, undo: t("identity.revoke-undo"), run: () => act({ text: t("identity.revoked", { name }), run: () => graphPost(`users/${u.id}/revokeSignInSessions`) }) });
    if (done) this.#deepAgain();
  };
  #end = async (u: User, s: SignInSession) => { await act({ text: t("identity.ended", { name: u.displayName }), run: () => graphDelete(`users/${u.id}/ringfort.sessions/${s.id}`) }).catch(() => undefined); this.#deepAgain(); };
  #enable = async (u: User) => {
    const on = !u.accountEnabled, name = u.displayName, k = on ? "enable" : "disable", write = async (v: boolean) => { await graphPatch(`users/${u.id}`, { accountEnabled: v }); this.#change(u.id, { accountEnabled: v }); };
    await confirmImpact({ title: t(`identity.${k}-title`, { name }), act: t(`identity.${k}`), danger: !on, impact: { changes: [t(`identity.${k}-effect`, { name })] }, undo: t("identity.tray-undo"), run: () => act({ text: t(`identity.${k}d`, { name }), run: () => write(on), undo: () => write(!on) }) });
  };
  #delete = async (u: User) => {
    const name = u.displayName;
    const done = await confirmImpact({ title: t("identity.delete-title", { name }), act: t("act.delete"), danger: true, word: u.userPrincipalName, impact: { changes: [t("identity.delete-effect", { name })] }, run: () => act({ text: t("identity.deleted", { name }), run: () => graphDelete(`users/${u.id}`) }) });
    if (done) { this.page.closePane(); void this.page.users.run(); }
  };
  #settle = async (u: User) => { await act({ text: t("identity.risk-settled", { name: u.displayName }), run: () => graphPost("identityProtection/riskyUsers/dismiss", { userIds: [u.id] }) }).catch(() => undefined); this.#deepAgain(); };
  #give = async (u: User) => { if (await giveDialog(this.page, u)) this.#deepAgain(); };

  keys() {
    const on = (run: (u: User) => void) => () => { const u = this.#user; if (u) run(u); };
    return [{ key: "n", text: t("identity.new-user"), run: () => void this.#create() }, { key: "p", text: t("identity.pass"), run: on((u) => void this.#pass(u)) }, { key: "x", text: t("identity.revoke"), run: on((u) => void this.#revoke(u)) }, { key: "d", text: t("identity.key-enable"), run: on((u) => void this.#enable(u)) }, { key: "l", text: t("identity.give"), run: on((u) => void this.#give(u)) }];
  }
  copyAs() {
    return [{ kind: "curl" as const, text: curlLine(location.origin, "GET", "/v1.0/users") }, { kind: "json" as const, text: () => JSON.stringify(this.page.users.value?.users ?? [], null, 2) }, { kind: "az" as const, text: "az ad user list" },
      { kind: "csv" as const, text: () => csv(["Name", "UPN", "Enabled", "SecondFactor", "LastSignIn"], this.#rows().map((u) => [u.displayName, u.userPrincipalName, u.accountEnabled, u.methods ? u.methods.some(isSecond) : "", u.last ?? ""])) }];
  }

  // ---- list ----
  #rows(): User[] {
    const p = this.page;
    return (p.users.value?.users ?? []).filter((u) => (!p.text || `${u.displayName} ${u.userPrincipalName}`.toLowerCase().includes(p.text)) && p.passes("state", u.accountEnabled ? "on" : "off")
      && p.passes("risk", u.risk ? "yes" : "") && p.passes("factor", u.methods ? (u.methods.some(isSecond) ? "yes" : "no") : "") && p.passes("last", u.last === "" ? "never" : ""));
  }
  body() {
    const u = this.#user, p = this.page, yes = (v: boolean) => t(v ? "grid.yes" : "grid.no"), unknown = html`<span class="t3">${t("grid.unknown")}</span>`;
    if (u && this.#of !== u.id) { this.#of = u.id; this.deep.at = undefined; queueMicrotask(this.#deepAgain); }
    const columns: GridColumn<User>[] = [
      { id: "name", head: t("identity.c-name"), min: 150, value: (x) => x.displayName, cell: (x) => html`<b class="nm">${x.displayName}</b>` }, { id: "upn", head: t("identity.c-upn"), min: 190, value: (x) => x.userPrincipalName },
      { id: "state", head: t("identity.f-state"), width: 104, value: (x) => x.accountEnabled, cell: (x) => this.#mark(x) },
      { id: "factor", head: t("identity.f-factor"), width: 124, value: (x) => (x.methods ? x.methods.some(isSecond) : null), cell: (x) => (x.methods ? html`<rf-state s=${x.methods.some(isSecond) ? "ok" : "fail"} word=${yes(x.methods.some(isSecond))}></rf-state>` : unknown) },
      { id: "last", head: t("identity.c-last"), width: 118, num: true, value: (x) => x.last ?? null, cell: (x) => (x.last === undefined ? unknown : x.last ? html`<time title=${stamp(x.last)}>${when(x.last)}</time>` : html`<span class="t3">${t("identity.never")}</span>`) }];
    const choices = { state: [{ value: "on", text: t("identity.on") }, { value: "off", text: t("identity.off") }], factor: [{ value: "no", text: yes(false) }, { value: "yes", text: yes(true) }], last: [{ value: "never", text: t("identity.never") }], risk: [{ value: "yes", text: yes(true) }] };
    return html`<section class="card" aria-label=${t("identity.users")}>${p.bar(t("identity.search-users"), choices)}
      ${p.users.show(({ users, onlyMe }) => { const rows = this.#rows(); return html`${onlyMe ? html`<div class="note in-card"><rf-icon n="lock"></rf-icon><span>${t("identity.only-me")}</span></div>` : nothing}${this.#glance(users)}${rows.length ? p.grid("users", columns, rows, "name") : p.filtered(users.length)}`; }, { skeleton: 12 })}</section>${u ? this.#pane(u) : p.none(t("identity.choose-user"))}`;
  }
  /** How many need a look, each a filter. */
  #glance(all: User[]) {
    const f = this.page.filters, some = (k: string, v: string, text: string, n: number) => (n && !f[k]?.length ? html`<button class="chip out" @click=${() => this.page.setFilter(k, [v])}>${t(`identity.${text}`, { n })}</button>` : nothing);
    const parts = [some("risk", "yes", "risky", all.filter((u) => u.risk).length), some("factor", "no", "no-second", all.filter((u) => u.methods && !u.methods.some(isSecond)).length), some("last", "never", "never-in", all.filter((u) => u.last === "").length)];
    return parts.every((x) => x === nothing) ? nothing : html`<div class="bar glance" role="group" aria-label=${t("identity.glance")}>${parts}</div>`;
  }
  #mark(u: User) { return html`<rf-state s=${u.accountEnabled ? "ok" : "unknown"} word=${t(u.accountEnabled ? "identity.on" : "identity.off")}></rf-state>`; }

  // ---- pane ----
  #pane(u: User) {
    const more = (e: Event) => openMenu(e.currentTarget as HTMLElement, [{ text: t("identity.give"), icon: "shield", run: () => void this.#give(u) }, { text: t("identity.all-signins"), icon: "logs", href: href("/identity", {}, { tab: "signins", q: u.id, t: "30d" }) }, { text: t("act.delete"), danger: true, line: true, run: () => void this.#delete(u) }], { end: true, label: t("act.more") });
    return this.page.pane(u.displayName, html`<span class="t2">${u.userPrincipalName}</span> ${this.#mark(u)}`, this.deep.show((d) => this.#inside(u, d), { skeleton: 6 }),
      html`<button class="btn pri" @click=${() => void this.#pass(u)}>${t("identity.pass")}</button><button class="btn" @click=${() => void this.#revoke(u)}>${t("identity.revoke")}</button><button class="btn" @click=${() => void this.#enable(u)}>${t(u.accountEnabled ? "identity.disable" : "identity.enable")}</button><button class="btn quiet ic end" aria-haspopup="menu" aria-label=${t("act.more")} @click=${more}><rf-icon n="more"></rf-icon></button>`);
  }
  #inside(u: User, d: Deep) {
    const p = this.page, sec = (title: string, inside: unknown) => html`<div class="sec"><h3>${title}</h3>${inside}</div>`, again = this.#deepAgain;
    const method = (m: Method) => html`<li><rf-icon n=${icons[methodKind(m)] ?? "key"}></rf-icon><span class="grow">${methodName(m)}${m.displayName || m.model ? html` <span class="t3">${m.displayName || m.model}</span>` : nothing}</span><time class="t3" title=${stamp(m.createdDateTime)}>${when(m.createdDateTime)}</time>${methodSegment[methodKind(m)] ? html`<button class="btn s quiet" @click=${() => void this.#remove(u, m)}>${t("identity.remove")}</button>` : nothing}</li>`;
    const one = (s: SignInSession) => html`<li><rf-icon n="globe"></rf-icon><span class="grow ell" title=${s.userAgent ?? ""}>${s.ipAddress} <span class="t3">${(s.applications ?? []).map((a) => a.displayName).join(", ")}</span></span>${s.isCurrent ? html`<span class="chip on">${t("identity.this")}</span>` : nothing}<time class="t3" title=${stamp(s.lastSeenDateTime)}>${ago(s.lastSeenDateTime)}</time>${s.isCurrent ? nothing : html`<button class="btn s quiet" @click=${() => void this.#end(u, s)}>${t("identity.end")}</button>`}</li>`;
    const signin = (s: Record<string, any>) => html`<li><rf-state bare s=${s.ResultType === "0" ? "ok" : "fail"} word=${s.ResultType === "0" ? t("identity.ok") : s.ResultDescription || s.ResultType}></rf-state><span class="grow ell">${s.AppDisplayName} <span class="t3">${s.IPAddress}</span></span><time class="t3" title=${stamp(s.TimeGenerated)}>${when(s.TimeGenerated)}</time></li>`;
    return html`${d.risk && !(d.risk instanceof Error) ? sec(t("identity.risk"), html`<div class="note warn"><rf-icon n="incident"></rf-icon><span class="grow">${t("identity.at-risk", { level: d.risk.riskLevel })}</span><button class="btn s" @click=${() => void this.#settle(u)}>${t("identity.dismiss")}</button></div>`) : nothing}
      ${sec(t("identity.factors"), p.section(d.methods, (all) => html`<ul class="rows">${all.map(method)}</ul>${all.some(isSecond) ? nothing : html`<div class="note warn"><rf-icon n="incident"></rf-icon><span>${t("identity.no-factor")}</span></div>`}`, t("identity.no-methods"), "Authentication Administrator", again))}
      ${sec(t("identity.sessions"), p.section(d.sessions, (all) => html`<ul class="rows">${[...all].sort((a, b) => +b.isCurrent - +a.isCurrent || b.lastSeenDateTime.localeCompare(a.lastSeenDateTime)).slice(0, 20).map(one)}</ul>${all.length > 20 ? html`<p class="cap">${t("identity.more-sessions", { n: all.length - 20 })}</p>` : nothing}`, t("identity.no-sessions"), "User Administrator", again))}
      ${sec(t("identity.roles"), p.section(d.roles, (all) => html`<ul class="rows">${all.map((r) => html`<li><a class="grow nm" href=${href("/identity", {}, { tab: "roles", sel: r.id })}>${r.role}</a><span class="t3 ell" title=${r.scope}>${r.directory ? t("identity.directory") : r.scope === "/" ? t("identity.everything") : r.scope.split("/").pop()}</span></li>`)}</ul>`, t("identity.no-roles"), "Privileged Role Administrator", again))}
      ${sec(t("identity.groups"), p.section(d.groups, (all) => html`<p>${all.map((g: any) => g.displayName).join(", ")}</p>`, t("identity.no-groups"), "Directory Readers", again))}
      ${sec(t("identity.signins"), p.section(d.signins, (all) => html`<ul class="rows">${all.map(signin)}</ul><a class="sm" href=${href("/identity", {}, { tab: "signins", q: u.id, t: "30d" })}>${t("identity.all-signins")}</a>`, t("identity.no-signins"), "Log Analytics Reader", again))}`;
  }
}

// ---- groups ----
export class Groups implements Tab {
  #of = "";
  groups; members;
  constructor(private page: Frame) {
    this.groups = page.load<any[]>((signal) => graphList("groups", { signal, query: { $top: 999 } }), { auto: false, what: () => t("identity.reading"), needs: () => ({ role: "Groups Administrator", on: session().tenant.name }), empty: () => false });
    this.members = page.load<any[]>((signal) => graphList(`groups/${encodeURIComponent(page.q("sel"))}/members`, { signal }), { auto: false, empty: () => false });
  }
  get text() { return t("identity.groups"); }
  open() { this.#of = ""; if (!this.groups.at) void this.groups.run(); }
  again() { this.#of = ""; void this.groups.run(); }
  copyAs() { return [{ kind: "curl" as const, text: curlLine(location.origin, "GET", "/v1.0/groups") }, { kind: "json" as const, text: () => JSON.stringify(this.groups.value ?? [], null, 2) }]; }
  body() {
    const p = this.page, g = this.groups.value?.find((x) => x.id === p.q("sel"));
    if (g && this.#of !== g.id) { this.#of = g.id; this.members.at = undefined; queueMicrotask(() => void this.members.run()); }
    const columns: GridColumn[] = [{ id: "displayName", head: t("identity.c-name"), min: 180, cell: (r) => html`<b class="nm">${r.displayName}</b>` }, { id: "description", head: t("identity.c-description"), min: 220 }, { id: "createdDateTime", head: t("identity.c-made"), width: 120, num: true, cell: (r) => when(r.createdDateTime) }];
    const list = this.groups.show((all) => { const rows = all.filter((x) => !p.text || x.displayName.toLowerCase().includes(p.text)); return !all.length ? html`<div class="state"><p>${t("identity.none-groups")}</p></div>` : rows.length ? p.grid("groups", columns, rows, "displayName") : p.filtered(all.length); });
    const member = (m: any) => html`<li><rf-icon n=${/group$/.test(m["@odata.type"] ?? "") ? "grid" : "user"}></rf-icon><a class="grow" href=${href("/identity", {}, { sel: m.id })}>${m.displayName}</a><span class="t3 ell">${m.userPrincipalName ?? ""}</span></li>`;
    return html`<section class="card" aria-label=${t("identity.groups")}>${p.bar(t("identity.search-name"))}${list}</section>
      ${g ? p.pane(g.displayName, html`<span class="t2">${g.description ?? ""}</span>`, html`<div class="sec"><h3>${t("identity.members")}</h3>${this.members.show((all) => (all.length ? html`<ul class="rows">${all.map(member)}</ul>` : html`<p class="t3">${t("identity.no-members")}</p>`))}</div>`) : p.none(t("identity.choose-group"))}`;
  }
}
