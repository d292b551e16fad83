import { html, nothing } from "lit";
import { readOverview } from "../../data/overview";
import { severityKey } from "../../parts/marks";
import type { IncidentEvent, Pulse } from "../../data/live";
import { session } from "../../data/session";
import { ago, duration, num, short, stamp, when, zone } from "../../data/time";
import { t } from "../../i18n";
import { spark } from "../../parts/charts";
import { css } from "../../parts/css";
import "../../parts/grid";
import { curlLine } from "../../parts/copy-as";
import "../../parts/ring-picture";
import { go, href } from "../../router";
import { setCount } from "../../shell/counts";
import { type CopyItem, emptyState, type Head, type Key, Page } from "../../shell/page";
import { assessed, type Control, readControls, ringData, weak } from "./rings";
import "./page.css";

interface Denied { denied: string }
interface Row { number: number; id: string; title: string; severity: string; status: string; owner: string; created: string; lastModified: string }
interface Source { table: string; lastRow: string | null; rows: number; rowsDay: number; isEstimate: boolean; isOwn: boolean; usualGapSeconds: number | null; silent: boolean }
interface Stream { hub: string; id: string; partitions: number; in?: number; out?: number; lag?: number; slowestGroup?: string }
interface Overview {
  time: string;
  incidents: { open: Record<string, number>; pressing: Row[] } | Denied;
  mine: { incidents: Row[]; count: number } | Denied;
  sources: { count: number; silent: number; rows: number; newestRow: string | null; items: Source[] } | Denied;
  spark: { start: string; stepSeconds: number; rows: (number | null)[] } | Denied;
  streams: { count: number; items: Stream[] } | Denied;
}
const may = <T extends object>(x: T | Denied | undefined): x is T => !!x && !("denied" in x);
const levels = ["High", "Medium", "Low", "Informational"] as const, fills = { High: "bh", Medium: "bm", Low: "bl", Informational: "bi" };

export default class extends Page {
  bodyClass = "p-overview";
  #pulse: Pulse | null = null;
  #new = new Set<number>();
  now = this.load<Overview>(() => readOverview<Overview>().then((o) => { this.#new.clear(); if (may(o.incidents)) setCount("incidents", o.incidents.open.total ?? 0, true); return o; }), { what: () => t("overview.reading"), empty: () => false });
  controls = this.load<Control[]>((signal) => readControls(signal), { what: () => t("overview.reading-controls"), empty: () => false });

  constructor() {
    super();
    this.on("pulse", (p: Pulse) => { this.#pulse = p; this.requestUpdate(); });
    this.on("incident", (e: IncidentEvent) => { if (this.now.at) { this.#new.add(e.number); this.requestUpdate(); } });
  }

  /** Why no incidents are seen, when it is for a missing right. */
  get #denied(): string | undefined { const i = this.now.value?.incidents; return i && "denied" in i ? t("state.needs", { role: i.denied, on: session().workspace.name }) : undefined; }
  get #pressing(): Row[] { const i = this.now.value?.incidents; return may(i) ? i.pressing : []; }
  head(): Head {
    const worst = this.#pressing[0], h = Number(new Intl.DateTimeFormat("en-GB", { hour: "2-digit", hourCycle: "h23", timeZone: zone() }).format(new Date()));
    return { title: t("page.overview"), heading: t(h < 5 ? "overview.night" : h < 12 ? "overview.morning" : h < 18 ? "overview.afternoon" : "overview.evening", { name: session().user.name.split(" ")[0] }),
      acts: [{ text: t("overview.connect"), icon: "plug", href: href("/connect") }, { text: t("overview.worst"), icon: "incident", primary: true, href: worst && href("/incidents/{n}", { n: worst.number }), disabled: !worst, why: this.#denied ?? t("overview.none-open") }] };
  }
  keys(): Key[] {
    return [
      { key: "w", text: t("overview.worst"), run: () => { const w = this.#pressing[0]; if (w) go(href("/incidents/{n}", { n: w.number })); } },
      { key: "e", text: t("overview.weakest"), run: () => { const w = weak(this.controls.value ?? [])[0]; if (w?.href) go(w.href); } },
      { key: "c", text: t("overview.connect"), run: () => go(href("/connect")) },
      { key: "r", text: t("palette.reload"), run: () => this.reload() },
    ];
  }
  copyAs(): CopyItem[] {
    return [{ kind: "kql", text: `SecurityIncident\n| summarize arg_max(TimeGenerated, *) by IncidentName\n| where Status != "Closed"\n| summarize Incidents = count() by Severity` }, { kind: "json", text: () => JSON.stringify({ ...this.now.value, controls: this.controls.value }, null, 2) },
      { kind: "curl", text: curlLine(location.origin, "GET", "/portal/api/overview") }, { kind: "ringfort", text: "ringfort incidents list --status open" }];
  }

  body() {
    return html`${this.#rings()}
      <section class="card answer" aria-label=${t("overview.state-now")}>${this.now.show((o) => this.#answer(o), { skeleton: 3 })}</section>
      <section class="card press"><header><h2>${t("overview.needs")}</h2><span class="end row">${this.#new.size ? html`<button class="btn s quiet hl" @click=${() => void this.now.run()}><rf-icon n="up"></rf-icon>${t("grid.new", { n: this.#new.size })}</button>` : nothing}<a href=${href("/incidents")}>${may(this.now.value?.incidents) ? t("overview.all", { n: this.now.value!.incidents.open.total ?? 0 }) : t("page.incidents")}</a></span></header>${this.now.at ? this.#table() : this.now.error ? nothing : this.now.show(() => nothing)}</section>
      <section class="card"><header><h2>${t("overview.tasks")}</h2><span class="end">${this.now.at || this.controls.at ? t("overview.n-open", { n: this.#tasks().length }) : nothing}</span></header><ul class="lst scroll">${this.#tasks().map((x) => html`<li><rf-icon n=${x.icon} class="t3"></rf-icon><span class="grow ell" title=${x.note}><a class="nm" href=${x.href}>${x.text}</a> <span class="t3">${x.note}</span></span><a class="btn s" href=${x.href} aria-label=${`${x.act}: ${x.text}`}>${x.act}</a></li>`)}${this.now.at && this.controls.at && !this.#tasks().length ? html`<li class="t2">${this.#denied ?? t("overview.no-tasks")}</li>` : nothing}</ul></section>
      <section class="card"><header><h2>${t("overview.streams")}</h2><span class="end"><a href=${href("/hubs")}>${t("page.hubs")}</a></span></header>${this.now.at ? this.#streams(this.now.value!.streams) : nothing}</section>
      <section class="card"><header><h2>${t("overview.sources")}</h2><span class="end"><a href=${href("/connect")}>${t("page.connect")}</a></span></header>${this.now.at ? this.#sources(this.now.value!.sources) : nothing}</section>`;
  }
  #needs(role: string, on: string) { return html`<div class="state outline"><rf-icon n="lock"></rf-icon><p>${t("state.needs", { role, on })}</p></div>`; }

  #rings() {
    const list = this.q("view") === "list", all = this.controls.value ?? [], worst = weak(all)[0];
    return html`<section class="card rings"><header><h2>${t("overview.rings")}</h2><span class="end row"><button class="btn s quiet" aria-pressed=${String(list)} @click=${() => this.setQ({ view: list ? null : "list" })}>${t(list ? "rings.picture" : "rings.list")}</button></span></header>
      ${this.controls.show((c) => (list ? this.#ringList(c) : html`<ring-picture legend .data=${this.#data(c)}></ring-picture>`), { skeleton: 10 })}
      ${worst ? html`<div class="weak"><rf-state s=${worst.state} bare></rf-state><span class="grow"><b class="b">${t("overview.weakest-is", { control: t(`overview.c-${worst.id}`), ring: t(`overview.ring.${worst.ring}`) })}</b> <span class="t2">${worst.detail}</span></span>${worst.href ? html`<a class="btn s" href=${worst.href}>${worst.act ?? t("act.open")}</a>` : nothing}</div>` : nothing}</section>`;
  }
  #drawn: { of?: Control[]; data?: ReturnType<typeof ringData> } = {};
  /** The same object as long as nothing changed, so that the picture is not drawn anew with each pulse. */
  #data(c: Control[]) { if (this.#drawn.of !== c) this.#drawn = { of: c, data: ringData(c) }; return this.#drawn.data!; }
  #ringList(all: Control[]) {
    const ids = [...new Set(all.map((c) => c.ring))];
    return html`<div class="scroll">${ids.map((id) => html`<h3 class="cap ring-name">${t(`overview.ring.${id}`)}</h3><ul class="lst">${all.filter((c) => c.ring === id).map((c) => html`<li><rf-state s=${c.state === "none" ? "unknown" : c.state} bare word=${t(`rings.${({ ok: "holds", fail: "fails", partial: "partial", unknown: "unknown", none: "none" } as const)[c.state]}`)}></rf-state><span class="grow"><span>${c.href ? html`<a class="nm" href=${c.href}>${t(`overview.c-${c.id}`)}</a>` : html`<span class="b">${t(`overview.c-${c.id}`)}</span>`}</span><small class="t3">${c.detail}</small></span></li>`)}</ul>`)}</div>`;
  }

  #answer(o: Overview) {
    const all = this.controls.value ?? [], known = assessed(all), hold = known.filter((c) => c.state === "ok").length, worst = weak(all)[0];
    const i = o.incidents, s = o.sources, k = o.spark;
    const rate = this.#pulse ? this.#pulse.rowsPerSecond : may(k) ? lastRate(k) : null;
    return html`<div><h3>${t("overview.open-incidents")}</h3>${may(i) ? html`<div class="row gap"><a class="big" href=${href("/incidents")}>${num(i.open.total ?? 0)}</a><span class="t3 sm">${t("overview.n-new", { n: i.open.new ?? 0 })}${may(o.mine) ? html`<br>${t("overview.n-mine", { n: o.mine.count })}` : nothing}</span></div>
        ${i.open.total ? html`<div class="sevbar" aria-hidden="true">${levels.filter((l) => i.open[l]).map((l) => html`<i class=${fills[l]} ${css({ flex: i.open[l] })}></i>`)}</div>` : nothing}
        <div class="sevs sm">${levels.map((l) => html`<a href=${href("/incidents", {}, { f: `status:New,Active;severity:${l}` })}><rf-sev s=${l} word=${t(`overview.sev-${severityKey(l)}`, { n: i.open[l] ?? 0 })}></rf-sev></a>`)}</div>` : this.#needs((i as Denied).denied, session().workspace.name)}</div>
      <div><h3>${t("overview.controls")}</h3>${this.controls.at ? html`<div class="row gap"><span class="big">${known.length ? t("overview.of", { n: hold, of: known.length }) : "-"}</span><span class="t3 sm">${t("overview.n-unknown", { n: all.filter((c) => c.state === "unknown").length })}</span></div>
        <div class="meter" aria-hidden="true">${(["ok", "partial", "fail"] as const).map((x) => { const n = known.filter((c) => c.state === x).length; return n ? html`<i class=${{ ok: "bo", partial: "bp", fail: "bh" }[x]} ${css({ width: `${(100 * n) / known.length}%` })}></i>` : nothing; })}</div>${worst?.href ? html`<a class="sm ell" href=${worst.href}>${worst.act ?? t(`overview.c-${worst.id}`)}</a>` : nothing}` : nothing}</div>
      <div><h3>${t("overview.rows-in")}</h3>${may(s) ? html`<div class="row gap"><a class="big" title=${rate === null ? "" : num(rate)} href=${href("/logs", {}, { q: "union withsource = Table *\n| summarize Rows = count() by bin(TimeGenerated, 1m), Table\n| render timechart", t: "1h" })}>${rate === null ? "-" : num(Math.round(rate))}</a><span class="t3 sm">${t("overview.per-second")}</span></div>${may(k) ? this.#spark(k) : nothing}
        <a class="sm" href=${href("/connect")}>${t("overview.n-silent", { n: this.#pulse?.silent ?? s.silent })}</a>` : this.#needs((s as Denied).denied, session().workspace.name)}</div>`;
  }

  #spark(k: { rows: (number | null)[] }) {
    const v = trend(k.rows), have = v.filter((x): x is number => x !== null);
    return have.length < 2 ? nothing : spark(v, t("overview.spark", { low: num(Math.min(...have), 0), high: num(Math.max(...have), 0) }), { zero: true });
  }
  #table() {
    const i = this.now.value!.incidents;
    if (!may(i)) return this.#needs(i.denied, session().workspace.name);
    if (!i.pressing.length) return emptyState(t("overview.none-open"), { text: t("overview.see-rules"), href: href("/rules") });
    return html`<rf-grid .label=${t("overview.needs")} nofoot .rows=${i.pressing} .rowKey=${(r: Row) => String(r.number)} .current=${this.q("sel")} .columns=${this.#columns} @rf-current=${(e: CustomEvent<{ row: Row }>) => this.setQ({ sel: e.detail.row.number })} @rf-open=${(e: CustomEvent<{ row: Row }>) => go(href("/incidents/{n}", { n: e.detail.row.number }))}></rf-grid>`;
  }
  #columns = [
    { id: "severity", head: t("overview.severity"), width: 130, sortable: false, cell: (r: Row) => html`<rf-sev s=${r.severity}></rf-sev>` },
    { id: "number", head: t("overview.number"), width: 56, num: true, sortable: false, value: (r: Row) => r.number },
    { id: "title", head: t("overview.incident"), min: 180, sortable: false, cell: (r: Row) => html`<a class="nm" tabindex="-1" href=${href("/incidents/{n}", { n: r.number })}>${r.title}</a>` },
    { id: "owner", head: t("overview.owner"), width: 128, sortable: false, cell: (r: Row) => (r.owner ? html`<span title=${r.owner}>${r.owner}</span>` : html`<span class="t3">${t("overview.nobody")}</span>`) },
    { id: "created", head: t("overview.created"), width: 104, num: true, sortable: false, cell: (r: Row) => html`<time title=${stamp(r.created)}>${when(r.created)}</time>` },
  ];

  #tasks(): { icon: string; text: string; note: string; href: string; act: string }[] {
    const o = this.now.value, mine = may(o?.mine) ? o.mine.incidents : [];
    return [
      ...mine.map((i) => ({ icon: "incident", text: `${i.number} ${i.title}`, note: ago(i.lastModified), href: href("/incidents/{n}", { n: i.number }), act: t("act.open") })),
      ...weak(this.controls.value ?? []).filter((c) => c.href).map((c) => ({ icon: "shield", text: t(`overview.c-${c.id}`), note: c.detail, href: c.href!, act: t("overview.look") })),
    ];
  }
  #streams(s: Overview["streams"]) {
    if (!may(s)) return this.#needs(s.denied, session().hubNamespace);
    if (!s.items.length) return emptyState(t("overview.no-streams"), { text: t("page.hubs"), href: href("/hubs") });
    return html`<ul class="lst scroll">${s.items.slice().sort((a, b) => (b.in ?? -1) - (a.in ?? -1)).map((x) => { const [ns, hub] = x.hub.split("/"), live = (x.in ?? 0) > 0;
      return html`<li><rf-state s=${x.in === undefined ? "unknown" : live ? "ok" : "unknown"} bare word=${t(x.in === undefined ? "overview.not-known" : live ? "overview.live" : "overview.quiet")}></rf-state><a class="nm grow ell" href=${href("/hubs/{ns}/{hub}", { ns, hub })}>${hub}</a><span class="num t2">${x.in === undefined ? "-" : live ? t("overview.rate", { n: short(x.in) }) : t("overview.quiet")}</span>${x.lag === undefined ? nothing : html`<span class="num t3 nw lag">${t("overview.lag", { n: short(x.lag) })}</span>`}</li>`; })}</ul>`;
  }
  #sources(s: Overview["sources"]) {
    if (!may(s)) return this.#needs(s.denied, session().workspace.name);
    if (!s.items.length) return emptyState(t("overview.no-sources"), { text: t("overview.connect"), href: href("/connect"), icon: "plug" });
    const items = s.items.filter((x) => !x.isOwn).sort((a, b) => Number(b.silent) - Number(a.silent) || b.rowsDay - a.rowsDay), now = +new Date(this.now.value!.time);
    return html`<ul class="lst scroll">${items.map((x) => html`<li><rf-state s=${x.silent ? "fail" : "ok"} bare word=${t(x.silent ? "overview.silent" : "overview.live")}></rf-state><a class="nm grow ell" href=${href("/logs", {}, { q: `${x.table}\n| order by TimeGenerated desc\n| take 100`, t: x.silent ? "7d" : "1h" })}>${x.table}</a>${x.silent ? html`<span class="late nw">${t("overview.silent")}</span><span class="num t3 nw lag" title=${stamp(x.lastRow)}>${x.lastRow ? duration(now - +new Date(x.lastRow)) : "-"}</span>` : html`<span class="num t3 nw" title=${num(x.rowsDay)}>${t("overview.rows-day", { n: short(x.rowsDay) })}</span>`}</li>`)}</ul>`;
  }
}
/** From the first minute that was counted to the last whole one, in at most 96 steps of equal length; a step without a count is a gap. */
function trend(rows: (number | null)[]): (number | null)[] {
  const from = rows.findIndex((v) => v !== null), all = from < 0 ? [] : rows.slice(from, -1), step = Math.max(1, Math.ceil(all.length / 96)), out: (number | null)[] = [];
  for (let i = 0; i < all.length; i += step) { const have = all.slice(i, i + step).filter((v): v is number => v !== null); out.push(have.length ? have.reduce((x, y) => x + y, 0) / have.length : null); }
  return out;
}
/** Rows per second in the last whole minute: until the first pulse comes. */
const lastRate = (k: { stepSeconds: number; rows: (number | null)[] }): number | null => { const v = k.rows.slice(0, -1).reverse().find((x) => x !== null); return v === undefined || v === null ? null : v / k.stepSeconds; };
