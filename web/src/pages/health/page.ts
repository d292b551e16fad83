import { html, nothing } from "lit";
import { get } from "../../data/client";
import { kql, records, type Result } from "../../data/kql";
import { session } from "../../data/session";
import { ago, bytes, duration, stamp, when } from "../../data/time";
import { hasText, t } from "../../i18n";
import { copyText, curlLine } from "../../parts/copy-as";
import { css } from "../../parts/css";
import "../../parts/grid";
import type { GridColumn } from "../../parts/grid";
import { href } from "../../router";
import { type CopyItem, type Head, type Key, type Loader, Page } from "../../shell/page";
import { Audit } from "./audit";
import "./page.css";

/** GET /portal/api/health. What the server cannot see from inside its sandbox is absent. */
interface Health {
  time: string; version: string; started: string;
  processes: { role: string; pid: number; residentBytes?: number; peakBytes: number; cpuSeconds: number; started?: string }[];
  /** What waits in memory to be written. */
  queues?: { name: string; waitingBytes: number; roomBytes: number }[];
  /** Logs whose end is signed: nobody takes lines away behind it. */
  logs?: { name: string; lines: number; head: string }[];
  disk: { totalBytes?: number; freeBytes?: number; tablesBytes: number; stateBytes?: number };
  rows: { count: number; sources: number; silent: number }; hubs: { count: number; bytes: number; refusedSinceStart: number };
  hardening: { time: string; report: Report }[];
}
interface Report { Role: string; Kernel?: string; LandlockAbi?: number; SecretMemory?: string; Layers?: Record<string, boolean>; Reasons?: Record<string, string>; Event?: string; Signal?: number; ExitCode?: number; Restarts?: number }
const growthQuery = "search *\n| summarize Total = count(), Day = countif(TimeGenerated > ago(1d)), First = min(TimeGenerated)";
const collectQuery = "RingfortCollect\n| where isnotempty(Protocol)\n| summarize arg_max(TimeGenerated, Protocol, LastSeen, LastError), Rows = sum(Rows), Bytes = sum(Bytes), Rejected = sum(Rejected), Dropped = sum(Dropped), Refused = sum(Refused) by Listener, Source\n| extend Lost = Rejected + Dropped + Refused\n| order by LastSeen desc";
const denialsQuery = "RingfortDenials\n| summarize Count = sum(Count), Last = max(TimeGenerated) by Mechanism, Code, Status, Route, Reason\n| top 100 by Last desc";
const hardeningQuery = "RingfortHardening\n| summarize arg_max(TimeGenerated, *) by Process, Control";

/** How a layer stands in a process: what is not of its role is no fault. */
const layer = (r: Report, name: string): "ok" | "fail" | "none" => (r.Layers?.[name] ? "ok" : r.Layers?.[name] === undefined || r.Reasons?.[name] === "not of this role" ? "none" : "fail");

const named = (group: string, n: string): string => (hasText(`health.${group}.${n}`) ? t(`health.${group}.${n}`) : n);

export default class extends Page {
  bodyClass = "p-health";
  health = this.load<Health>((signal) => get<Health>("/portal/api/health", { signal }), { what: () => t("health.reading"), needs: () => ({ role: "Reader", on: session().subscription }), empty: () => false });
  #rows = (query: string): Loader<Result> => this.load<Result>((signal) => kql(query, { range: this.range, signal }), { auto: false, what: () => t("health.reading"), needs: () => ({ role: "Log Analytics Reader", on: session().workspace.name }), empty: () => false });
  growth = this.load<Result>((signal) => kql(growthQuery, { signal }), { auto: false, empty: () => false });
  collect = this.#rows(collectQuery);
  denials = this.#rows(denialsQuery);
  audit = new Audit(this);

  get #isAudit(): boolean { return this.q("tab") === "audit"; }
  connectedCallback() { super.connectedCallback(); this.#readTab(); }
  disconnectedCallback() { super.disconnectedCallback(); this.audit.end(); }
  queryChanged(changed: Set<string>) { if (["tab", "t", "f", "q"].some((k) => changed.has(k))) this.#readTab(); }
  #readTab() { if (this.#isAudit) void this.audit.rows.run(); else { void this.collect.run(); void this.denials.run(); if (!this.growth.at) void this.growth.run(); } }
  #again() { void this.health.run(); this.growth.at = undefined; this.#readTab(); }

  head(): Head { return { title: t("page.health"), time: "24h", tabs: [{ text: t("health.health") }, { text: t("health.audit"), tab: "audit" }], acts: [{ text: t("act.read-again"), icon: "refresh", run: () => this.#again() }] }; }
  keys(): Key[] {
    const tab = (to: string | null) => () => this.setQ({ tab: to, sel: null, f: null, q: null, sort: null }, { push: true });
    return [{ key: "r", text: t("act.read-again"), run: () => this.#again() }, { key: "1", text: t("health.health"), run: tab(null) }, { key: "2", text: t("health.audit"), run: tab("audit") }, { key: "Escape", text: t("health.close"), run: () => this.audit.close() }];
  }
  copyAs(): CopyItem[] {
    return this.#isAudit ? this.audit.copyAs() : [{ kind: "kql", label: t("health.kql-collect"), text: collectQuery }, { kind: "kql", label: t("health.kql-denials"), text: denialsQuery }, { kind: "kql", label: t("health.kql-hardening"), text: hardeningQuery }, ...(this.health.value ? [{ kind: "json" as const, text: JSON.stringify(this.health.value, null, 2) }] : []), { kind: "curl", text: curlLine(location.origin, "GET", "/portal/api/health") }];
  }
  body() { return this.#isAudit ? this.audit.body() : html`${this.health.value ? nothing : html`<section class="card wide">${this.health.show(() => nothing)}</section>`}${this.health.value ? this.#machine(this.health.value) : nothing}${this.#streams()}`; }

  // ---- the machine ----
  /** Days until the disk is full, from the share of rows that came in the last day. Null with less than a day of rows. */
  #days(h: Health): number | null {
    const g = this.growth.value ? records(this.growth.value)[0] : undefined;
    if (!g?.Total || !g.Day || !h.disk.freeBytes || Date.now() - Date.parse(String(g.First)) < 86400e3) return null;
    return h.disk.freeBytes / (h.disk.tablesBytes * (Number(g.Day) / Number(g.Total)));
  }
  #machine(h: Health) { return html`${this.#processes(h)}${this.#disk(h)}${this.#hardening(h)}`; }
  #processes(h: Health) {
    const pid = (p: Health["processes"][number]) => (p.pid > 1 ? html` <span class="t3">pid ${p.pid}</span>` : nothing);
    const one = (p: Health["processes"][number]) => html`<li><rf-icon n="host"></rf-icon><span class="grow"><b>${p.role}</b>${pid(p)}${p.started && Math.abs(Date.parse(p.started) - Date.parse(h.started)) > 60e3 ? html`<br><span class="t3" title=${stamp(p.started)}>${t("health.up", { time: duration(Date.parse(h.time) - Date.parse(p.started)) })}</span>` : nothing}</span><span class="facts"><span class="num">${p.residentBytes === undefined ? t("health.peak", { n: bytes(p.peakBytes) }) : t("health.memory", { n: bytes(p.residentBytes), peak: bytes(p.peakBytes) })}</span><span class="t3 num">${t("health.cpu", { time: duration(p.cpuSeconds * 1000) })}</span></span></li>`;
    const queue = (x: NonNullable<Health["queues"]>[number]) => { const full = x.roomBytes ? x.waitingBytes / x.roomBytes : 0, words = t("health.waits", { n: bytes(x.waitingBytes), room: bytes(x.roomBytes) }); return html`<li><span class="grow">${named("q", x.name)}</span><span class="meter" role="img" aria-label=${words}><i class=${full > 0.9 ? "bh" : full > 0.5 ? "bm" : "bo"} ${css({ width: `${Math.round(full * 100)}%` })}></i></span><span class="num">${words}</span></li>`; };
    return html`<section class="card" aria-label=${t("health.processes")}><header><h2>${t("health.processes")}</h2><span class="cap end">${t("state.as-of", { time: when(h.time) })}</span></header><div class="scroll" tabindex="0"><dl class="kv pad"><dt>${t("health.version")}</dt><dd>${h.version}</dd><dt>${t("health.started")}</dt><dd>${stamp(h.started)} <span class="t3">${t("health.up", { time: duration(Date.parse(h.time) - Date.parse(h.started)) })}</span></dd></dl>
      <ul class="lst">${h.processes.map(one)}</ul>${h.queues?.length ? html`<h3 class="cap sub">${t("health.queues")}</h3><ul class="lst queues">${h.queues.map(queue)}</ul>` : nothing}</div></section>`;
  }
  #disk(h: Health) {
    const d = h.disk, used = d.totalBytes && d.freeBytes !== undefined ? d.totalBytes - d.freeBytes : 0, full = d.totalBytes ? used / d.totalBytes : 0, days = this.#days(h), words = d.totalBytes ? t("health.disk-of", { used: bytes(used), total: bytes(d.totalBytes) }) : "";
    const fact = (name: string, v: unknown) => html`<dt>${name}</dt><dd>${v}</dd>`;
    const log = (x: NonNullable<Health["logs"]>[number]) => html`<li><span class="grow">${named("log", x.name)}</span><span class="facts"><span class="num">${t("health.lines", { n: x.lines })}</span><span class="row"><code class="t3" title=${x.head}>${x.head.slice(0, 12)}…</code><button class="btn s quiet ic" aria-label=${t("health.copy-head")} @click=${() => void copyText(x.head, t("health.head"))}><rf-icon n="copy"></rf-icon></button></span></span></li>`;
    return html`<section class="card" aria-label=${t("health.disk")}><header><h2>${t("health.disk")}</h2></header><div class="scroll"><div class="pad">${d.totalBytes ? html`<div class="meter" role="img" aria-label=${words}><i class=${full > 0.9 ? "bh" : full > 0.75 ? "bm" : "bo"} ${css({ width: `${Math.round(full * 100)}%` })}></i></div>` : nothing}
      <dl class="kv">${d.totalBytes ? html`${fact(t("health.used"), words)}${fact(t("health.free"), bytes(d.freeBytes!))}${fact(t("health.days"), days === null ? html`<span class="t3">${t("health.days-unknown")}</span>` : html`<b class=${days < 14 ? "late" : ""}>${t("unit.d", { n: Math.floor(days) })}</b> <span class="t3">${t("health.days-how")}</span>`)}` : nothing}
        ${fact(t("health.tables"), bytes(d.tablesBytes))}${d.stateBytes === undefined ? nothing : fact(t("health.state"), bytes(d.stateBytes))}
        ${fact(t("health.hubs"), html`<a href=${href("/hubs")}>${t("health.hubs-of", { n: h.hubs.count, bytes: bytes(h.hubs.bytes) })}</a>${h.hubs.refusedSinceStart ? html`, <span class="c-high">${t("health.refused", { n: h.hubs.refusedSinceStart })}</span>` : nothing}`)}
        ${fact(t("health.sources"), html`<a href=${href("/connect")}>${t("health.sources-of", { n: h.rows.sources, silent: h.rows.silent })}</a>`)}</dl></div>${h.logs?.length ? html`<h3 class="cap sub">${t("health.heads")}</h3><ul class="lst">${h.logs.map(log)}</ul>` : nothing}</div></section>`;
  }
  /** Layers down, processes across: what does not hold is loud and says why below. */
  #hardening(h: Health) {
    const all = h.hardening, names = [...new Set(all.flatMap(({ report: r }) => Object.keys(r.Layers ?? {})))], faults = all.flatMap(({ report: r }) => names.filter((n) => layer(r, n) === "fail").map((n) => ({ role: r.Role, name: n, why: r.Reasons?.[n] ?? "" }))), ended = all.filter(({ report: r }) => r.Event);
    const cell = (r: Report, n: string) => { const s = layer(r, n); return html`<td title=${r.Reasons?.[n] ?? ""}>${s === "none" ? html`<span class="t3" aria-label=${t("health.not-of-role")}>-</span>` : html`<rf-state bare s=${s} word=${t(s === "ok" ? "mark.ok" : "mark.fail")}></rf-state>`}</td>`; };
    return html`<section class="card" aria-label=${t("health.hardening")}><header><h2>${t("health.hardening")}</h2>${all.length ? html`<rf-state s=${faults.length ? "fail" : "ok"} word=${faults.length ? t("health.missing", { n: faults.length }) : t("health.all-hold")}></rf-state>` : nothing}<a class="end" href=${href("/logs", {}, { q: hardeningQuery, t: "30d" })}>${t("health.in-logs")}</a></header>
      ${all.length ? html`<div class="tw" tabindex="0"><table class="g hard"><thead><tr><th scope="col">${t("health.c-layer")}</th>${all.map(({ report: r, time }) => html`<th scope="col" title=${stamp(time)}>${r.Role}</th>`)}</tr></thead><tbody>${names.map((n) => html`<tr><th scope="row" title=${n}>${n}</th>${all.map(({ report: r }) => cell(r, n))}</tr>`)}</tbody></table>
        ${faults.map((f) => html`<p class="why c-high">${f.role}, ${f.name}: ${f.why || "-"}</p>`)}${ended.map(({ report: r, time }) => html`<p class="why c-high">${r.Role}: ${t("health.ended", { event: r.Event!, code: r.ExitCode ?? 0, signal: r.Signal ?? 0, restarts: r.Restarts ?? 0 })} <time title=${stamp(time)}>${ago(time)}</time></p>`)}
        <p class="why t3">${all[0].report.Kernel ? t("health.kernel", { kernel: all[0].report.Kernel }) : ""} ${t("state.as-of", { time: when(all[0].time) })}</p></div>` : html`<div class="state"><p>${t("health.no-report")}</p></div>`}</section>`;
  }

  // ---- what comes in, what was refused ----
  #streams() {
    const time = (v: string) => html`<time title=${stamp(v)}>${when(v)}</time>`;
    const collectors: GridColumn[] = [{ id: "Listener", head: t("health.c-listener"), min: 90 }, { id: "Protocol", head: t("health.c-protocol"), width: 88 }, { id: "Source", head: t("health.c-source"), min: 92 }, { id: "Rows", head: t("health.c-rows"), width: 72, num: true }, { id: "Bytes", head: t("health.c-bytes"), width: 84, num: true, cell: (r) => bytes(r.Bytes) }, { id: "Lost", head: t("health.c-lost"), title: t("health.c-lost-long"), width: 62, num: true, cls: (r) => (r.Lost ? "c-high" : "") }, { id: "LastSeen", head: t("health.c-last"), width: 96, num: true, cell: (r) => time(r.LastSeen) }];
    const denials: GridColumn[] = [{ id: "Last", head: t("health.c-last"), width: 92, cell: (r) => time(r.Last) }, { id: "Mechanism", head: t("health.c-mechanism"), width: 92 }, { id: "Code", head: t("health.c-code"), min: 130 }, { id: "Route", head: t("health.c-route"), min: 110 }, { id: "Count", head: t("health.c-count"), width: 62, num: true }];
    const part = (l: Loader<Result>, name: string, query: string, columns: GridColumn[]) => html`<section class="card half" aria-label=${t(`health.${name}`)}><header><h2>${t(`health.${name}`)}</h2><a class="end" href=${href("/logs", {}, { q: query, t: this.range.text })}>${t("health.in-logs")}</a></header>
      ${l.show((r) => (r.rows.length ? html`<rf-grid name=${`health-${name}`} .label=${t(`health.${name}`)} .columns=${columns} .rows=${records(r)} nofoot></rf-grid>` : html`<div class="state"><p>${t(`health.no-${name}`)}</p></div>`))}</section>`;
    return html`${part(this.collect, "collectors", collectQuery, collectors)}${part(this.denials, "denials", denialsQuery, denials)}`;
  }
}
