import { html, nothing } from "lit";
import { deleteResource, getResource } from "../../data/arm";
import { ApiError } from "../../data/client";
import { type Alert, alertsOf, type Comment, commentsOf, entitiesIn, entitiesOf, type Entity, entityIcon, entityQueries, type Incident, incidentByNumber, isOpen, numberOf, ownerName, putTask, type Task, tasksOf } from "../../data/incidents";
import { columnName, kql, literal, quote, records, type Result } from "../../data/kql";
import type { IncidentEvent } from "../../data/live";
import { session } from "../../data/session";
import { clock, exact, num, parseRange, stamp, when } from "../../data/time";
import { hasText, loadTexts, t } from "../../i18n";
import { segmented } from "../../parts/choice";
import { curlLine } from "../../parts/copy-as";
import "../../parts/grid";
import { words, type GridColumn } from "../../parts/grid";
import { openMenu } from "../../parts/menu";
import { story } from "../../parts/story";
import { go, href } from "../../router";
import { addNote, closeDialog, closedAs, me, mergeDialog, ownerMenu, setOwner, setStatus, severityMenu, statusMenu } from "../../shell/incident-acts";
import { type Act, type CopyItem, errorWords, type Head, type Key, Page } from "../../shell/page";
import { act, notice } from "../../shell/tray";
import { actionsFor, type Possible } from "./actions";
import { download, makeBundle } from "./bundle";
import { kindWord, layout, most, picture } from "./graph";
import "./page.css";

const tabs = ["", "alerts", "similar", "notes", "tasks", "changes"] as const;
const sevKey = (s: string): string => (s === "Informational" ? "info" : s.toLowerCase());
interface Similar { number: number; title: string; severity: string; status: string; owner: string; created: string; shared: string[]; rule: boolean }

export default class extends Page {
  bodyClass = "p-incident";
  #zoom = 1;
  #more = false;          // alerts came that are not shown yet
  #note = "";
  #task = "";
  #bundling = false;
  #needs = () => ({ role: "Microsoft Sentinel Reader", on: session().workspace.name });

  incident = this.load<Incident>(async (signal) => { const i = await incidentByNumber(Number(this.params.n), signal); setTimeout(() => { void this.alerts.run(); void this.tasks.run(); this.#openTab(); }); return i; }, { what: () => t("incident.reading"), needs: this.#needs });
  alerts = this.load<Alert[]>(async (signal) => { const all = await alertsOf(this.incident.value!, signal); this.#more = false; setTimeout(() => { void this.actions.run(); void this.similar.run(); if (!this.q("tab")) void this.evidence.run(); }); return all; }, { auto: false, what: () => t("incidents.reading-alerts"), needs: this.#needs, empty: () => false });
  actions = this.load<Possible[]>((signal) => actionsFor(this.incident.value!, entitiesOf(this.alerts.value ?? []).map((x) => x.entity), this.#take, signal), { auto: false, empty: () => false });
  evidence = this.load<Result | null>((signal) => this.#readEvidence(signal), { auto: false, what: () => t("incident.reading-rows"), needs: () => ({ role: "Log Analytics Reader", on: session().workspace.name }), empty: () => false });
  similar = this.load<Similar[]>((signal) => this.#readSimilar(signal), { auto: false, needs: this.#needs });
  comments = this.load<Comment[]>((signal) => commentsOf(this.incident.value!, signal), { auto: false, needs: this.#needs });
  tasks = this.load<Task[]>((signal) => tasksOf(this.incident.value!, signal), { auto: false, needs: this.#needs });
  log = this.load<Result>((signal) => kql(`SecurityIncident\n| where IncidentName == ${quote(this.incident.value!.name)}\n| order by TimeGenerated asc`, { signal }), { auto: false, needs: this.#needs });

  constructor() {
    super();
    this.on("incident", (e: IncidentEvent) => { if (String(e.number) === this.params.n) void this.#event(); });
  }
  connectedCallback() { super.connectedCallback(); void Promise.all([loadTexts("triage"), loadTexts("incidents")]).then(() => this.requestUpdate()); }

  #take = (list: Incident[]) => {
    const now = list.find((i) => i.name === this.incident.value?.name);
    if (!now) return;
    const was = this.incident.value!;
    this.incident.set(now);
    if (now.properties.additionalData.alertsCount !== was.properties.additionalData.alertsCount) void this.alerts.run();
    if (this.comments.at) void this.comments.run();
    if (this.log.at) void this.log.run();
  };
  /** The head follows at once; rows that came wait behind a button. */
  async #event() {
    const was = this.incident.value;
    if (!was) return;
    try {
      const now = await getResource<Incident>(was.id);
      if (now.etag === was.etag) return;
      if (now.properties.additionalData.alertsCount > (this.alerts.value?.length ?? 0)) this.#more = true;
      this.incident.set(now);
      if (this.comments.at && now.properties.additionalData.commentsCount !== this.comments.value?.length) void this.comments.run();
      if (this.log.at) void this.log.run();
    } catch { /* the next event brings it */ }
  }

  queryChanged(changed: Set<string>) {
    if (changed.has("tab")) this.#openTab();
    if ((changed.has("alert") || changed.has("sel")) && !this.q("tab") && this.alerts.at) void this.evidence.run();
  }
  #openTab() {
    if (!this.incident.value) return;
    const tab = this.q("tab");
    if (tab === "notes" && !this.comments.at) void this.comments.run();
    if (tab === "changes" && !this.log.at) void this.log.run();
    if (!tab && this.alerts.at && !this.evidence.at) void this.evidence.run();
  }

  // ---- what is read ----
  get #entities(): { entity: Entity; alerts: Alert[] }[] { return entitiesOf(this.alerts.value ?? []); }
  get #entity(): { entity: Entity; alerts: Alert[] } | undefined { const k = this.q("sel"); return k ? this.#entities.find((x) => x.entity.key === k) : undefined; }
  /** The alert whose rows are shown: of the address, else the newest that has a query. */
  get #alert(): Alert | undefined { const all = this.alerts.value ?? [], id = this.q("alert"); return id === "entity" ? undefined : all.find((a) => a.id === id) ?? all.slice().reverse().find((a) => a.query) ?? all[all.length - 1]; }
  /** From the first to the last alert, an hour more on both sides. */
  get #span() { const all = this.alerts.value ?? [], from = Math.min(...all.map((a) => +new Date(a.start))), to = Math.max(...all.map((a) => +new Date(a.end))); return parseRange(all.length ? `${new Date(from - 3600e3).toISOString()}/${new Date(to + 3600e3).toISOString()}` : "24h")!; }
  get #evidenceQuery(): { query: string; range: string } | undefined {
    const e = this.#entity, a = this.#alert;
    if (this.q("alert") === "entity" && e) return { query: `search ${quote(e.entity.label)}\n| where $table !in ("SecurityAlert", "SecurityIncident", "LAQueryLogs")\n| project TimeGenerated, Table = $table, Row = pack_all(true)\n| order by TimeGenerated desc`, range: this.#span.text };
    return a?.query && a.from && a.to ? { query: a.query, range: `${a.from}/${a.to}` } : undefined;
  }
  async #readEvidence(signal: AbortSignal): Promise<Result | null> {
    const q = this.#evidenceQuery;
    return q ? kql(`${q.query}\n| take 500`, { range: parseRange(q.range), signal }) : null;
  }
  async #readSimilar(signal: AbortSignal): Promise<Similar[]> {
    const i = this.incident.value!, all = this.#entities.map((x) => x.entity), rules = (i.properties.relatedAnalyticRuleIds ?? []).map((r) => r.split("/").pop()!);
    const terms = [...new Set(all.slice(0, 30).map((e) => String(e.kind === "account" ? e.fields.Name ?? e.label : e.kind === "host" ? e.fields.HostName ?? e.label : e.label)))];
    if (!terms.length && !rules.length) return [];
    const r = await kql(`let hits = SecurityAlert
| where ${terms.length ? `Entities has_any (${terms.map(quote).join(", ")})` : "false"}
| summarize arg_max(TimeGenerated, Entities) by SystemAlertId;
SecurityIncident
| summarize arg_max(TimeGenerated, *) by IncidentName
| where IncidentNumber != ${numberOf(i)}
| extend SameRule = ${rules.length ? `tostring(RelatedAnalyticRuleIds) has_any (${rules.map(quote).join(", ")})` : "false"}
| mv-expand AlertId = AlertIds to typeof(string)
| join kind=leftouter hits on $left.AlertId == $right.SystemAlertId
| summarize Shared = make_list(Entities, 20), SameRule = countif(SameRule) > 0 by IncidentNumber, Title, Severity, Status, Owner = tostring(Owner.assignedTo), CreatedTime
| order by CreatedTime desc
| take 200`, { signal });
    const mine = new Map(all.map((e) => [e.key, e.label]));
    return records(r).map((x) => ({ number: Number(x.IncidentNumber), title: String(x.Title), severity: String(x.Severity), status: String(x.Status), owner: String(x.Owner ?? ""), created: String(x.CreatedTime), rule: x.SameRule === true || x.SameRule === 1,
      shared: [...new Set((Array.isArray(x.Shared) ? x.Shared : []).flatMap((s) => entitiesIn(String(s))).map((e) => mine.get(e.key)).filter((l): l is string => !!l))] })).filter((x) => x.rule || x.shared.length).sort((a, b) => b.shared.length - a.shared.length || b.number - a.number);
  }

  // ---- head ----
  head(): Head {
    const n = this.params.n, i = this.incident.value, crumbs = [{ text: t("page.incidents"), href: href("/incidents") }, { text: n }];
    if (!i || !hasText("triage.close-now") || !hasText("incidents.take")) return { title: `${t("page.incident")} ${n}`, crumbs };
    const open = (this.actions.value ?? []).filter((a) => !a.done), run = open.length > 0, mine = i.properties.owner?.objectId === session().user.id;
    const acts: Act[] = [{ text: t("incident.bundle"), icon: "download", disabled: this.#bundling || !this.alerts.at, why: t("incident.bundle-wait"), run: () => void this.#bundle() }];
    if (isOpen(i)) acts.push({ text: t("incident.close"), primary: !run && mine, run: () => void closeDialog([i], this.#take) });
    else acts.push({ text: t("incident.reopen"), primary: !run, run: () => void setStatus([i], "Active", this.#take) });
    if (run) acts.push({ text: t("incident.run"), icon: "play", primary: true, run: (e) => openMenu(e.currentTarget as HTMLElement, open.map((a) => ({ text: a.text, icon: a.icon, run: () => void this.#act(a) })), { end: true, label: t("incident.run") }) });
    else if (isOpen(i) && !mine) acts.push({ text: t("incidents.take"), icon: "user", primary: true, run: () => void setOwner([i], me(), this.#take) });
    return { title: `${i.properties.title} (${n})`, heading: i.properties.title, crumbs, acts };
  }
  keys(): Key[] {
    const i = this.incident.value, one = (run: (l: Incident[]) => void) => () => { if (i) run([i]); }, at = (name: string) => this.querySelector<HTMLElement>(`[data-act="${name}"]`)!;
    return [
      { key: "o", text: t("incidents.key-owner"), run: one((l) => ownerMenu(at("owner"), l, this.#take)) },
      { key: "s", text: t("incidents.key-status"), run: one((l) => statusMenu(at("status"), l, this.#take)) },
      { key: "v", text: t("incidents.key-severity"), run: one((l) => severityMenu(at("severity"), l, this.#take)) },
      { key: "c", text: t("incidents.key-close"), run: one((l) => void closeDialog(l, this.#take)) },
      { key: "m", text: t("incidents.key-merge"), run: one((l) => void mergeDialog(l, this.#take)) },
      { key: "n", text: t("incidents.key-note"), run: () => { this.setQ({ tab: "notes" }); void this.updateComplete.then(() => setTimeout(() => this.querySelector<HTMLElement>(".p-incident textarea")?.focus(), 60)); } },
      { key: "b", text: t("incident.bundle"), run: () => void this.#bundle() },
      { key: "Escape", text: t("incident.key-back"), run: () => { if (this.q("sel")) this.setQ({ sel: null, alert: this.q("alert") === "entity" ? null : this.q("alert") || null }); else go(href("/incidents", {}, { sel: this.params.n })); } },
    ];
  }
  copyAs(): CopyItem[] {
    const i = this.incident.value;
    if (!i) return [];
    const path = `${i.id}?api-version=2025-09-01`;
    return [
      { kind: "kql", text: `SecurityIncident\n| where IncidentNumber == ${numberOf(i)}\n| order by TimeGenerated desc` }, { kind: "json", text: () => JSON.stringify({ incident: i, alerts: this.alerts.value ?? [] }, null, 2) }, { kind: "arm", text: () => JSON.stringify(i, null, 2) },
      { kind: "curl", text: curlLine(location.origin, "GET", path) }, { kind: "ringfort", text: `ringfort incidents show ${numberOf(i)}` },
    ];
  }
  async #bundle() {
    const i = this.incident.value;
    if (!i || !this.alerts.at || this.#bundling) return;
    this.#bundling = true;
    this.requestUpdate();
    try { await act({ text: t("incident.did-bundle", { n: numberOf(i) }), run: async () => { const b = await makeBundle(i, this.alerts.value!, this.log.value ?? (await this.log.run()) ?? { name: "", columns: [], rows: [], tables: [] }); download(b.name, b.text); } }); }
    catch (e) { if (!(e instanceof ApiError)) console.error(e); }
    this.#bundling = false;
    this.requestUpdate();
  }
  async #act(a: Possible) { if (await a.open()) void this.actions.run(); }

  // ---- body ----
  #to(changes: Record<string, string | null>): string {
    const u = new URLSearchParams(location.search);
    for (const [k, v] of Object.entries(changes)) v === null ? u.delete(k) : u.set(k, v);
    return `${href("/incidents/{n}", { n: this.params.n })}${String(u) ? `?${u}` : ""}`;
  }
  body() {
    if (!hasText("triage.close-now") || !hasText("incidents.take")) return nothing;
    const i = this.incident.value;
    if (!i) return html`<div class="whole">${this.incident.show(() => nothing, { skeleton: 8 })}</div>`;
    const e = this.#entity;
    return html`${this.#meta(i)}
      <section class="card story-card"><header><h2>${t("incident.story")}</h2><span class="end row">${this.#more ? html`<button class="btn s quiet hl" @click=${() => void this.alerts.run()}><rf-icon n="up"></rf-icon>${t("incident.more-alerts")}</button>` : nothing}${segmented(t("incident.order"), [{ value: "", text: t("incident.oldest") }, { value: "entity", text: t("incident.by-entity") }], this.q("by") as "" | "entity", (v) => this.setQ({ by: v }))}</span></header>
        <div class="scroll">${this.alerts.show((all) => this.#story(all), { skeleton: 6 })}</div></section>
      <section class="card graph-card"><header><h2>${t("incidents.entities")}</h2><span class="end row"><button class="btn s quiet" @click=${() => this.setQ({ view: this.q("view") === "list" ? null : "list" })}>${t(this.q("view") === "list" ? "incident.as-graph" : "incident.as-list")}</button>
        ${this.q("view") === "list" ? nothing : html`<button class="btn s quiet ic" aria-label=${t("incident.zoom-in")} @click=${() => { this.#zoom = Math.min(3, this.#zoom * 1.25); this.requestUpdate(); }}><rf-icon n="plus"></rf-icon></button><button class="btn s quiet ic" aria-label=${t("incident.zoom-out")} @click=${() => { this.#zoom = Math.max(0.8, this.#zoom / 1.25); this.requestUpdate(); }}><rf-icon n="min"></rf-icon></button>`}</span></header>
        ${this.alerts.show(() => this.#graph())}</section>
      <section class="card tabs-card"><header><nav class="tabs" aria-label=${t("shell.tabs")}>${tabs.map((x) => this.#tabLink(i, x))}</nav>${this.#tabEnd()}</header>${this.#tabBody()}</section>
      ${e ? this.#entityCard(e) : this.#actionCard()}`;
  }
  #meta(i: Incident) {
    const p = i.properties, owner = ownerName(i), one = [i];
    return html`<div class="meta"><span><button class="btn s quiet" data-act="severity" aria-haspopup="menu" @click=${(e: Event) => severityMenu(e.currentTarget as HTMLElement, one, this.#take)}><rf-sev s=${p.severity}></rf-sev><rf-icon n="down"></rf-icon></button></span>
      <span><button class="btn s quiet" data-act="status" aria-haspopup="menu" @click=${(e: Event) => statusMenu(e.currentTarget as HTMLElement, one, this.#take)}>${t(`triage.status.${p.status}`)}<rf-icon n="down"></rf-icon></button></span>
      <span><button class="btn s quiet" data-act="owner" aria-haspopup="dialog" @click=${(e: Event) => ownerMenu(e.currentTarget as HTMLElement, one, this.#take)}>${owner ? html`<span class="av s" aria-hidden="true">${owner.split(/\s+/).map((w) => w[0]).slice(0, 2).join("").toUpperCase()}</span>${owner}` : html`<rf-icon n="user"></rf-icon>${t("incidents.nobody")}`}<rf-icon n="down"></rf-icon></button></span>
      ${p.additionalData.tactics?.length ? html`<span class="ell" title=${[...p.additionalData.tactics, ...(p.additionalData.techniques ?? [])].join(", ")}>${[...p.additionalData.tactics, ...(p.additionalData.techniques ?? [])].join(", ")}</span>` : nothing}
      <span class="nw">${t("incidents.n-alerts", { n: p.additionalData.alertsCount })}${this.alerts.at ? html`, ${t("incident.n-entities", { n: this.#entities.length })}` : nothing}</span>
      ${p.classification ? html`<span class="ell" title=${p.classificationComment ?? ""}>${closedAs(i)}</span>` : nothing}
      <span class="end t3 nw">${t("incident.created", { time: stamp(p.createdTimeUtc) })}</span></div>`;
  }
  #story(all: Alert[]) {
    const i = this.incident.value!;
    if (!all.length) return html`<div class="state"><p>${i.properties.description || t("incidents.no-alerts")}</p></div>`;
    if (this.q("by") === "entity") return html`<ul class="lst by">${this.#entities.map((x) => html`<li><rf-icon n=${entityIcon(x.entity.kind)}></rf-icon><span class="grow"><a class="nm" href=${this.#to({ sel: x.entity.key })}>${x.entity.label}</a><small class="t3">${x.alerts.map((a) => html`<a href=${this.#to({ alert: a.id, tab: null })}><time>${clock(a.start)}</time> ${a.title}</a>`)}</small></span></li>`)}</ul>`;
    return story(all.map((a, k) => ({ time: a.start, title: a.title, severity: sevKey(a.severity) as "high", ring: a.tactics.join(", ") || undefined, href: this.#to({ alert: a.id, tab: null }),
      // What a rule says about itself is said once.
      text: [all[k - 1]?.description === a.description ? "" : a.description.replace(/\s+/g, " "), a.entities.length ? `${a.entities.slice(0, 5).map((e) => e.label).join(", ")}${a.entities.length > 5 ? ", …" : ""}.` : "", a.rows ? t("incident.n-rows", { n: a.rows }) : ""].filter(Boolean).join(" ") })));
  }
  #graph() {
    const all = this.#entities, to = (e: Entity) => this.#to({ sel: e.key });
    if (!all.length) return html`<div class="state"><p class="t2">${t("incident.no-entities")}</p></div>`;
    const left = all.length - most;
    if (this.q("view") === "list") return html`<ul class="lst scroll">${all.map((x) => html`<li aria-current=${x.entity.key === this.q("sel") ? "true" : nothing}><rf-icon n=${entityIcon(x.entity.kind)} class="t3"></rf-icon><a class="nm grow ell" href=${to(x.entity)}>${x.entity.label}</a><span class="t3">${kindWord(x.entity)}</span><span class="t3 nw">${t("incidents.n-alerts", { n: x.alerts.length })}</span></li>`)}</ul>`;
    return html`${picture(layout(all), this.#zoom, this.q("sel"), to)}${left > 0 ? html`<p class="cap pad">${t("incident.left-out", { n: left })}</p>` : nothing}`;
  }

  #tabLink(i: Incident, tab: string) {
    const n: Record<string, number | undefined> = { "": this.evidence.value?.rows.length, alerts: i.properties.additionalData.alertsCount, similar: this.similar.value?.length, notes: i.properties.additionalData.commentsCount, tasks: this.tasks.value?.length, changes: this.log.value?.rows.length };
    return html`<a href=${this.#to({ tab: tab || null })} aria-current=${this.q("tab") === tab ? "page" : nothing}>${t(`incident.tab-${tab || "evidence"}`)}${n[tab] === undefined ? nothing : html`<i>${num(n[tab])}${tab === "" && n[tab] === 500 ? "+" : ""}</i>`}</a>`;
  }
  #logs(q: { query: string; range: string }) { return href("/logs", {}, { q: q.query, t: q.range }); }
  #tabEnd() {
    if (this.q("tab")) return nothing;
    const q = this.#evidenceQuery, all = this.alerts.value ?? [], e = this.#entity, now = this.q("alert") === "entity" && e ? "entity" : this.#alert?.id;
    return html`<span class="end row">${all.length > 1 || e ? html`<label class="row"><span class="vh">${t("incident.rows-of")}</span><select class="in s" @change=${(x: Event) => this.setQ({ alert: (x.target as HTMLSelectElement).value })}>${all.map((a) => html`<option value=${a.id} ?selected=${a.id === now}>${clock(a.start)} ${a.title}</option>`)}${e ? html`<option value="entity" ?selected=${now === "entity"}>${t("incident.rows-with", { name: e.entity.label })}</option>` : nothing}</select></label>` : nothing}${q ? html`<a class="nw" href=${this.#logs(q)}>${t("incident.open-logs")}</a>` : nothing}</span>`;
  }
  #tabBody(): unknown {
    const i = this.incident.value!;
    switch (this.q("tab")) {
      case "alerts": return html`<div class="tw">${this.alerts.show((all) => (all.length ? html`<table class="g" aria-label=${t("incident.tab-alerts")}><colgroup><col class="w-time"><col class="w-sev"><col><col class="w-rule"><col class="w-n"></colgroup><thead><tr><th>${t("incident.time")}</th><th>${t("triage.severity")}</th><th>${t("incidents.title")}</th><th>${t("incident.product")}</th><th class="n">${t("incident.rows")}</th></tr></thead>
        <tbody>${all.map((a) => html`<tr><td><time title=${stamp(a.start)}>${when(a.start)}</time></td><td><rf-sev s=${a.severity}></rf-sev></td><td><a class="nm" href=${this.#to({ alert: a.id, tab: null })}>${a.title}</a></td><td>${a.product}</td><td class="n">${a.rows === undefined ? "-" : num(a.rows)}</td></tr>`)}</tbody></table>` : html`<div class="state"><p>${t("incidents.no-alerts")}</p></div>`))}</div>`;
      case "similar": return html`<div class="tw">${this.similar.show((all) => html`<table class="g" aria-label=${t("incident.tab-similar")}><colgroup><col class="w-n"><col class="w-sev"><col><col class="w-status"><col class="w-shared"></colgroup><thead><tr><th class="n">${t("incidents.number")}</th><th>${t("triage.severity")}</th><th>${t("incidents.title")}</th><th>${t("triage.status-of")}</th><th>${t("incident.why-similar")}</th></tr></thead>
        <tbody>${all.map((s) => html`<tr><td class="n">${s.number}</td><td><rf-sev s=${s.severity}></rf-sev></td><td><a class="nm" href=${href("/incidents/{n}", { n: s.number })}>${s.title}</a></td><td>${t(`triage.status.${s.status}`)}</td><td title=${s.shared.join(", ")}>${[...s.shared, ...(s.rule ? [t("incident.same-rule")] : [])].join(", ")}</td></tr>`)}</tbody></table>`, { empty: () => html`<div class="state"><p>${t("incident.no-similar")}</p></div>` })}</div>`;
      case "notes": return html`<div class="scroll notes"><form class="row write" @submit=${(e: Event) => { e.preventDefault(); void this.#addNote(); }}><label class="grow"><span class="vh">${t("triage.note")}</span><textarea class="in" rows="2" maxlength="30000" placeholder=${t("incident.note-in")} .value=${this.#note} @input=${(e: Event) => { this.#note = (e.target as HTMLTextAreaElement).value; this.requestUpdate(); }} @keydown=${(e: KeyboardEvent) => { if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) { e.preventDefault(); void this.#addNote(); } }}></textarea></label><button class="btn" aria-disabled=${this.#note.trim() ? nothing : "true"}>${t("triage.note-add")}</button></form>
        ${this.comments.show((all) => html`<ul class="lst">${all.slice().sort((a, b) => b.properties.createdTimeUtc.localeCompare(a.properties.createdTimeUtc)).map((c) => html`<li><span class="grow"><small class="t3">${c.properties.author?.name ?? c.properties.author?.userPrincipalName ?? "-"} <time>${stamp(c.properties.createdTimeUtc)}</time></small><p class="message">${plain(c.properties.message)}</p></span></li>`)}</ul>`, { empty: () => html`<div class="state"><p class="t2">${t("incident.no-notes")}</p></div>` })}</div>`;
      case "tasks": return html`<div class="scroll notes"><form class="row write" @submit=${(e: Event) => { e.preventDefault(); void this.#addTask(); }}><label class="grow"><span class="vh">${t("incident.task")}</span><input class="in" maxlength="150" placeholder=${t("incident.task-in")} .value=${this.#task} @input=${(e: Event) => { this.#task = (e.target as HTMLInputElement).value; this.requestUpdate(); }}></label><button class="btn" aria-disabled=${this.#task.trim() ? nothing : "true"}>${t("incident.task-add")}</button></form>
        ${this.tasks.show((all) => html`<ul class="lst">${all.map((x) => html`<li><label class="row grow"><input type="checkbox" .checked=${x.properties.status === "Completed"} @change=${() => void this.#tick(x)}><span class=${x.properties.status === "Completed" ? "t3 done" : ""}>${x.properties.title}</span></label>${x.properties.description ? html`<span class="t3 ell">${x.properties.description}</span>` : nothing}<small class="t3 nw">${when(x.properties.lastModifiedTimeUtc ?? x.properties.createdTimeUtc)}</small></li>`)}</ul>`, { empty: () => html`<div class="state"><p class="t2">${t("incident.no-tasks")}</p></div>` })}</div>`;
      case "changes": return html`<div class="tw">${this.log.show((r) => this.#changes(r), { empty: () => html`<div class="state"><p class="t2">${t("incident.no-changes")}</p></div>` })}</div>`;
      default: return this.evidence.show((r) => this.#rows(i, r), { skeleton: 5 });
    }
  }
  #rows(_: Incident, r: Result | null) {
    if (!r) return html`<div class="state"><p class="t2">${t((this.alerts.value ?? []).length ? "incident.no-query" : "incidents.no-alerts")}</p></div>`;
    if (!r.rows.length) return html`<div class="state"><p class="t2">${t("incident.no-rows")}</p></div>`;
    const time = (c: string) => c === "datetime", columns: GridColumn<unknown[]>[] = r.columns.map((c, k) => ({ id: c.name, head: c.name, width: time(c.type) ? (c.name === "TimeGenerated" ? 150 : 170) : c.name === "Table" ? 150 : undefined, min: 120, num: /int|long|real|decimal/.test(c.type), value: (row) => row[k], cell: time(c.type) ? (row) => (row[k] ? html`<time>${exact(String(row[k]))}</time>` : "-") : (row) => words(row[k]) }));
    return html`<rf-grid .label=${t("incident.tab-evidence")} cellActs .columns=${columns} .rows=${r.rows} .rowKey=${(_row: unknown[], k: number) => String(k)} nofoot .canOpenEntity=${(c: GridColumn, row: unknown[]) => !!this.#entityWith(c.value!(row, 0))} @rf-cell=${(e: CustomEvent<{ act: string; column: GridColumn; value: unknown }>) => this.#cell(e.detail, r)}></rf-grid>`;
  }
  #entityWith(v: unknown): Entity | undefined { const s = String(v ?? "").toLowerCase(); return s ? this.#entities.find((x) => x.entity.label.toLowerCase() === s)?.entity : undefined; }
  /** Only and not go on in Logs, where the query can be seen; an entity opens here. */
  #cell(d: { act: string; column: GridColumn; value: unknown }, r: Result) {
    const q = this.#evidenceQuery, e = this.#entityWith(d.value), type = r.columns.find((c) => c.name === d.column.id)?.type ?? "string";
    if (d.act === "open") { if (e) this.setQ({ sel: e.key }); return; }
    if (q) go(this.#logs({ ...q, query: `${q.query.trim()}\n| where ${columnName(d.column.id)} ${d.act === "only" ? "==" : "!="} ${literal(d.value as string, type)}` }));
  }
  #changes(r: Result) {
    const rows = records(r), what = (k: number): string[] => {
      const now = rows[k], was = rows[k - 1];
      if (!was) return [t("incident.ch-made")];
      const text = (v: unknown) => (v === null || v === undefined ? "" : typeof v === "object" ? JSON.stringify(v) : String(v)), size = (v: unknown) => (Array.isArray(v) ? v.length : 0), owner = (v: unknown) => (v as { assignedTo?: string } | null)?.assignedTo ?? "", out: string[] = [];
      if (text(now.Status) !== text(was.Status)) out.push(t("incident.ch", { what: t("triage.status-of"), from: t(`triage.status.${was.Status}`), to: t(`triage.status.${now.Status}`) }));
      if (text(now.Severity) !== text(was.Severity)) out.push(t("incident.ch", { what: t("triage.severity"), from: t(`severity.${sevKey(text(was.Severity))}`), to: t(`severity.${sevKey(text(now.Severity))}`) }));
      if (owner(now.Owner) !== owner(was.Owner)) out.push(t("incident.ch", { what: t("triage.owner"), from: owner(was.Owner) || t("incidents.nobody"), to: owner(now.Owner) || t("incidents.nobody") }));
      if (text(now.Title) !== text(was.Title)) out.push(t("incident.ch", { what: t("incidents.title"), from: text(was.Title), to: text(now.Title) }));
      if (text(now.Description) !== text(was.Description)) out.push(t("incident.ch-text"));
      if (text(now.Classification) && text(now.Classification) !== text(was.Classification)) out.push(hasText(`triage.closing.${now.ClassificationReason || now.Classification}`) ? t(`triage.closing.${now.ClassificationReason || now.Classification}`) : text(now.Classification));
      if (text(now.Labels) !== text(was.Labels)) out.push(t("incident.ch-labels"));
      for (const [c, key] of [["AlertIds", "alerts"], ["Comments", "notes"], ["Tasks", "tasks"], ["BookmarkIds", "bookmarks"]]) { const d = size(now[c]) - size(was[c]); if (d) out.push(t(d > 0 ? `incident.ch-more-${key}` : `incident.ch-less-${key}`, { n: Math.abs(d) })); else if (c === "Tasks" && text(now[c]) !== text(was[c])) out.push(t("incident.ch-task")); }
      return out.length ? out : [t("incident.ch-other")];
    };
    return html`<table class="g" aria-label=${t("incident.tab-changes")}><colgroup><col class="w-stamp"><col class="w-who"><col></colgroup><thead><tr><th>${t("incident.time")}</th><th>${t("incident.who")}</th><th>${t("incident.what")}</th></tr></thead><tbody>${rows.map((x, k) => html`<tr><td><time>${stamp(String(x.TimeGenerated))}</time></td><td>${x.ModifiedBy || "-"}</td><td title=${what(k).join("; ")}>${what(k).join("; ")}</td></tr>`).reverse()}</tbody></table>`;
  }
  async #addNote() { const text = this.#note.trim(), i = this.incident.value; if (!text || !i) return; try { await addNote([i], text, this.#take); this.#note = ""; void this.comments.run(); } catch (e) { if (e instanceof ApiError) notice(errorWords(e)); else throw e; } }
  async #addTask() {
    const title = this.#task.trim(), i = this.incident.value, name = crypto.randomUUID();
    if (!title || !i) return;
    try { await act({ text: t("incident.did-task", { title }), run: () => putTask(i, name, { title, status: "New" }), undo: async () => { await deleteResource(`${i.id}/tasks/${name}`); void this.tasks.run(); } }); this.#task = ""; void this.tasks.run(); }
    catch (e) { if (!(e instanceof ApiError)) throw e; }
  }
  async #tick(x: Task) {
    const i = this.incident.value!, p = x.properties, to = p.status === "Completed" ? "New" : "Completed", put = (status: string) => putTask(i, x.name, { title: p.title, description: p.description, status }).then(() => this.tasks.run());
    try { await act({ text: t(to === "Completed" ? "incident.did-tick" : "incident.did-untick", { title: p.title }), run: () => put(to), undo: () => put(p.status) }); } catch (e) { void this.tasks.run(); if (!(e instanceof ApiError)) throw e; }
  }

  #actionCard() {
    return html`<section class="card act-card"><header><h2>${t("incident.actions")}</h2>${this.actions.value?.length ? html`<span class="end">${t("incident.n-actions", { n: this.actions.value.filter((a) => !a.done).length })}</span>` : nothing}</header><div class="scroll">${this.alerts.at ? this.actions.show((all) => this.#actionList(all)) : nothing}</div></section>`;
  }
  #actionList(all: Possible[]) {
    if (!all.length) return html`<div class="state"><p class="t2">${t("incident.no-actions")}</p></div>`;
    return html`<ul class="do">${all.map((a) => html`<li><rf-icon n=${a.done ? "check" : a.icon} class=${a.done ? "c-ok" : "t3"}></rf-icon><span><span class="b">${a.text}</span><small>${a.note}</small></span>${a.done ? nothing : html`<button class="btn s" @click=${() => void this.#act(a)}>${t("incident.dry")}</button>`}</li>`)}</ul>`;
  }
  #entityCard({ entity: e, alerts }: { entity: Entity; alerts: Alert[] }) {
    const own = (this.actions.value ?? []).filter((a) => a.entity.key === e.key), span = this.#span.text;
    return html`<aside class="card act-card entity" aria-label=${t("incident.entity", { name: e.label })}><header><rf-icon n=${entityIcon(e.kind)} class="t3"></rf-icon><h2 class="ell" title=${e.label}>${e.label}</h2><span class="t3 nw">${kindWord(e)}</span><span class="end row"><button class="btn s quiet ic" aria-label=${t("incident.close-entity")} @click=${() => this.setQ({ sel: null, alert: this.q("alert") === "entity" ? null : this.q("alert") || null })}><rf-icon n="x"></rf-icon></button></span></header>
      <div class="scroll"><div class="sec">${Object.keys(e.fields).length > 1 ? html`<dl class="kv">${Object.entries(e.fields).filter(([, v]) => typeof v !== "object" && v !== "").map(([k, v]) => html`<dt>${k}</dt><dd>${String(v)}</dd>`)}</dl>` : nothing}
        <div class="row wrap links"><button class="btn s" @click=${() => this.setQ({ alert: "entity", tab: null })}>${t("incident.rows-here")}</button>${entityQueries(e).map((q) => html`<a class="btn s" href=${this.#logs({ query: q.query, range: span })}>${t(`incident.q-${q.name}`)}</a>`)}</div></div>
      <div class="sec"><h3>${t("incidents.n-alerts", { n: alerts.length })}</h3><ul class="lst tight">${alerts.map((a) => html`<li><rf-sev s=${a.severity} bare></rf-sev><a class="nm grow ell" href=${this.#to({ alert: a.id, tab: null })}>${a.title}</a><time class="t3">${clock(a.start)}</time></li>`)}</ul></div>
      ${own.length ? html`<div class="sec"><h3>${t("incident.actions")}</h3>${this.#actionList(own)}</div>` : nothing}</div></aside>`;
  }
}
/** Comments may carry the tags of another client's editor; they are shown as text. */
const plain = (s: string): string => (/<\/?(p|br|div|ul|li|b|i|strong|em|span|a)\b/i.test(s) ? s.replace(/<(br|\/p|\/div|\/li)\b[^>]*>/gi, "\n").replace(/<[^>]*>/g, "").replace(/&(lt|gt|amp|quot|nbsp);/g, (_, n: string) => ({ lt: "<", gt: ">", amp: "&", quot: '"', nbsp: " " })[n]!).trim() : s);
