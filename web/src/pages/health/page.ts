import { html, nothing } from "lit";
import { get } from "../../data/client";
import { kql, quote, records, type Result } from "../../data/kql";
import { session } from "../../data/session";
import { ago, bytes, duration, stamp, when } from "../../data/time";
import { t } from "../../i18n";
import { chipFilter, readFilters, writeFilters } from "../../parts/choice";
import { curlLine } from "../../parts/copy-as";
import { css } from "../../parts/css";
import "../../parts/grid";
import type { Grid, GridColumn } from "../../parts/grid";
import "../../parts/inspector";
import { openMenu } from "../../parts/menu";
import { href } from "../../router";
import { type CopyItem, filteredEmpty, type Head, type Key, Page } from "../../shell/page";
import "./page.css";

/** GET /portal/api/health. What the server cannot see from inside its sandbox is absent. */
interface Health {
  time: string; version: string; started: string;
  processes: { role: string; pid: number; residentBytes?: number; peakBytes: number; cpuSeconds: number }[];
  disk: { totalBytes?: number; freeBytes?: number; tablesBytes: number; stateBytes?: number };
  rows: { count: number; sources: number; silent: number }; hubs: { count: number; bytes: number; refusedSinceStart: number };
  hardening: { time: string; report: { Role: string; Kernel?: string; LandlockAbi?: number; Layers?: Record<string, boolean>; Missing?: number; Reasons?: Record<string, string>; Event?: string; Signal?: number; ExitCode?: number; Restarts?: number } }[];
}
const growthQuery = "search *\n| summarize Total = count(), Day = countif(TimeGenerated > ago(1d)), First = min(TimeGenerated)";
const collectQuery = "RingfortCollect\n| where isnotempty(Protocol)\n| summarize arg_max(TimeGenerated, Protocol, LastSeen, LastError), Rows = sum(Rows), Bytes = sum(Bytes), Rejected = sum(Rejected), Dropped = sum(Dropped), Refused = sum(Refused) by Listener, Source\n| order by LastSeen desc";
const denialsQuery = "RingfortDenials\n| summarize Count = sum(Count), Last = max(TimeGenerated) by Mechanism, Code, Status, Route, Reason\n| top 100 by Last desc";

export default class extends Page {
  bodyClass = "p-health";
  #typing?: ReturnType<typeof setTimeout>;
  health = this.load<Health>((signal) => get<Health>("/portal/api/health", { signal }), { what: () => t("health.reading"), needs: () => ({ role: "Reader", on: session().subscription }), empty: () => false });
  growth = this.load<Result>((signal) => kql(growthQuery, { signal }), { auto: false, needs: () => ({ role: "Log Analytics Reader", on: session().workspace.name }), empty: () => false });
  collect = this.load<Result>((signal) => kql(collectQuery, { range: this.range, signal }), { auto: false, what: () => t("health.reading"), needs: () => ({ role: "Log Analytics Reader", on: session().workspace.name }), empty: () => false });
  denials = this.load<Result>((signal) => kql(denialsQuery, { range: this.range, signal }), { auto: false, what: () => t("health.reading"), needs: () => ({ role: "Log Analytics Reader", on: session().workspace.name }), empty: () => false });
  audit = this.load<Result>((signal) => kql(this.#auditQuery, { range: this.range, signal }), { auto: false, what: () => t("health.reading-audit"), needs: () => ({ role: "Log Analytics Reader", on: session().workspace.name }), empty: () => false });

  connectedCallback() { super.connectedCallback(); this.#readTab(); }
  disconnectedCallback() { super.disconnectedCallback(); clearTimeout(this.#typing); }
  queryChanged(changed: Set<string>) { if (["tab", "t", "f", "q"].some((k) => changed.has(k))) this.#readTab(); }
  #readTab() { if (this.q("tab") === "audit") void this.audit.run(); else { void this.collect.run(); void this.denials.run(); if (!this.growth.at) void this.growth.run(); } }

  get #filters() { return readFilters(this.q("f")); }
  #setFilter(k: string, v: string[]) { this.setQ({ f: writeFilters({ ...this.#filters, [k]: v }) || null }); }
  get #auditQuery(): string {
    const f = this.#filters, q = this.q("q").trim(), dir = "AuditLogs\n    | project TimeGenerated, Log = \"AuditLogs\", Operation = OperationName, Result, Who = coalesce(tostring(parse_json(tostring(InitiatedBy)).user.userPrincipalName), Identity), Target = tostring(parse_json(tostring(TargetResources))[0].displayName), Address = coalesce(tostring(parse_json(tostring(InitiatedBy)).user.ipAddress), tostring(parse_json(tostring(InitiatedBy)).app.ipAddress)), CorrelationId", act = "AzureActivity\n    | project TimeGenerated, Log = \"AzureActivity\", Operation = OperationNameValue, Result = ActivityStatusValue, Who = Caller, Target = _ResourceId, Address = CallerIpAddress, CorrelationId";
    return `union isfuzzy=true (${dir}), (${act})${f.log?.length ? `\n| where Log in (${f.log.map(quote).join(", ")})` : ""}${f.result?.length === 1 ? `\n| where Result ${f.result[0] === "ok" ? "" : "!"}in~ ("success", "Succeeded", "Accepted", "Started")` : ""}${f.who?.length ? `\n| where Who in (${f.who.map(quote).join(", ")})` : ""}${q ? `\n| where Operation contains ${quote(q)} or Who contains ${quote(q)} or Target contains ${quote(q)} or CorrelationId == ${quote(q)}` : ""}\n| top 1000 by TimeGenerated desc`;
  }
  head(): Head { return { title: t("page.health"), time: "24h", tabs: [{ text: t("health.health") }, { text: t("health.audit"), tab: "audit" }], acts: [{ text: t("act.read-again"), icon: "refresh", run: () => this.#again() }] }; }
  #again() { void this.health.run(); this.growth.at = undefined; this.#readTab(); }
  keys(): Key[] { return [{ key: "r", text: t("act.read-again"), run: () => this.#again() }, { key: "1", text: t("health.health"), run: () => this.setQ({ tab: null, sel: null }, { push: true }) }, { key: "2", text: t("health.audit"), run: () => this.setQ({ tab: "audit" }, { push: true }) }, { key: "Escape", text: t("health.close"), run: () => { this.setQ({ sel: null }); this.querySelector<HTMLElement>("rf-grid td[tabindex='0']")?.focus(); } }]; }
  copyAs(): CopyItem[] { return this.q("tab") === "audit" ? [{ kind: "kql", text: this.#auditQuery }] : [{ kind: "kql", label: t("health.kql-collect"), text: collectQuery }, { kind: "kql", label: t("health.kql-denials"), text: denialsQuery }, ...(this.health.value ? [{ kind: "json" as const, text: JSON.stringify(this.health.value, null, 2) }] : []), { kind: "curl", text: curlLine(location.origin, "GET", "/portal/api/health") }]; }

  body() { return this.q("tab") === "audit" ? this.#auditTab() : html`${this.health.at || !this.health.error ? nothing : html`<section class="card wide">${this.health.show(() => nothing)}</section>`}${this.health.value ? this.#machine(this.health.value) : nothing}${this.#streams()}`; }
  /** Days until the disk is full, from the share of rows that came in the last day. Null with less than a day of rows. */
  #days(h: Health): number | null {
    const g = this.growth.value ? records(this.growth.value)[0] : undefined;
    if (!g || !g.Total || !g.Day || !h.disk.freeBytes || Date.now() - Date.parse(String(g.First)) < 86400e3) return null;
    return h.disk.freeBytes / (h.disk.tablesBytes * (Number(g.Day) / Number(g.Total)));
  }
  #machine(h: Health) {
    const d = h.disk, used = d.totalBytes && d.freeBytes !== undefined ? d.totalBytes - d.freeBytes : 0, days = this.#days(h), full = d.totalBytes ? used / d.totalBytes : 0;
    return html`<section class="card" aria-label=${t("health.processes")}><header><h2>${t("health.processes")}</h2><span class="cap end">${t("state.as-of", { time: when(h.time) })}</span></header><div class="scroll"><dl class="kv pad"><dt>${t("health.version")}</dt><dd>${h.version}</dd><dt>${t("health.started")}</dt><dd>${stamp(h.started)} <span class="t3">${t("health.up", { time: duration(Date.parse(h.time) - Date.parse(h.started)) })}</span></dd></dl>
        <ul class="lst">${h.processes.map((p) => html`<li><rf-icon n="host"></rf-icon><span class="grow"><b>${p.role}</b> <span class="t3">pid ${p.pid}</span></span><span class="num">${p.residentBytes === undefined ? t("health.peak", { n: bytes(p.peakBytes) }) : t("health.memory", { n: bytes(p.residentBytes), peak: bytes(p.peakBytes) })}</span><span class="t3 num">${t("health.cpu", { time: duration(p.cpuSeconds * 1000) })}</span></li>`)}</ul></div></section>
      <section class="card" aria-label=${t("health.disk")}><header><h2>${t("health.disk")}</h2></header><div class="scroll pad">${d.totalBytes ? html`<div class="meter" role="img" aria-label=${t("health.disk-of", { used: bytes(used), total: bytes(d.totalBytes) })}><i class=${full > 0.9 ? "bh" : full > 0.75 ? "bm" : "bo"} ${css({ width: `${Math.round(full * 100)}%` })}></i></div>` : nothing}
        <dl class="kv">${d.totalBytes ? html`<dt>${t("health.free")}</dt><dd>${t("health.disk-of", { used: bytes(d.freeBytes!), total: bytes(d.totalBytes) })}</dd><dt>${t("health.days")}</dt><dd>${days === null ? html`<span class="t3">${t("health.days-unknown")}</span>` : html`<b class=${days < 14 ? "late" : ""}>${t("unit.d", { n: Math.floor(days) })}</b> <span class="t3">${t("health.days-how")}</span>`}</dd>` : nothing}<dt>${t("health.tables")}</dt><dd>${bytes(d.tablesBytes)}</dd>${d.stateBytes === undefined ? nothing : html`<dt>${t("health.state")}</dt><dd>${bytes(d.stateBytes)}</dd>`}<dt>${t("health.hubs")}</dt><dd>${t("health.hubs-of", { n: h.hubs.count, bytes: bytes(h.hubs.bytes) })}${h.hubs.refusedSinceStart ? html`, <span class="c-high">${t("health.refused", { n: h.hubs.refusedSinceStart })}</span>` : nothing}</dd><dt>${t("health.sources")}</dt><dd>${t("health.sources-of", { n: h.rows.sources, silent: h.rows.silent })}</dd></dl></div></section>
      <section class="card" aria-label=${t("health.hardening")}><header><h2>${t("health.hardening")}</h2></header><div class="scroll">${h.hardening.length ? html`<ul class="lst">${h.hardening.map(({ report: r, time }) => html`<li class="top"><span class="grow"><b>${r.Role}</b> ${r.Event ? html`<span class="c-high">${t("health.ended", { event: r.Event, code: r.ExitCode ?? 0, signal: r.Signal ?? 0, restarts: r.Restarts ?? 0 })}</span>` : html`<rf-state s=${r.Missing ? "fail" : "ok"} word=${r.Missing ? t("health.missing", { n: r.Missing }) : t("health.all-hold")}></rf-state>`}
        <span class="layers">${Object.entries(r.Layers ?? {}).map(([k, on]) => html`<rf-state s=${on ? "ok" : "fail"} word=${k} title=${r.Reasons?.[k] ?? k}></rf-state>`)}</span>${Object.entries(r.Reasons ?? {}).map(([k, why]) => html`<span class="t2 sm why">${k}: ${why}</span>`)}</span><time class="t3" title=${stamp(time)}>${ago(time)}</time></li>`)}</ul>` : html`<div class="state"><p>${t("health.no-report")}</p></div>`}</div></section>`;
  }
  #streams() {
    const collectors: GridColumn[] = [{ id: "Listener", head: t("health.c-listener"), width: 110 }, { id: "Protocol", head: t("health.c-protocol"), width: 110 }, { id: "Source", head: t("health.c-source"), min: 130 }, { id: "Rows", head: t("health.c-rows"), width: 86, num: true }, { id: "Bytes", head: t("health.c-bytes"), width: 86, num: true, cell: (r) => bytes(r.Bytes) }, { id: "lost", head: t("health.c-lost"), title: t("health.c-lost-long"), width: 80, num: true, value: (r) => (r.Rejected ?? 0) + (r.Dropped ?? 0) + (r.Refused ?? 0), cls: (r) => ((r.Rejected ?? 0) + (r.Dropped ?? 0) + (r.Refused ?? 0) ? "c-high" : "") }, { id: "LastSeen", head: t("health.c-last"), width: 104, num: true, cell: (r) => html`<time title=${stamp(r.LastSeen)}>${when(r.LastSeen)}</time>` }, { id: "LastError", head: t("health.c-error"), min: 120 }];
    const denials: GridColumn[] = [{ id: "Last", head: t("health.c-last"), width: 90, num: true, cell: (r) => html`<time title=${stamp(r.Last)}>${when(r.Last)}</time>` }, { id: "Mechanism", head: t("health.c-mechanism"), width: 100 }, { id: "Code", head: t("health.c-code"), min: 150 }, { id: "Route", head: t("health.c-route"), min: 150 }, { id: "Count", head: t("health.c-count"), width: 70, num: true }, { id: "Reason", head: t("health.c-reason"), min: 200 }];
    const part = (l: typeof this.collect, name: string, columns: GridColumn[], none: string) => l.show((r) => (r.rows.length ? html`<rf-grid name=${name} .label=${t(name === "health-collect" ? "health.collectors" : "health.denials")} .columns=${columns} .rows=${records(r)} nofoot></rf-grid>` : html`<div class="state"><p>${none}</p></div>`));
    return html`<section class="card half" aria-label=${t("health.collectors")}><header><h2>${t("health.collectors")}</h2><a class="end" href=${href("/logs", {}, { q: collectQuery, t: this.range.text })}>${t("health.in-logs")}</a></header>${part(this.collect, "health-collect", collectors, t("health.no-collectors"))}</section>
      <section class="card half" aria-label=${t("health.denials")}><header><h2>${t("health.denials")}</h2><a class="end" href=${href("/logs", {}, { q: denialsQuery, t: this.range.text })}>${t("health.in-logs")}</a></header>${part(this.denials, "health-denials", denials, t("health.no-denials"))}</section>`;
  }
  #auditTab() {
    const f = this.#filters, rows = this.audit.value ? (records(this.audit.value) as Record<string, any>[]) : [], key = (r: any) => `${r.TimeGenerated} ${r.CorrelationId} ${r.Operation}`, sel = rows.find((r) => key(r) === this.q("sel")), good = (r: any) => /^(success|succeeded|accepted|started)$/i.test(r.Result);
    const options: Record<string, { value: string; text: string }[]> = { log: ["AuditLogs", "AzureActivity"].map((v) => ({ value: v, text: v })), result: [{ value: "ok", text: t("health.ok") }, { value: "fail", text: t("health.failed") }], who: [...new Set(rows.map((r) => String(r.Who)))].filter(Boolean).slice(0, 12).map((v) => ({ value: v, text: v })) };
    const columns: GridColumn[] = [{ id: "TimeGenerated", head: t("health.c-time"), width: 160, cell: (r) => html`<time>${stamp(r.TimeGenerated)}</time>` }, { id: "Operation", head: t("health.c-operation"), min: 240 }, { id: "Result", head: t("health.f-result"), width: 110, cell: (r) => html`<rf-state s=${good(r) ? "ok" : "fail"} word=${r.Result}></rf-state>` }, { id: "Who", head: t("health.f-who"), min: 160 }, { id: "Target", head: t("health.c-target"), min: 140, value: (r) => r.Target, cell: (r) => String(r.Target ?? "").split("/").pop() }];
    return html`<section class="card audit" aria-label=${t("health.audit")}><div class="bar flt"><label class="field"><rf-icon n="search"></rf-icon><span class="vh">${t("health.search")}</span><input type="search" placeholder=${t("health.search")} .value=${this.q("q")} @input=${(e: Event) => { const v = (e.target as HTMLInputElement).value; clearTimeout(this.#typing); this.#typing = setTimeout(() => this.setQ({ q: v.trim() }), 300); }} @keydown=${(e: KeyboardEvent) => { if (e.key === "ArrowDown") { e.preventDefault(); this.querySelector<Grid>("rf-grid")?.enter(); } }}></label>
      ${Object.entries(f).filter(([, v]) => v.length).map(([k, v]) => chipFilter(t(`health.f-${k}`), v.map((x) => options[k]?.find((y) => y.value === x)?.text ?? x).join(", "), () => this.#setFilter(k, [])))}<button class="btn s quiet" aria-haspopup="menu" @click=${(e: Event) => openMenu(e.currentTarget as HTMLElement, Object.entries(options).flatMap(([k, all], i) => all.map((x, j) => ({ text: t("filter.is", { name: t(`health.f-${k}`), value: x.text }), checked: !!f[k]?.includes(x.value), line: i > 0 && j === 0, run: () => this.#setFilter(k, f[k]?.includes(x.value) ? f[k].filter((y) => y !== x.value) : [...(f[k] ?? []), x.value]) }))), { label: t("filter.add") })}><rf-icon n="plus"></rf-icon>${t("filter.add")}</button></div>
      ${this.audit.show((r) => (r.rows.length ? html`<rf-grid name="audit" .label=${t("health.audit")} .columns=${columns} .rows=${rows} .rowKey=${key} .current=${this.q("sel")} .sort=${this.q("sort")} @rf-current=${(e: CustomEvent<{ key: string }>) => this.setQ({ sel: e.detail.key })} @rf-sort=${(e: CustomEvent<string>) => this.setQ({ sort: e.detail })}></rf-grid>` : this.q("f") || this.q("q") ? filteredEmpty([...Object.keys(f).map((k) => t(`health.f-${k}`)), this.q("q")].filter(Boolean).join(", "), undefined, () => this.setQ({ f: null, q: null })) : html`<div class="state"><p>${t("health.no-audit")}</p></div>`))}</section>
      ${sel ? html`<aside class="pane" aria-label=${sel.Operation}><header><h2 class="grow ell">${sel.Operation}</h2><button class="btn s quiet ic" aria-label=${t("health.close")} @click=${() => this.setQ({ sel: null })}><rf-icon n="x"></rf-icon></button></header><div class="scroll"><div class="sec"><rf-inspector .value=${sel} path="" .open=${1}></rf-inspector></div>${String(sel.Target).startsWith("/subscriptions/") ? html`<div class="sec"><a href=${href("/resources/{id*}", { id: sel.Target })}>${t("health.open-resource")}</a></div>` : nothing}<div class="sec"><a href=${href("/logs", {}, { q: `${sel.Log}\n| where CorrelationId == ${quote(String(sel.CorrelationId))}`, t: this.range.text })}>${t("health.in-logs")}</a></div></div></aside>` : html`<aside class="pane none"><div class="state"><p class="t2">${t("health.choose")}</p></div></aside>`}`;
  }
}
