import { html, nothing } from "lit";
import { getResource } from "../../data/arm";
import { type Alert, alertsOf, entitiesOf, entityIcon, type Incident, isOpen, listIncidents, numberOf, ownerName, rank, severities, statuses } from "../../data/incidents";
import { kql, quote, records } from "../../data/kql";
import type { IncidentEvent } from "../../data/live";
import { session } from "../../data/session";
import { ago, clock, num, stamp, when } from "../../data/time";
import { hasText, loadTexts, t } from "../../i18n";
import { chipFilter, readFilters, writeFilters } from "../../parts/choice";
import { curlLine, csv } from "../../parts/copy-as";
import "../../parts/grid";
import type { Grid, GridColumn } from "../../parts/grid";
import { openMenu } from "../../parts/menu";
import { go, href } from "../../router";
import { setCount } from "../../shell/counts";
import { closeDialog, closedAs, mergeDialog, newDialog, noteDialog, ownerMenu, severityMenu, setOwner, me, statusMenu } from "../../shell/incident-acts";
import { type CopyItem, emptyState, filteredEmpty, type Head, type Key, Page } from "../../shell/page";
import "./page.css";

const firstFilter = "status:New,Active";
const sevKey = (s: string): string => (s === "Informational" ? "info" : s.toLowerCase());

export default class extends Page {
  bodyClass = "p-incidents";
  #picked: ReadonlySet<string> = new Set();
  #new = new Map<number, IncidentEvent>();
  #changed = new Map<string, number>();       // "name/column" -> until when the dot stands
  #hits: { text: string; names: Set<string> } = { text: "", names: new Set() };   // incidents whose entities hold the search text
  #typing?: ReturnType<typeof setTimeout>;
  #paneShut = false;

  // Open ones all, closed ones of the range: one list, counted and filtered here.
  incidents = this.load((signal) => this.#read(signal), { what: () => t("incidents.reading"), needs: () => ({ role: "Microsoft Sentinel Reader", on: session().workspace.name }), empty: () => false });
  alerts = this.load<Alert[]>((signal) => { const i = this.#current; return i ? alertsOf(i, signal) : Promise.resolve([]); }, { auto: false, what: () => t("incidents.reading-alerts"), needs: () => ({ role: "Microsoft Sentinel Reader", on: session().workspace.name }), empty: () => false });
  #alertsOf = "";

  constructor() {
    super();
    this.on("incident", (e: IncidentEvent) => void this.#event(e));
  }
  connectedCallback() { super.connectedCallback(); void loadTexts("triage").then(() => this.requestUpdate()); void this.#find(this.q("q")); }
  disconnectedCallback() { super.disconnectedCallback(); clearTimeout(this.#typing); }

  async #read(signal: AbortSignal): Promise<Incident[]> {
    const all = await listIncidents(`properties/status ne 'Closed' or properties/createdTimeUtc ge ${this.range.from.toISOString()}`, signal);
    this.#new.clear();
    setCount("incidents", all.filter(isOpen).length, true);
    return all;
  }

  // ---- the list ----
  get #filters(): Record<string, string[]> { return readFilters(this.q("f", firstFilter)); }
  #setFilter(name: string, values: string[] | undefined) {
    const f = { ...this.#filters, [name]: values ?? [] };
    const text = writeFilters(f);
    this.setQ({ f: text === firstFilter ? null : text || "all:" });
  }
  get #inRange(): Incident[] { const r = this.range; return (this.incidents.value ?? []).filter((i) => +new Date(i.properties.createdTimeUtc) >= +r.from && (r.live || +new Date(i.properties.createdTimeUtc) <= +r.to)); }
  /** What passes; without `but` one of the filters. */
  #passing(but = ""): Incident[] {
    const f = this.#filters, text = this.q("q").trim().toLowerCase(), mine = session().user.id;
    return this.#inRange.filter((i) => {
      const p = i.properties, id = p.owner?.objectId ?? "";
      return (but === "status" || !f.status?.length || f.status.includes(p.status)) && (but === "severity" || !f.severity?.length || f.severity.includes(p.severity))
        && (but === "owner" || !f.owner?.length || f.owner.some((o) => (o === "none" ? !ownerName(i) : o === "me" ? id === mine : id === o))) && (!f.tactic?.length || p.additionalData.tactics?.some((x) => f.tactic.includes(x)))
        && (!text || `${p.incidentNumber} ${p.title} ${ownerName(i)} ${(p.labels ?? []).map((l) => l.labelName).join(" ")}`.toLowerCase().includes(text) || (this.#hits.text === text && this.#hits.names.has(i.name)));
    });
  }
  get #current(): Incident | undefined { const n = Number(this.q("sel")); return n ? this.incidents.value?.find((i) => numberOf(i) === n) : undefined; }
  /** What an act is about: the picked rows, else the one that is shown. */
  get #aim(): Incident[] { const all = this.incidents.value ?? []; const picked = all.filter((i) => this.#picked.has(i.name)); return picked.length ? picked : this.#current ? [this.#current] : []; }

  queryChanged(changed: Set<string>) {
    if (changed.has("t")) void this.incidents.run();
    if (changed.has("q")) void this.#find(this.q("q"));
    if (changed.has("f") || changed.has("q") || changed.has("t")) this.#picked = new Set();
    if (changed.has("sel")) this.#paneShut = false;
  }
  /** Which incidents have an entity with this text: asked of the alerts' rows. */
  async #find(q: string) {
    const text = q.trim().toLowerCase();
    if (text.length < 3 || this.#hits.text === text) return;
    try {
      const r = await kql(`let ids = SecurityAlert | where Entities contains ${quote(text)} | distinct SystemAlertId;\nSecurityIncident\n| summarize arg_max(TimeGenerated, AlertIds) by IncidentName\n| mv-expand a = AlertIds to typeof(string)\n| where a in (ids)\n| distinct IncidentName`);
      if (this.q("q").trim().toLowerCase() !== text) return;
      this.#hits = { text, names: new Set(records(r).map((x) => String(x.IncidentName))) };
      this.requestUpdate();
    } catch { /* titles and numbers are still found */ }
  }

  /** Answers of writes take the place of what was read; a new one comes in front. */
  #take = (list: Incident[]) => {
    if (!list.length) { void this.incidents.run(); return; }
    for (const i of list) this.#new.delete(numberOf(i));
    const by = new Map(list.map((i) => [i.name, i])), all = (this.incidents.value ?? []).map((i) => { const n = by.get(i.name); by.delete(i.name); return n ?? i; });
    this.incidents.set([...by.values(), ...all]);
    setCount("incidents", this.incidents.value!.filter(isOpen).length, true);
    // What left the list is no longer picked.
    if (this.#picked.size) { const seen = new Set(this.#passing().map((i) => i.name)); this.#picked = new Set([...this.#picked].filter((n) => seen.has(n))); }
    const cur = this.#current;
    if (cur && list.some((i) => i.name === cur.name) && cur.properties.additionalData.alertsCount !== this.alerts.value?.length) this.#alertsOf = "";
  };
  async #event(e: IncidentEvent) {
    const had = this.incidents.value?.find((i) => numberOf(i) === e.number);
    if (!this.incidents.at) return;
    if (!had) { this.#new.set(e.number, e); this.requestUpdate(); return; }
    try {
      const now = await getResource<Incident>(had.id);
      const was = this.incidents.value?.find((i) => i.name === now.name);
      if (!was || now.etag === was.etag) return;
      const until = Date.now() + 5000;
      for (const [c, f] of Object.entries({ sev: (i: Incident) => i.properties.severity, status: (i: Incident) => i.properties.status, owner: ownerName, title: (i: Incident) => i.properties.title })) if (f(now) !== f(was)) this.#changed.set(`${now.name}/${c}`, until);
      this.#take([now]);
      setTimeout(() => { for (const [k, u] of this.#changed) if (u <= Date.now()) this.#changed.delete(k); this.requestUpdate(); }, 5100);
    } catch { /* the next event or reading again brings it */ }
  }

  // ---- frame ----
  head(): Head {
    return { title: t("page.incidents"), time: "30d", acts: [{ text: hasText("triage.new") ? t("triage.new") : t("page.incidents"), icon: "plus", run: () => void this.#make() }] };
  }
  async #make() { const made = await newDialog(this.#take); if (made) this.setQ({ sel: numberOf(made) }); }

  keys(): Key[] {
    const aim = (run: (list: Incident[]) => void) => () => { const list = this.#aim; if (list.length) run(list); };
    return [
      { key: "o", text: t("incidents.key-owner"), run: aim((l) => ownerMenu(this.#at("owner"), l, this.#take)) },
      { key: "s", text: t("incidents.key-status"), run: aim((l) => statusMenu(this.#at("status"), l, this.#take)) },
      { key: "v", text: t("incidents.key-severity"), run: aim((l) => severityMenu(this.#at("sev"), l, this.#take)) },
      { key: "m", text: t("incidents.key-merge"), run: aim((l) => void mergeDialog(l, this.#take)) },
      { key: "c", text: t("incidents.key-close"), run: aim((l) => void closeDialog(l, this.#take)) },
      { key: "n", text: t("incidents.key-note"), run: aim((l) => void noteDialog(l, this.#take)) },
      { key: "Escape", text: t("incidents.key-back"), run: () => this.#back() },
      { key: "r", text: t("palette.reload"), run: () => this.reload() },
    ];
  }
  /** The cell of the row that has the focus, else of the row that is shown, else the button of the pane. */
  #at(column: string): HTMLElement {
    const c = this.#columns.findIndex((x) => x.id === column), row = this.querySelector("rf-grid tr:focus-within") ?? this.querySelector("rf-grid tr[aria-current]");
    return row?.querySelector<HTMLElement>(`[data-c="${c}"]`) ?? this.querySelector<HTMLElement>(`[data-act="${column}"]`) ?? this.querySelector<HTMLElement>("rf-grid .tw")!;
  }
  #back() {
    if (this.#picked.size) { this.#picked = new Set(); this.requestUpdate(); return; }
    if (this.q("sel")) { this.setQ({ sel: null }); this.querySelector<Grid>("rf-grid")?.querySelector<HTMLElement>(".tw td[tabindex='0']")?.focus(); }
  }

  get #kql(): string {
    const f = this.#filters, r = this.range, any = (col: string, v?: string[]) => (v?.length ? `\n| where ${col} in (${v.map(quote).join(", ")})` : ""), q = this.q("q").trim();
    const owners = f.owner?.map((o) => (o === "none" ? `isempty(tostring(Owner.objectId))` : `tostring(Owner.objectId) == ${quote(o === "me" ? session().user.id : o)}`)).join(" or ");
    return `SecurityIncident\n| summarize arg_max(TimeGenerated, *) by IncidentName\n| where CreatedTime ${r.live ? `> ago(${/w$/.test(r.text) ? `${7 * parseInt(r.text)}d` : r.text})` : `between (datetime(${r.from.toISOString()}) .. datetime(${r.to.toISOString()}))`}${any("Status", f.status)}${any("Severity", f.severity)}${owners ? `\n| where ${owners}` : ""}${f.tactic?.length ? `\n| where tostring(AdditionalData.tactics) has_any (${f.tactic.map(quote).join(", ")})` : ""}${q ? `\n| where Title contains ${quote(q)} or tostring(IncidentNumber) == ${quote(q)}` : ""}\n| project IncidentNumber, Severity, Title, Status, Owner = tostring(Owner.assignedTo), CreatedTime, LastActivityTime\n| order by CreatedTime desc`;
  }
  copyAs(): CopyItem[] {
    const f = this.#filters, one = (v?: string[]) => (v?.length === 1 ? v[0] : "");
    const status = f.status?.length === 2 && !f.status.includes("Closed") ? "open" : one(f.status), odata = [f.status?.length ? `(${f.status.map((s) => `properties/status eq '${s}'`).join(" or ")})` : "", f.severity?.length ? `(${f.severity.map((s) => `properties/severity eq '${s}'`).join(" or ")})` : ""].filter(Boolean).join(" and ");
    const path = `${session().workspace.id}/providers/Microsoft.SecurityInsights/incidents?api-version=2025-09-01${odata ? `&$filter=${encodeURIComponent(odata)}` : ""}`;
    return [
      { kind: "kql", text: () => this.#kql },
      { kind: "arm", text: () => JSON.stringify(this.#aim.length ? this.#aim : this.#passing(), null, 2) },
      { kind: "curl", text: () => curlLine(location.origin, "GET", path) },
      { kind: "ringfort", text: () => `ringfort incidents list${status ? ` --status ${status}` : ""}${one(f.severity) ? ` --severity ${one(f.severity)}` : ""}` },
      { kind: "csv", text: () => csv(["IncidentNumber", "Severity", "Title", "Status", "Owner", "CreatedTime", "LastActivityTime"], this.#passing().map((i) => [numberOf(i), i.properties.severity, i.properties.title, i.properties.status, ownerName(i), i.properties.createdTimeUtc, i.properties.lastActivityTimeUtc ?? ""])) },
    ];
  }

  body() {
    if (!hasText("triage.new")) return nothing;
    const cur = this.#current;
    if (cur && !this.#paneShut && this.#alertsOf !== cur.name) { this.#alertsOf = cur.name; this.alerts.at = undefined; queueMicrotask(() => void this.alerts.run()); }
    return html`${this.#counts()}
      <section class="card" aria-label=${t("incidents.list")}>${this.#bar()}${this.incidents.show((all) => this.#list(all), { skeleton: 12 })}</section>
      ${cur ? this.#pane(cur) : html`<aside class="pane none" aria-label=${t("incidents.pane")}><div class="state"><p class="t2">${t("incidents.choose")}</p></div></aside>`}`;
  }

  #counts() {
    if (!this.incidents.at) return html`<div class="counts"></div>`;
    const f = this.#filters, open = this.#passing("severity"), mixed = this.#passing("owner"), nobody = mixed.filter((i) => !ownerName(i)).length;
    const onlyOpen = !f.severity?.length && !f.owner?.length && f.status?.join() === "New,Active";
    const chip = (n: number, what: unknown, on: boolean, run: () => void) => html`<button class="cnt2" aria-pressed=${String(on)} @click=${run}><b>${num(n)}</b>${what}</button>`;
    const older = (this.incidents.value ?? []).filter((i) => isOpen(i) && +new Date(i.properties.createdTimeUtc) < +this.range.from);
    return html`<div class="counts" role="group" aria-label=${t("incidents.by-severity")}>
      ${chip(this.#inRange.filter(isOpen).length, t("incidents.open"), onlyOpen, () => this.setQ({ f: null }))}
      ${severities.map((s) => chip(open.filter((i) => i.properties.severity === s).length, html`<rf-sev s=${s}></rf-sev>`, !!f.severity?.includes(s), () => this.#setFilter("severity", f.severity?.includes(s) ? f.severity.filter((x) => x !== s) : [...(f.severity ?? []), s])))}
      ${chip(nobody, t("incidents.nobody"), !!f.owner?.includes("none"), () => this.#setFilter("owner", f.owner?.includes("none") ? [] : ["none"]))}
      ${older.length ? html`<button class="btn s quiet" @click=${() => this.setQ({ t: `${Math.ceil((Date.now() - Math.min(...older.map((i) => +new Date(i.properties.createdTimeUtc)))) / 86400e3) + 1}d` })}>${t("incidents.older", { n: older.length })}</button>` : nothing}
      ${this.#new.size ? html`<button class="btn quiet end newer" @click=${() => void this.incidents.run()}><rf-icon n="up"></rf-icon>${t("grid.new", { n: this.#new.size })}</button>` : nothing}</div>`;
  }

  #bar() {
    const f = this.#filters, word = (name: string, v: string) => (name === "status" ? t(`triage.status.${v}`) : name === "severity" ? t(`severity.${sevKey(v)}`) : name === "owner" ? (v === "none" ? t("incidents.nobody") : v === "me" ? t("triage.me") : this.#ownerWord(v)) : v);
    const list = this.#aim, many = this.#picked.size > 0;
    // The acts take the place of the filters, so that no row moves when one is picked.
    return html`<div class="bar flt">${many ? nothing : html`<label class="field"><rf-icon n="search"></rf-icon><span class="vh">${t("incidents.search")}</span><input type="search" placeholder=${t("incidents.search-in")} .value=${this.q("q")} @input=${(e: Event) => { const v = (e.target as HTMLInputElement).value; clearTimeout(this.#typing); this.#typing = setTimeout(() => this.setQ({ q: v.trim() }), 250); }} @keydown=${(e: KeyboardEvent) => { if (e.key === "ArrowDown" || e.key === "Enter") { e.preventDefault(); this.querySelector<Grid>("rf-grid")?.enter(); } }}></label>
      ${Object.entries(f).filter(([, v]) => v.length).map(([k, v]) => chipFilter(t(`incidents.f-${k}`), v.map((x) => word(k, x)).join(", "), () => this.#setFilter(k, [])))}
      <button class="btn s quiet" aria-haspopup="menu" @click=${this.#addFilter}><rf-icon n="plus"></rf-icon>${t("filter.add")}</button>`}
      ${many ? html`<div class="picked" role="toolbar" aria-label=${t("incidents.acts")}><span class="b">${t("incidents.picked", { n: list.length })}</span>${this.#oddOnes(list)}<span class="end row">
        <button class="btn s" @click=${(e: Event) => ownerMenu(e.currentTarget as HTMLElement, list, this.#take)}>${t("triage.owner")}</button><button class="btn s" @click=${(e: Event) => statusMenu(e.currentTarget as HTMLElement, list, this.#take)}>${t("triage.status-of")}</button><button class="btn s" @click=${(e: Event) => severityMenu(e.currentTarget as HTMLElement, list, this.#take)}>${t("triage.severity")}</button>
        <button class="btn s" @click=${() => void mergeDialog(list, this.#take)}>${t("triage.merge-now")}</button><button class="btn s" @click=${() => void closeDialog(list, this.#take)}>${t("triage.close-now")}</button><button class="btn s quiet ic" aria-label=${t("incidents.unpick")} @click=${() => { this.#picked = new Set(); this.requestUpdate(); }}><rf-icon n="x"></rf-icon></button></span></div>` : nothing}</div>`;
  }
  /** Where the picked rows differ, so that nobody changes what he did not mean. */
  #oddOnes(list: Incident[]) {
    const groups = (f: (i: Incident) => string) => { const m = new Map<string, number>(); for (const i of list) m.set(f(i), (m.get(f(i)) ?? 0) + 1); return m.size > 1 ? [...m].sort((a, b) => b[1] - a[1]).map(([k, n]) => `${n} ${k}`).join(", ") : ""; };
    const parts = [groups((i) => t(`triage.status.${i.properties.status}`)), groups((i) => t(`severity.${sevKey(i.properties.severity)}`)), groups((i) => ownerName(i) || t("incidents.nobody"))].filter(Boolean);
    return parts.length ? html`<span class="t2 sm ell" title=${parts.join("; ")}>${parts.join("; ")}</span>` : nothing;
  }
  #ownerWord(id: string): string { return (this.incidents.value ?? []).map((i) => i.properties.owner).find((o) => o?.objectId === id)?.assignedTo ?? id; }
  #addFilter = (e: Event) => {
    const anchor = e.currentTarget as HTMLElement, f = this.#filters, all = this.#inRange;
    const toggle = (name: string, v: string) => () => this.#setFilter(name, f[name]?.includes(v) ? f[name].filter((x) => x !== v) : [...(f[name] ?? []), v]);
    const owners = [...new Map(all.filter((i) => i.properties.owner?.objectId).map((i) => [i.properties.owner!.objectId!, ownerName(i)]))].filter(([id]) => id !== session().user.id).slice(0, 8);
    const tactics = [...new Set(all.flatMap((i) => i.properties.additionalData.tactics ?? []))].sort().slice(0, 14);
    openMenu(anchor, [
      ...statuses.map((s) => ({ text: t("filter.is", { name: t("incidents.f-status"), value: t(`triage.status.${s}`) }), checked: !!f.status?.includes(s), run: toggle("status", s) })),
      { text: t("filter.is", { name: t("incidents.f-owner"), value: t("triage.me") }), checked: !!f.owner?.includes("me"), line: true, run: toggle("owner", "me") },
      { text: t("filter.is", { name: t("incidents.f-owner"), value: t("incidents.nobody") }), checked: !!f.owner?.includes("none"), run: toggle("owner", "none") },
      ...owners.map(([id, name]) => ({ text: t("filter.is", { name: t("incidents.f-owner"), value: name }), checked: !!f.owner?.includes(id), run: toggle("owner", id) })),
      ...tactics.map((x, i) => ({ text: t("filter.is", { name: t("incidents.f-tactic"), value: x }), checked: !!f.tactic?.includes(x), line: i === 0, run: toggle("tactic", x) })),
    ], { label: t("filter.add") });
  };

  get #columns(): GridColumn<Incident>[] {
    const roomy = innerWidth >= 1700;
    return [
      { id: "sev", head: t("triage.severity"), width: 116, value: (i) => rank(i.properties.severity), cell: (i) => html`<rf-sev s=${i.properties.severity}></rf-sev>` },
      { id: "n", head: t("incidents.number"), width: 52, num: true, value: numberOf },
      { id: "title", head: t("incidents.title"), min: 200, value: (i) => i.properties.title, cell: (i) => html`<a class="nm" tabindex="-1" href=${href("/incidents/{n}", { n: numberOf(i) })}>${i.properties.title}</a>` },
      { id: "status", head: t("triage.status-of"), width: 76, value: (i) => t(`triage.status.${i.properties.status}`) },
      { id: "owner", head: t("triage.owner"), width: 118, value: ownerName, cell: (i) => (ownerName(i) ? ownerName(i) : html`<span class="t3">${t("incidents.nobody")}</span>`) },
      ...(roomy ? [{ id: "alerts", head: t("incidents.alerts"), width: 74, num: true, value: (i: Incident) => i.properties.additionalData.alertsCount }, { id: "last", head: t("incidents.last"), width: 116, num: true, value: (i: Incident) => i.properties.lastActivityTimeUtc ?? "", cell: (i: Incident) => html`<time title=${stamp(i.properties.lastActivityTimeUtc)}>${when(i.properties.lastActivityTimeUtc)}</time>` }] : []),
      { id: "created", head: t("incidents.created"), width: 98, num: true, value: (i) => i.properties.createdTimeUtc, cell: (i) => html`<time title=${stamp(i.properties.createdTimeUtc)}>${when(i.properties.createdTimeUtc)}</time>` },
    ];
  }
  #list(all: Incident[]) {
    const rows = this.#passing();
    if (!rows.length) {
      const f = this.#filters, text = this.q("q").trim(), inRange = this.#inRange.length;
      if (!all.length) return emptyState(t("incidents.none"), { text: t("incidents.see-rules"), href: href("/rules") });
      if (inRange && !text && writeFilters(f) === firstFilter) return html`<div class="state"><p>${t("incidents.all-done")}</p><button class="btn" @click=${() => this.#setFilter("status", ["Closed"])}>${t("incidents.show-closed")}</button></div>`;
      const names = [...Object.entries(f).filter(([, v]) => v.length).map(([k]) => t(`incidents.f-${k}`)), ...(text ? [`"${text}"`] : []), ...(inRange ? [] : [t("incidents.f-time")])].join(", ");
      return filteredEmpty(names, all.length, () => this.setQ({ f: "all:", q: null, t: inRange ? null : "90d" }));
    }
    return html`<rf-grid name="incidents" .label=${t("page.incidents")} selectable .columns=${this.#columns} .rows=${rows} .rowKey=${(i: Incident) => i.name} .current=${this.#current?.name ?? ""} .selected=${this.#picked} .sort=${this.q("sort", "-sev,-created")} .changed=${new Set(this.#changed.keys())}
      .footer=${html`<span class="hint"><kbd>o</kbd> ${t("incidents.k-owner")} <kbd>s</kbd> ${t("incidents.k-status")} <kbd>v</kbd> ${t("incidents.k-severity")} <kbd>m</kbd> ${t("incidents.k-merge")} <kbd>c</kbd> ${t("incidents.k-close")} <kbd>Enter</kbd> ${t("incidents.k-open")}</span>`}
      @rf-current=${(e: CustomEvent<{ row: Incident }>) => this.setQ({ sel: numberOf(e.detail.row) })} @rf-open=${(e: CustomEvent<{ row: Incident }>) => go(href("/incidents/{n}", { n: numberOf(e.detail.row) }))}
      @rf-select=${(e: CustomEvent<Set<string>>) => { this.#picked = e.detail; this.requestUpdate(); }} @rf-sort=${(e: CustomEvent<string>) => this.setQ({ sort: e.detail === "-sev,-created" ? null : e.detail })}></rf-grid>`;
  }

  // ---- the pane ----
  #pane(i: Incident) {
    const p = i.properties, n = numberOf(i), one = [i], owner = ownerName(i);
    return html`<aside class="pane" aria-label=${t("incidents.incident-n", { n })}>
      <header><rf-sev s=${p.severity}></rf-sev><span class="t3 num">${n}</span><span class="end row"><a class="btn s" href=${href("/incidents/{n}", { n })}>${t("act.open")}</a><button class="btn s quiet ic" aria-label=${t("incidents.close-pane")} @click=${() => this.setQ({ sel: null })}><rf-icon n="x"></rf-icon></button></span></header>
      <div class="scroll"><div class="top-part"><h2>${p.title}</h2>${p.description ? html`<p class="t2">${p.description}</p>` : nothing}
        <div class="row wrap"><button class="btn s" data-act="owner" aria-haspopup="dialog" @click=${(e: Event) => ownerMenu(e.currentTarget as HTMLElement, one, this.#take)}>${owner ? html`<span class="av s" aria-hidden="true">${initials(owner)}</span>${owner}` : html`<rf-icon n="user"></rf-icon>${t("incidents.nobody")}`}<rf-icon n="down"></rf-icon></button>
          <button class="btn s" data-act="status" aria-haspopup="menu" @click=${(e: Event) => statusMenu(e.currentTarget as HTMLElement, one, this.#take)}>${t(`triage.status.${p.status}`)}<rf-icon n="down"></rf-icon></button>
          <button class="btn s" data-act="sev" aria-haspopup="menu" @click=${(e: Event) => severityMenu(e.currentTarget as HTMLElement, one, this.#take)}>${t(`severity.${sevKey(p.severity)}`)}<rf-icon n="down"></rf-icon></button></div></div>
      <div class="sec"><dl class="kv"><dt>${t("incidents.created")}</dt><dd><time>${stamp(p.createdTimeUtc)}</time>${Date.now() - +new Date(p.createdTimeUtc) < 86400e3 ? html` <span class="t3">${ago(p.createdTimeUtc)}</span>` : nothing}</dd>${p.lastActivityTimeUtc ? html`<dt>${t("incidents.last")}</dt><dd><time>${stamp(p.lastActivityTimeUtc)}</time></dd>` : nothing}
        ${p.additionalData.tactics?.length ? html`<dt>${t("incidents.f-tactic")}</dt><dd>${p.additionalData.tactics.join(", ")}${p.additionalData.techniques?.length ? html` <span class="t3">${p.additionalData.techniques.join(", ")}</span>` : nothing}</dd>` : nothing}
        ${p.additionalData.commentsCount ? html`<dt>${t("incidents.notes")}</dt><dd>${num(p.additionalData.commentsCount)}</dd>` : nothing}
        ${p.labels?.length ? html`<dt>${t("incidents.labels")}</dt><dd>${p.labels.map((l) => l.labelName).join(", ")}</dd>` : nothing}
        ${p.classification ? html`<dt>${t("incidents.closed-as")}</dt><dd>${closedAs(i)}${p.classificationComment ? html`<br><span class="t2">${p.classificationComment}</span>` : nothing}</dd>` : nothing}</dl></div>
      ${this.alerts.show((all) => this.#alerts(i, all), { skeleton: 4 })}</div>
      <div class="acts">${isOpen(i) && p.owner?.objectId !== session().user.id ? html`<button class="btn pri" @click=${() => void setOwner(one, me(), this.#take)}><rf-icon n="user"></rf-icon>${t("incidents.take")}</button>` : html`<a class="btn pri" href=${href("/incidents/{n}", { n })}>${t("act.open")}</a>`}
        <button class="btn" @click=${() => void noteDialog(one, this.#take)}>${t("triage.note-add")}</button>${isOpen(i) ? html`<button class="btn" @click=${() => void closeDialog(one, this.#take)}>${t("triage.close-now")}</button>` : nothing}
        <button class="btn quiet ic end" aria-haspopup="menu" aria-label=${t("act.more")} @click=${(e: Event) => openMenu(e.currentTarget as HTMLElement, [{ text: t("incidents.merge-ask"), run: () => void mergeDialog(one, this.#take) }, ...(p.relatedAnalyticRuleIds ?? []).map((id) => ({ text: t("incidents.open-rule"), href: href("/rules/{id}", { id: id.split("/").pop()! }), icon: "rule" })), { text: t("incidents.open-logs"), icon: "logs", href: href("/logs", {}, { q: `SecurityIncident\n| where IncidentNumber == ${n}\n| order by TimeGenerated desc`, t: "90d" }) }], { end: true, label: t("act.more") })}><rf-icon n="more"></rf-icon></button></div></aside>`;
  }
  #alerts(i: Incident, all: Alert[]) {
    if (!all.length) return html`<div class="sec"><p class="t3">${t("incidents.no-alerts")}</p></div>`;
    const entities = entitiesOf(all), n = numberOf(i);
    return html`<div class="sec"><h3>${t("incidents.story")}</h3><ul class="tl">${all.slice().reverse().slice(0, 6).map((a) => html`<li><time title=${stamp(a.start)}>${clock(a.start).slice(0, 5)}</time>${a.title}</li>`)}</ul>${all.length > 6 ? html`<a class="sm" href=${href("/incidents/{n}", { n })}>${t("incidents.all-alerts", { n: all.length })}</a>` : nothing}</div>
      ${entities.length ? html`<div class="sec"><h3>${t("incidents.entities")}</h3><div class="ent">${entities.slice(0, 8).map((x) => html`<a href=${href("/incidents/{n}", { n }, { sel: x.entity.key })}><rf-icon n=${entityIcon(x.entity.kind)}></rf-icon><span class="ell" title=${x.entity.label}>${x.entity.label}</span><span class="t3 nw end">${t("incidents.n-alerts", { n: x.alerts.length })}</span></a>`)}</div>${entities.length > 8 ? html`<a class="sm" href=${href("/incidents/{n}", { n })}>${t("incidents.all-entities", { n: entities.length })}</a>` : nothing}</div>` : nothing}`;
  }
}
const initials = (name: string): string => name.split(/\s+/).filter(Boolean).map((w) => w[0]).filter((_, k, a) => k === 0 || k === a.length - 1).join("").toUpperCase();
