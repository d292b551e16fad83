// Roles for a while: who may ask, who asks, who has one now; another administrator decides, the clock ends it.
import { html, nothing } from "lit";
import { ApiError } from "../../data/client";
import { askRole, decide, type Elevation as Row, type Elevations, endEligible, endRole, listElevations, makeEligible, takeBack, type User } from "../../data/people";
import { session } from "../../data/session";
import { left, stamp, when } from "../../data/time";
import { t } from "../../i18n";
import { curlLine } from "../../parts/copy-as";
import { openDialog } from "../../parts/dialog";
import type { GridColumn } from "../../parts/grid";
import { confirmImpact } from "../../parts/impact";
import { act } from "../../shell/tray";
import { choice, field, type Frame, type Tab } from "./frame";

const order = ["waiting", "active", "eligible", "approved", "denied", "taken"] as const, mark = { waiting: "partial", active: "ok", eligible: "unknown", approved: "unknown", denied: "unknown", taken: "unknown" };
const lengths = ["PT30M", "PT1H", "PT2H", "PT4H", "PT8H"], terms = ["", "P30D", "P90D", "P365D"];

export class Elevation implements Tab {
  all;
  constructor(private page: Frame) { this.all = page.load<Elevations>((signal) => listElevations(signal), { auto: false, what: () => t("identity.reading"), empty: () => false }); }
  get text() { return t("identity.elevation"); }
  get count() { return this.all.value?.rows.filter((r) => r.state === "waiting").length || undefined; }
  open() { void this.all.run(); }
  again = () => { void this.all.run(); };
  get #one(): Row | undefined { return this.all.value?.rows.find((r) => r.id === this.page.q("sel")); }
  /** What I may ask for now: eligible, and neither waiting nor active. */
  get #mine(): Row[] { const rows = this.all.value?.rows ?? [], me = session().user.id; return rows.filter((r) => r.state === "eligible" && r.mine && !rows.some((x) => x.roleId === r.roleId && x.principalId === me && (x.state === "waiting" || x.state === "active"))); }
  acts() {
    const admin = !!this.all.value?.admin, mine = this.#mine;
    return [...(admin ? [{ text: t("identity.make-eligible"), icon: "plus", run: () => void this.#make() }] : []), { text: t("identity.ask-role"), icon: "door", primary: true, run: () => void this.#ask(), disabled: !mine.length, why: t("identity.ask-why") }];
  }

  // ---- acts ----
  #ask = async (first?: Row) => {
    const mine = this.#mine;
    let role = (first ?? mine[0])?.roleId, length = "PT1H", reason = "";
    if (!role) return;
    const asked = await openDialog<{ id: string }>({
      title: t("identity.ask-role"),
      body: () => html`${choice(t("identity.c-role"), role!, mine.map((r) => ({ value: r.roleId, text: r.role })), (v) => { role = v; })}${field(t("identity.reason"), reason, (v) => { reason = v; }, { focus: true })}${choice(t("identity.for"), length, lengths.map((v) => ({ value: v, text: t(`identity.len.${v}`) })), (v) => { length = v; })}<p class="t2">${t("identity.ask-effect")}</p>`,
      acts: [{ text: t("act.cancel") }, { text: t("identity.ask-now"), primary: true, run: async () => {
        if (!reason.trim()) throw new ApiError(400, "ReasonMissing", t("identity.reason-needed"));
        let made: { id: string } | undefined;
        await act({ text: t("identity.asked-for", { role: mine.find((r) => r.roleId === role)?.role ?? "" }), run: async () => { made = await askRole(role!, reason.trim(), length); }, undo: () => takeBack(made!.id).then(this.again) });
        return made;
      } }],
    });
    if (!asked) return;
    await this.all.run();
    this.page.setQ({ sel: asked.id });
  };
  #decide = async (r: Row, yes: boolean) => {
    let reason = "";
    const words = { role: r.role, name: r.who };
    const done = await openDialog<true>({
      title: t(yes ? "identity.approve-title" : "identity.deny-title", words),
      body: () => html`<p class="t2">${t("identity.asks", { name: r.who, reason: r.reason ?? "-" })}</p><p>${t(yes ? "identity.approve-effect" : "identity.deny-effect", { ...words, length: this.#length(r) })}</p>${field(t("identity.reason"), reason, (v) => { reason = v; }, { focus: true })}`,
      acts: [{ text: t("act.cancel") }, { text: t(yes ? "identity.approve" : "identity.deny"), primary: true, danger: !yes, run: async () => {
        if (!reason.trim()) throw new ApiError(400, "ReasonMissing", t("identity.reason-needed"));
        await act({ text: t(yes ? "identity.approved" : "identity.denied", words), run: () => decide(r.id, yes, reason.trim()), undo: yes ? () => endRole(r.principalId, r.roleId).then(this.again) : undefined });
        return true as const;
      } }],
    });
    if (done) await this.all.run();
  };
  #make = async () => {
    const roles = [...(this.all.value?.roles ?? [])].sort((a, b) => a.name.localeCompare(b.name));
    let name = "", role = "", term = "", reason = "";
    const done = await openDialog<true>({
      title: t("identity.make-eligible"),
      body: () => html`${this.page.datalist()}${field(t("identity.c-user"), name, (v) => { name = v; }, { list: "identity-users", focus: true })}${choice(t("identity.c-role"), role, [{ value: "", text: t("identity.choose-role") }, ...roles.map((x) => ({ value: x.id, text: x.name }))], (v) => { role = v; })}${choice(t("identity.term"), term, terms.map((v) => ({ value: v, text: t(`identity.term-of.${v || "none"}`) })), (v) => { term = v; })}${field(t("identity.reason-maybe"), reason, (v) => { reason = v; })}<p class="t2">${t("identity.eligible-effect")}</p>`,
      acts: [{ text: t("act.cancel") }, { text: t("identity.make-now"), primary: true, run: async () => {
        let u: User;
        try { u = this.page.userOf(name); } catch (e) { throw new ApiError(400, "NoSuchPerson", (e as Error).message); }
        if (!role) throw new ApiError(400, "RoleMissing", t("identity.role-needed"));
        await act({ text: t("identity.eligible-made", { role: roles.find((x) => x.id === role)!.name, name: u.displayName }), run: () => makeEligible(u.id, role, reason.trim(), term || undefined), undo: () => endEligible(u.id, role).then(this.again) });
        return true as const;
      } }],
    });
    if (done) await this.all.run();
  };
  #end = async (r: Row) => {
    const words = { role: r.role, name: r.who };
    const done = await confirmImpact({ title: t("identity.end-role-title", words), act: t("identity.end-now"), danger: true, impact: { changes: [t("identity.end-role-effect", words)] }, undo: t("identity.end-role-undo"), run: () => act({ text: t("identity.role-ended", words), run: () => endRole(r.principalId, r.roleId) }) });
    if (done) { this.page.closePane(); await this.all.run(); }
  };
  #endEligible = async (r: Row) => {
    const words = { role: r.role, name: r.who };
    const done = await confirmImpact({ title: t("identity.end-eligible-title", words), act: t("identity.end-eligible"), danger: true, impact: { changes: [t("identity.end-eligible-effect", words)] }, undo: t("identity.tray-undo"), run: () => act({ text: t("identity.eligible-ended", words), run: () => endEligible(r.principalId, r.roleId), undo: () => makeEligible(r.principalId, r.roleId, "").then(this.again) }) });
    if (done) { this.page.closePane(); await this.all.run(); }
  };
  #takeBack = async (r: Row) => { await act({ text: t("identity.taken-back", { role: r.role }), run: () => takeBack(r.id) }).catch(() => undefined); await this.all.run(); };

  keys() {
    const on = (fits: (r: Row) => boolean, run: (r: Row) => Promise<void>) => () => { const r = this.#one; if (r && fits(r)) void run(r); };
    return [{ key: "n", text: t("identity.ask-role"), run: () => void this.#ask() }, { key: "e", text: t("identity.make-eligible"), run: () => { if (this.all.value?.admin) void this.#make(); } }, { key: "a", text: t("identity.approve"), run: on((r) => this.#decidable(r), (r) => this.#decide(r, true)) }, { key: "d", text: t("identity.deny"), run: on((r) => this.#decidable(r), (r) => this.#decide(r, false)) }, { key: "w", text: t("identity.end-now"), run: on((r) => r.state === "active", this.#end) }];
  }
  #decidable(r: Row): boolean { return r.state === "waiting" && !!this.all.value?.admin && r.principalId !== session().user.id; }
  copyAs() {
    const paths = ["roleAssignmentScheduleRequests", "roleAssignmentScheduleInstances", "roleEligibilityScheduleInstances"].map((p) => `/v1.0/roleManagement/directory/${p}`);
    return [...paths.map((p) => ({ kind: "curl" as const, label: `curl ${p.split("/").pop()}`, text: curlLine(location.origin, "GET", p) })), { kind: "json" as const, text: () => JSON.stringify(this.all.value?.rows ?? [], null, 2) }];
  }

  // ---- list and pane ----
  #length(r: Row): string { return r.length && lengths.includes(r.length) ? t(`identity.len.${r.length}`) : r.length ?? "-"; }
  #state(r: Row) { return html`<rf-state s=${mark[r.state]} word=${t(`identity.e.${r.state}`)}></rf-state>`; }
  #ends(r: Row) {
    if (r.state === "active" && r.until) { const x = left(r.until); return html`<b class=${x.late ? "late" : ""} title=${stamp(r.until)}>${x.text}</b>`; }
    if (r.state === "eligible") return r.until ? html`<time title=${stamp(r.until)}>${when(r.until)}</time>` : html`<span class="t3">${t("identity.term-of.none")}</span>`;
    return r.state === "waiting" ? html`<span class="t3">${this.#length(r)}</span>` : html`<span class="t3">-</span>`;
  }
  body() {
    const p = this.page, r = this.#one;
    const columns: GridColumn<Row>[] = [
      { id: "state", head: t("identity.f-state"), width: 118, value: (x) => order.indexOf(x.state), cell: (x) => this.#state(x) }, { id: "who", head: t("identity.c-who"), min: 140, value: (x) => x.who, cell: (x) => html`<b class="nm">${x.who}</b>` }, { id: "role", head: t("identity.c-role"), min: 170, value: (x) => x.role },
      { id: "ends", head: t("identity.c-left"), width: 112, num: true, value: (x) => x.until ?? "", cell: (x) => this.#ends(x) }, { id: "from", head: t("identity.c-since"), width: 104, num: true, value: (x) => x.from ?? "", cell: (x) => html`<time title=${stamp(x.from)}>${when(x.from)}</time>` }, { id: "reason", head: t("identity.reason"), min: 120, value: (x) => x.reason ?? "" }];
    const list = this.all.show((v) => {
      const rows = v.rows.filter((x) => (!p.text || `${x.who} ${x.role} ${x.reason ?? ""}`.toLowerCase().includes(p.text)) && p.passes("state", x.state) && (!p.filters.mine?.length || x.mine));
      if (!v.rows.length) return html`<div class="state"><p>${t(v.admin ? "identity.none-elevation" : "identity.none-mine")}</p>${v.admin ? html`<button class="btn pri" @click=${() => void this.#make()}><rf-icon n="plus"></rf-icon>${t("identity.make-eligible")}</button>` : nothing}</div>`;
      return rows.length ? p.grid("elevation", columns, rows, "state,-from") : p.filtered(v.rows.length);
    }, { skeleton: 8 });
    return html`<section class="card" aria-label=${t("identity.elevation")}>${p.bar(t("identity.search-elevation"), { state: order.map((v) => ({ value: v, text: t(`identity.e.${v}`) })), mine: [{ value: "yes", text: t("grid.yes") }] })}${list}</section>${r ? this.#pane(r) : p.none(t("identity.choose-elevation"))}`;
  }
  #pane(r: Row) {
    const admin = !!this.all.value?.admin, own = r.principalId === session().user.id, fact = (name: string, v: unknown) => (v ? html`<dt>${name}</dt><dd>${v}</dd>` : nothing), time = (v?: string | null) => v && html`<time>${stamp(v)}</time>`;
    const acts = r.state === "waiting" ? [this.#decidable(r) ? html`<button class="btn pri" @click=${() => void this.#decide(r, true)}><rf-icon n="check"></rf-icon>${t("identity.approve")}</button><button class="btn" @click=${() => void this.#decide(r, false)}>${t("identity.deny")}</button>` : nothing, own ? html`<button class="btn" @click=${() => void this.#takeBack(r)}>${t("identity.take-back")}</button>` : nothing]
      : r.state === "active" && (own || admin) ? [html`<button class="btn" @click=${() => void this.#end(r)}>${t("identity.end-now")}</button>`]
      : r.state === "eligible" ? [this.#mine.includes(r) ? html`<button class="btn pri" @click=${() => void this.#ask(r)}><rf-icon n="door"></rf-icon>${t("identity.ask-role")}</button>` : nothing, admin ? html`<button class="btn" @click=${() => void this.#endEligible(r)}>${t("identity.end-eligible")}</button>` : nothing] : undefined;
    return this.page.pane(r.role, html`<span class="t2">${r.who}</span> ${this.#state(r)}`, html`<div class="sec"><dl class="kv">${fact(t("identity.reason"), r.reason)}${fact(r.state === "eligible" || r.state === "active" ? t("identity.c-since") : t("identity.c-asked"), time(r.from))}${fact(t("identity.for"), r.state !== "eligible" && r.length && this.#length(r))}${fact(t("identity.f-ends"), time(r.until))}${fact(t("identity.decided"), r.completed && html`${stamp(r.completed)}${r.by ? html` <span class="t2">${r.by}</span>` : nothing}`)}${fact(t("identity.answer"), r.answer)}</dl></div>
      ${r.state === "waiting" && own ? html`<div class="sec"><div class="note"><rf-icon n="clock"></rf-icon><span>${t("identity.other-decides")}</span></div></div>` : nothing}`, acts);
  }
}
