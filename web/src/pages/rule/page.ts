import { html, nothing } from "lit";
import { deleteResource, getResource, postAction, putResource, sentinel } from "../../data/arm";
import { kql, records, type Result } from "../../data/kql";
import { bodyOf, countWindows, entityTypes, faults, isoMs, isoShort, own, replay, type Rule, ruleIncidents, type RuleProperties, ruleRuns, shortIso, tactics, triggers, type Window } from "../../data/rules";
import { session } from "../../data/session";
import { duration, num, rangeWords, stamp, when } from "../../data/time";
import { t } from "../../i18n";
import type { ChartData } from "../../parts/charts";
import "../../parts/charts";
import { segmented } from "../../parts/choice";
import { curlLine } from "../../parts/copy-as";
import "../../parts/grid";
import type { GridColumn } from "../../parts/grid";
import { confirmImpact } from "../../parts/impact";
import "../../parts/inspector";
import { openMenu } from "../../parts/menu";
import { go, href } from "../../router";
import { type CopyItem, failure, type Head, type Key, Page } from "../../shell/page";
import { act } from "../../shell/tray";
import "./page.css";

interface Backtest { windows: Window[]; rows: (number | null)[]; every: number; done: number; busy: boolean; fault: string; days: number; error?: Error }
interface Draft { kind: string; properties: RuleProperties; at: number }
const most = 600;   // windows that one backtest asks
const operators = ["GreaterThan", "LessThan", "Equal", "NotEqual"], severities = ["High", "Medium", "Low", "Informational"];
const sevKey = (s: string): string => (s === "Informational" ? "info" : s.toLowerCase());
const fresh = (): RuleProperties => ({
  displayName: "", description: "", severity: "Medium", enabled: true, query: "", queryFrequency: "PT1H", queryPeriod: "PT1H", triggerOperator: "GreaterThan", triggerThreshold: 0, suppressionEnabled: false, suppressionDuration: "PT5H", tactics: [], techniques: [], subTechniques: [], entityMappings: [],
  eventGroupingSettings: { aggregationKind: "SingleAlert" }, incidentConfiguration: { createIncident: true, groupingConfiguration: { enabled: false, reopenClosedIncident: false, lookbackDuration: "PT5H", matchingMethod: "AllEntities", groupByEntities: [], groupByAlertDetails: [], groupByCustomDetails: [] } },
});
const copy = <T>(v: T): T => JSON.parse(JSON.stringify(v)) as T;

export default class extends Page {
  bodyClass = "p-rule";
  #draft: Draft | null = null;
  #loaded = "";
  #preview: { rows?: Result; counts?: (number | null)[]; windows?: Window[]; error?: Error; busy: boolean; query: string; at?: Date } = { busy: false, query: "" };
  #test: Backtest | null = null;
  #end: AbortController | null = null;

  get #new(): boolean { return this.params.id === "new"; }
  get #id(): string { return sentinel(`alertRules/${encodeURIComponent(this.params.id)}`); }
  rule = this.load<Rule | null>(async (signal) => {
    const from = this.#new ? this.q("from") : this.params.id;
    if (!from) { this.#take(null); return null; }
    const r = await getResource<Rule>(sentinel(`alertRules/${encodeURIComponent(from)}`), { signal });
    this.#take(r);
    return this.#new ? null : r;
  }, { what: () => t("rule.reading"), needs: () => ({ role: "Microsoft Sentinel Reader", on: session().workspace.name }), empty: () => false });
  runs = this.load<Result>((signal) => kql(ruleRuns(this.params.id), { range: this.range, signal }), { auto: false, what: () => t("rule.reading-runs"), needs: () => ({ role: "Log Analytics Reader", on: session().workspace.name }), empty: () => false });
  incidents = this.load<Result>((signal) => kql(ruleIncidents(this.params.id), { range: this.range, signal }), { auto: false, what: () => t("rule.reading-incidents"), needs: () => ({ role: "Log Analytics Reader", on: session().workspace.name }), empty: () => false });

  // ---- what is typed ----
  get #key(): string { return `rf-rule:${this.params.id}`; }
  #take(r: Rule | null) {
    const base: Draft = r ? { kind: r.kind, properties: copy(r.properties), at: 0 } : { kind: "Scheduled", properties: fresh(), at: 0 };
    if (this.#new && r) base.properties.displayName = t("rule.copy-of", { name: r.properties.displayName });
    if (this.#new && this.q("q")) base.properties.query = this.q("q");
    if (this.#loaded === this.params.id && this.#draft?.at) return;   // read again: what was typed stays
    this.#loaded = this.params.id;
    this.#draft = base;
    try { const kept = JSON.parse(sessionStorage.getItem(this.#key) ?? "null") as Draft | null; if (kept?.properties && (!r || this.#new || kept.kind === r.kind)) this.#draft = kept; } catch { /* nothing was kept */ }
  }
  /** Changes the draft; it outlives a reload of the page. */
  #set(change: (p: RuleProperties) => void) {
    if (!this.#draft) return;
    change(this.#draft.properties);
    this.#draft.at = Date.now();
    sessionStorage.setItem(this.#key, JSON.stringify(this.#draft));
    this.requestUpdate();
  }
  #discard = () => { sessionStorage.removeItem(this.#key); this.#draft = null; this.#loaded = ""; this.#take(this.rule.value ?? null); this.requestUpdate(); };
  get #dirty(): boolean { const d = this.#draft, r = this.rule.value; return !!d?.at && (!r || JSON.stringify(d.properties) !== JSON.stringify(r.properties)); }
  get #faults(): Record<string, string> { return this.#draft ? faults(this.#draft.kind, this.#draft.properties) : {}; }
  get #ours(): boolean { return own(this.#draft ?? {}); }

  connectedCallback() { super.connectedCallback(); this.#readTab(); }
  disconnectedCallback() { super.disconnectedCallback(); this.#end?.abort(); }
  queryChanged(changed: Set<string>) { if (changed.has("tab") || changed.has("t")) this.#readTab(); }
  #readTab() { if (this.q("tab") === "runs") { void this.runs.run(); void this.incidents.run(); } }

  // ---- acts ----
  #save = async () => {
    const d = this.#draft, was = this.rule.value, bad = Object.entries(this.#faults);
    if (!d || !this.#dirty) return;
    if (bad.length) { this.setQ({ tab: null }); await this.updateComplete; this.querySelector<HTMLElement>(`[data-f="${bad[0][0]}"]`)?.focus(); return; }
    const name = this.#new ? crypto.randomUUID() : this.params.id, id = sentinel(`alertRules/${encodeURIComponent(name)}`), next = copy(d), p = next.properties, before = was ? copy(was) : null;
    const grouping = p.incidentConfiguration?.groupingConfiguration;
    let saved: Rule | undefined;
    const ok = await confirmImpact({
      title: t(was ? "rule.save-title" : "rule.create-title", { name: p.displayName }), act: t(was ? "rule.save" : "rule.create"),
      impact: { changes: [t(p.enabled ? (next.kind === "NRT" ? "rule.effect-nrt" : "rule.effect-on") : "rule.effect-off", { frequency: isoShort(p.queryFrequency) }), t(p.incidentConfiguration?.createIncident === false ? "rule.effect-alerts" : grouping?.enabled ? "rule.effect-grouped" : "rule.effect-incidents"), ...(this.#estimate === null ? [] : [t("rule.effect-tested", { n: num(this.#estimate, 1) })])], before: before?.properties ?? {}, after: p },
      undo: t(was ? "rule.undo-save" : "rule.undo-create"),
      run: () => act({ text: t(was ? "rule.saved" : "rule.created", { name: p.displayName }), href: href("/rules/{id}", { id: name }), run: async () => { saved = await putResource<Rule>(id, bodyOf(next)); }, undo: () => (before ? putResource(id, bodyOf(before)) : deleteResource(id)).then(() => { if (this.isConnected) { this.#discard(); void this.rule.run(); } }) }),
    });
    if (!ok || !saved) return;
    sessionStorage.removeItem(this.#key);
    this.#draft = null; this.#loaded = "";
    if (this.#new) go(href("/rules/{id}", { id: saved.name }), { replace: true });
    else { this.#take(saved); this.rule.set(saved); this.requestUpdate(); }
  };
  #enable = () => void this.#flip();
  async #flip() {
    const r = this.rule.value;
    if (!r) return;
    const write = async (on: boolean) => { const saved = await putResource<Rule>(r.id, bodyOf({ ...r, properties: { ...(this.rule.value ?? r).properties, enabled: on } })); if (this.#draft) this.#draft.properties.enabled = saved.properties.enabled; if (!this.#draft?.at) { this.#draft = null; this.#loaded = ""; this.#take(saved); } this.rule.set(saved); };
    await act({ text: t(r.properties.enabled ? "rule.disabled" : "rule.enabled", { name: r.properties.displayName }), run: () => write(!r.properties.enabled), undo: () => write(r.properties.enabled) }).catch(() => undefined);
  }
  #runNow = async () => {
    const r = this.rule.value;
    if (!r || r.kind !== "Scheduled") return;
    const to = new Date(), from = new Date(+to - isoMs(r.properties.queryPeriod));
    const done = await confirmImpact({ title: t("rule.run-title", { name: r.properties.displayName }), act: t("rule.run-now"), impact: { changes: [t("rule.run-window", { from: stamp(from), to: stamp(to) }), t("rule.run-effect")] }, undo: t("rule.run-undo"),
      run: () => act({ text: t("rule.ran", { name: r.properties.displayName }), href: href("/rules/{id}", { id: r.name }, { tab: "runs" }), run: () => postAction(`${r.id}/triggerRuleRun`, { properties: { executionTimeUtc: to.toISOString() } }, { version: "2024-10-01-preview" }) }) });
    if (done) this.setQ({ tab: "runs" }, { push: true });
    if (done) for (const ms of [1500, 5000]) setTimeout(() => { if (this.isConnected && this.q("tab") === "runs") this.#readTab(); }, ms);
  };
  #remove = async () => {
    const r = this.rule.value;
    if (!r) return;
    const n = await kql(`${ruleIncidents(r.name)}\n| where Status != "Closed"\n| project IncidentNumber, Title`).then((x) => records(x), () => []);
    const done = await confirmImpact({ title: t("rule.delete-title", { name: r.properties.displayName }), act: t("rule.delete"), danger: true, word: r.properties.displayName, impact: { changes: [t("rule.delete-effect"), t("rule.delete-stays", { n: n.length })], hits: n.slice(0, 8).map((x) => ({ text: `${x.IncidentNumber} ${x.Title}`, href: href("/incidents/{n}", { n: String(x.IncidentNumber) }) })) }, undo: t("rule.delete-undo"),
      run: () => act({ text: t("rule.deleted", { name: r.properties.displayName }), run: () => deleteResource(r.id) }) });
    if (done) { sessionStorage.removeItem(this.#key); go(href("/rules")); }
  };

  // ---- preview and backtest ----
  #runPreview = async () => {
    const d = this.#draft;
    if (!d || this.#preview.busy || !d.properties.query.trim()) return;
    this.#end?.abort();
    const end = (this.#end = new AbortController()), p = d.properties, now = new Date(), period = d.kind === "NRT" ? 60e3 : isoMs(p.queryPeriod) || 3600e3, step = d.kind === "NRT" ? 300e3 : isoMs(p.queryFrequency) || period;
    this.#preview = { busy: true, query: p.query };
    this.requestUpdate();
    const windows = Array.from({ length: 12 }, (_, i) => ({ to: new Date(+now - (11 - i) * step), from: new Date(+now - (11 - i) * step - (d.kind === "NRT" ? step : period)) }));
    try {
      const rows = await kql(p.query, { range: { text: "", from: new Date(+now - (d.kind === "NRT" ? 3600e3 : period)), to: now, live: false }, signal: end.signal });
      this.#preview = { ...this.#preview, rows, at: now };
      this.requestUpdate();
      const counts = await countWindows(p.query, windows, { signal: end.signal });
      this.#preview = { ...this.#preview, windows, counts };
    } catch (e) { if (!end.signal.aborted) this.#preview = { ...this.#preview, error: e as Error }; }
    if (this.#end === end || !end.signal.aborted) { this.#preview.busy = false; this.requestUpdate(); }
  };
  #plan(days: number): { step: number; total: number; every: number } {
    const d = this.#draft!, step = d.kind === "NRT" ? 300e3 : isoMs(d.properties.queryFrequency) || 3600e3, total = Math.max(1, Math.floor((days * 86400e3) / step));
    return { step, total, every: Math.max(1, Math.ceil(total / most)) };
  }
  #runTest = async () => {
    const d = this.#draft;
    if (!d || !d.properties.query.trim()) return;
    this.#end?.abort();
    const end = (this.#end = new AbortController()), days = Number(this.q("days", "1")) || 1, { step, total, every } = this.#plan(days), now = Date.now(), period = d.kind === "NRT" ? step : isoMs(d.properties.queryPeriod) || step;
    const windows = Array.from({ length: Math.floor(total / every) || 1 }, (_, i) => i).map((i) => { const to = now - (Math.floor(total / every) - 1 - i) * step * every; return { from: new Date(to - period), to: new Date(to) }; });
    const test: Backtest = (this.#test = { windows, rows: [], every, done: 0, busy: true, fault: "", days });
    this.requestUpdate();
    try { test.rows = await countWindows(d.properties.query, windows, { signal: end.signal, seen: (n) => { test.done = n; this.requestUpdate(); }, fault: (m) => { test.fault ||= m; } }); }
    catch (e) { if (!end.signal.aborted) test.error = e as Error; else if (this.#test === test) this.#test = null; }
    test.busy = false;
    this.requestUpdate();
  };
  get #alerts(): number[] { const x = this.#test, d = this.#draft; return x && d && x.rows.length ? replay(d.kind, d.properties, x.windows, x.rows) : []; }
  get #estimate(): number | null { const x = this.#test; return x && x.rows.length && !x.busy ? (this.#alerts.reduce((a, n) => a + n, 0) * x.every) / x.days : null; }

  // ---- frame ----
  head(): Head {
    const r = this.rule.value, d = this.#draft, name = d?.properties.displayName || r?.properties.displayName || t(this.#new ? "rules.new" : "page.rule");
    const tab = (text: string, tab?: string) => ({ text, tab });
    return {
      title: name, crumbs: [{ text: t("page.rules"), href: href("/rules") }, { text: this.#new ? t("rules.new") : this.params.id.slice(0, 8) }],
      heading: html`<span class="hd-name">${name}</span>`,
      tabs: this.#new ? [tab(t("rule.t-rule")), tab(t("rules.backtest"), "backtest"), tab("JSON", "json")] : [tab(t("rule.t-rule")), tab(t("rules.backtest"), "backtest"), tab(t("rule.t-runs"), "runs"), tab("JSON", "json")],
      time: this.q("tab") === "runs" ? "7d" : undefined,
      acts: [
        ...(this.#new || !r ? [] : [{ text: t("rule.run-now"), icon: "play", run: () => void this.#runNow(), disabled: r.kind !== "Scheduled", why: t("rule.run-why") }, { text: t("act.more"), icon: "more", run: (e: Event) => openMenu(e.currentTarget as HTMLElement, [{ text: t(r.properties.enabled ? "rules.disable" : "rules.enable"), run: this.#enable }, { text: t("rules.copy-rule"), icon: "copy", href: href("/rules/{id}", { id: "new" }, { from: r.name }) }, { text: t("rule.discard"), icon: "undo", disabled: !this.#dirty, run: this.#discard }, { text: t("rule.delete"), danger: true, line: true, run: () => void this.#remove() }], { end: true, label: t("act.more") }) }]),
        { text: t(this.#new ? "rule.create" : "rule.save"), icon: "save", primary: true, disabled: !this.#dirty || !this.#ours, why: t(this.#ours ? "rule.save-why" : "rule.not-ours"), run: () => void this.#save() },
      ],
    };
  }
  keys(): Key[] {
    return [
      { key: "Shift+Enter", text: t("rule.key-preview"), inFields: true, run: () => void this.#runPreview() },
      { key: "b", text: t("rules.key-backtest"), run: () => { this.setQ({ tab: "backtest" }, { push: true }); void this.#runTest(); } },
      { key: "w", text: t("rule.key-save"), run: () => void this.#save() },
      { key: "u", text: t("rule.run-now"), run: () => void this.#runNow() },
      { key: "Escape", text: t("rule.key-back"), run: () => go(href("/rules", {}, { sel: this.#new ? "" : this.params.id })) },
    ];
  }
  copyAs(): CopyItem[] {
    const d = this.#draft;
    if (!d) return [];
    const body = bodyOf(d), ws = session().workspace.name, rg = session().resourceGroup;
    return [
      { kind: "kql", text: d.properties.query }, { kind: "json", text: JSON.stringify(body, null, 2) },
      { kind: "arm", text: JSON.stringify({ type: "Microsoft.OperationalInsights/workspaces/providers/alertRules", apiVersion: "2025-09-01", name: `${ws}/Microsoft.SecurityInsights/${this.#new ? "RULE-ID" : this.params.id}`, ...body }, null, 2) },
      { kind: "curl", text: curlLine(location.origin, "PUT", `${this.#id}?api-version=2025-09-01`, body) },
      ...(this.#new ? [] : [{ kind: "az" as const, text: `az sentinel alert-rule show --resource-group ${rg} --workspace-name ${ws} --rule-id ${this.params.id}` }]),
    ];
  }

  body() {
    return this.rule.show(() => {
      if (!this.#draft) return nothing;
      switch (this.q("tab")) {
        case "backtest": return this.#testTab();
        case "runs": return this.#runsTab();
        case "json": return html`<section class="card wide"><header><h2>JSON</h2><span class="cap end">${this.#dirty ? t("rule.unsaved") : ""}</span></header><div class="scroll pad"><rf-inspector .value=${bodyOf(this.#draft)} .open=${2}></rf-inspector></div></section>`;
        default: return this.#ruleTab();
      }
    }, { skeleton: 12 });
  }

  // ---- the rule itself ----
  #ruleTab() {
    const d = this.#draft!, p = d.properties, f = this.#faults;
    if (!this.#ours) return html`<section class="card wide"><header><h2>${p.displayName ?? d.kind}</h2></header><p class="pad t2">${t("rule.not-ours")}</p><div class="scroll pad"><rf-inspector .value=${p} .open=${2}></rf-inspector></div></section>`;
    return html`${this.#dirty ? html`<div class="note wide"><rf-icon n="pen"></rf-icon><span class="grow">${t("rule.kept", { time: when(new Date(d.at)) })}</span><button class="btn s" @click=${this.#discard}>${t("rule.discard")}</button></div>` : nothing}
      <section class="card left" aria-label=${t("rules.query")}><header><h2>${t("rules.query")}</h2><span class="cap end">${t("rule.chars", { n: [...p.query].length })}</span><button class="btn s" @click=${() => void this.#runPreview()} aria-disabled=${this.#preview.busy ? "true" : nothing}><rf-icon n="play"></rf-icon>${t("rule.preview")} <kbd>Shift+Enter</kbd></button></header>
        <textarea class="kq mono" data-f="query" spellcheck="false" autocapitalize="off" aria-label=${t("rules.query")} aria-invalid=${f.query ? "true" : nothing} .value=${p.query} @input=${(e: Event) => this.#set((x) => { x.query = (e.target as HTMLTextAreaElement).value; })}></textarea>
        ${f.query && d.at ? html`<p class="bad pad" role="alert">${t(`rule.fault.${f.query}`)}</p>` : nothing}
        ${this.#previewPart()}</section>
      <section class="card right" aria-label=${t("rule.settings")}><div class="scroll form">${this.#form(d.kind, p, d.at ? f : {})}</div></section>`;
  }
  #previewPart() {
    const v = this.#preview, d = this.#draft!, p = d.properties;
    if (v.error) return html`<div class="pv">${failure(v.error, { what: t("rule.preview-failed"), retry: () => void this.#runPreview() })}</div>`;
    if (!v.rows) return html`<div class="pv"><div class="state"><p class="t2">${v.busy ? t("rule.running") : t("rule.preview-none")}</p></div></div>`;
    const n = v.rows.rows.length, hit = triggers(d.kind === "NRT" ? "GreaterThan" : p.triggerOperator, d.kind === "NRT" ? 0 : p.triggerThreshold, n), missing = this.#missing(v.rows);
    return html`<div class="pv"><div class="verdict"><rf-state s=${hit ? "fail" : "ok"} bare word=${hit ? t("rule.would") : t("rule.would-not")}></rf-state><b>${hit ? t("rule.would") : t("rule.would-not")}</b><span class="t2">${t("rule.counted", { n, op: t(`rules.op.${d.kind === "NRT" ? "GreaterThan" : p.triggerOperator}`, { n: d.kind === "NRT" ? 0 : p.triggerThreshold ?? 0 }) })}</span><span class="cap end">${v.at ? t("state.as-of", { time: when(v.at) }) : ""}${v.query !== p.query ? ` · ${t("rule.changed-since")}` : ""}</span></div>
      ${v.rows.partial ? html`<div class="note warn"><rf-icon n="incident"></rf-icon><span>${v.rows.partial.message}</span></div>` : nothing}
      ${missing.length ? html`<div class="note warn"><rf-icon n="incident"></rf-icon><span>${t("rule.missing", { columns: missing.join(", ") })}</span></div>` : nothing}
      ${v.counts && v.windows ? html`<rf-chart .data=${this.#chart(v.windows, v.counts)}></rf-chart>` : v.busy ? html`<p class="cap">${t("rule.counting")}</p>` : nothing}
      ${n ? html`<rf-grid .label=${t("rule.rows")} .columns=${columnsOf(v.rows)} .rows=${v.rows.rows.slice(0, 1000)} .total=${n}></rf-grid>` : nothing}</div>`;
  }
  #chart(windows: Window[], counts: (number | null)[]): ChartData {
    const d = this.#draft!, limit = d.kind === "NRT" ? 0 : d.properties.triggerThreshold ?? 0, hits = counts.filter((c) => c !== null && triggers(d.kind === "NRT" ? "GreaterThan" : d.properties.triggerOperator, limit, c)).length;
    return { kind: "line", x: windows.map((w) => w.to), series: [{ name: t("rule.rows"), values: counts }, { name: t("rule.threshold"), values: counts.map(() => limit) }], label: t("rule.chart", { n: windows.length, hits }) };
  }
  /** Columns that the rule names and the answer does not have. */
  #missing(r: Result): string[] {
    const have = new Set(r.columns.map((c) => c.name)), p = this.#draft!.properties, o = p.alertDetailsOverride ?? {};
    const named = [...(p.entityMappings ?? []).flatMap((m) => m.fieldMappings.map((x) => x.columnName)), ...Object.values(p.customDetails ?? {}), o.alertTacticsColumnName ?? "", o.alertSeverityColumnName ?? "", ...[o.alertDisplayNameFormat, o.alertDescriptionFormat].flatMap((s) => [...(s ?? "").matchAll(/\{\{\s*([^}]+?)\s*\}\}/g)].map((m) => m[1]))];
    return [...new Set(named.filter((c) => c && !have.has(c)))];
  }

  #form(kind: string, p: RuleProperties, f: Record<string, string>) {
    const text = (key: string, label: string, value: string, set: (v: string) => void, o: { hint?: string; area?: boolean; fault?: string; list?: string } = {}) => html`<label class="stack">${label}${o.area ? html`<textarea class="in" data-f=${key} rows="3" .value=${value} aria-invalid=${o.fault ? "true" : nothing} @input=${(e: Event) => this.#set(() => set((e.target as HTMLTextAreaElement).value))}></textarea>` : html`<input class="in" data-f=${key} autocomplete="off" spellcheck="false" list=${o.list ?? nothing} .value=${value} aria-invalid=${o.fault ? "true" : nothing} @change=${(e: Event) => this.#set(() => set((e.target as HTMLInputElement).value))}>`}${o.fault ? html`<span class="bad" role="alert">${t(`rule.fault.${o.fault}`)}</span>` : o.hint ? html`<span class="cap">${o.hint}</span>` : nothing}</label>`;
    const choose = (key: string, label: string, value: string, all: { value: string; text: string }[], set: (v: string) => void) => html`<label class="stack">${label}<select class="in" data-f=${key} .value=${value} @change=${(e: Event) => this.#set(() => set((e.target as HTMLSelectElement).value))}>${all.map((x) => html`<option value=${x.value} ?selected=${x.value === value}>${x.text}</option>`)}</select></label>`;
    const check = (label: string, on: boolean, set: (v: boolean) => void) => html`<label class="row ck"><input type="checkbox" .checked=${on} @change=${(e: Event) => this.#set(() => set((e.target as HTMLInputElement).checked))}>${label}</label>`;
    const time = (key: keyof RuleProperties, label: string, fault?: string) => text(key as string, label, isoShort(p[key] as string), (v) => { p[key] = shortIso(v); }, { hint: t("rule.duration-hint"), fault });
    const inc = (p.incidentConfiguration ??= { createIncident: true }), g = inc.groupingConfiguration, cols = this.#preview.rows?.columns.map((c) => c.name) ?? [], o = p.alertDetailsOverride ?? {};
    const over = (k: "alertDisplayNameFormat" | "alertDescriptionFormat" | "alertTacticsColumnName" | "alertSeverityColumnName") => (v: string) => { const n = { ...p.alertDetailsOverride }; if (v.trim()) n[k] = v.trim(); else delete n[k]; if (Object.keys(n).length) p.alertDetailsOverride = n; else delete p.alertDetailsOverride; };
    const many = (label: string, all: string[], now: string[] | undefined, set: (v: string[]) => void) => html`<fieldset class="chips"><legend>${label}</legend>${all.map((x) => html`<label class="chip out"><input type="checkbox" .checked=${!!now?.includes(x)} @change=${(e: Event) => this.#set(() => set((e.target as HTMLInputElement).checked ? [...(now ?? []), x] : (now ?? []).filter((y) => y !== x)))}>${x}</label>`)}</fieldset>`;
    return html`<datalist id="rule-cols">${cols.map((c) => html`<option value=${c}></option>`)}</datalist>
      <h3>${t("rule.s-what")}</h3>${text("displayName", t("rules.c-name"), p.displayName, (v) => { p.displayName = v; }, { fault: f.displayName })}${text("description", t("rule.description"), p.description ?? "", (v) => { p.description = v; }, { area: true })}
      <div class="two">${choose("severity", t("rules.c-severity"), p.severity, severities.map((s) => ({ value: s, text: t(`severity.${sevKey(s)}`) })), (v) => { p.severity = v; })}${this.#new ? choose("kind", t("rules.c-kind"), kind, ["Scheduled", "NRT"].map((k) => ({ value: k, text: k })), (v) => { this.#draft!.kind = v; for (const k of ["queryFrequency", "queryPeriod", "triggerOperator", "triggerThreshold"]) if (v === "NRT") delete p[k]; else p[k] ??= fresh()[k]; }) : html`<div class="stack">${t("rules.c-kind")}<span class="fix">${kind}</span></div>`}</div>
      ${check(t("rule.enabled-now"), p.enabled, (v) => { p.enabled = v; })}
      ${kind === "Scheduled" ? html`<h3>${t("rules.schedule")}</h3><div class="two">${time("queryFrequency", t("rule.frequency"), f.queryFrequency)}${time("queryPeriod", t("rule.period"), f.queryPeriod)}</div>
        <div class="two">${choose("triggerOperator", t("rules.trigger"), p.triggerOperator ?? "GreaterThan", operators.map((x) => ({ value: x, text: t(`rule.op.${x}`) })), (v) => { p.triggerOperator = v; })}${text("triggerThreshold", t("rule.threshold"), String(p.triggerThreshold ?? 0), (v) => { p.triggerThreshold = Number(v); }, { fault: f.triggerThreshold })}</div>
        ${text("startTimeUtc", t("rule.start"), p.startTimeUtc ?? "", (v) => { if (v.trim()) p.startTimeUtc = v.trim(); else delete p.startTimeUtc; }, { hint: t("rule.start-hint") })}` : html`<h3>${t("rules.schedule")}</h3><p class="t2">${t("rules.nrt")}</p>`}
      <h3>${t("rule.s-suppress")}</h3>${check(t("rule.suppress"), !!p.suppressionEnabled, (v) => { p.suppressionEnabled = v; p.suppressionDuration ??= "PT5H"; })}${p.suppressionEnabled ? time("suppressionDuration", t("rule.suppress-for"), f.suppressionDuration) : nothing}
      <h3>${t("rule.s-attack")}</h3>${many(t("rules.f-tactic"), tactics, p.tactics, (v) => { p.tactics = v; })}
      ${text("techniques", t("rule.techniques"), [...(p.techniques ?? []), ...(p.subTechniques ?? [])].join(", "), (v) => { const all = v.split(/[\s,;]+/).filter(Boolean).map((x) => x.toUpperCase()); p.techniques = all.filter((x) => !x.includes(".")); p.subTechniques = all.filter((x) => x.includes(".")); }, { hint: "T1110, T1110.003", fault: f.techniques })}
      <h3>${t("rule.s-entities")}</h3>${(p.entityMappings ?? []).map((m, i) => html`<fieldset class="map"><legend class="vh">${m.entityType}</legend><div class="row"><select class="in grow" aria-label=${t("rule.entity")} .value=${m.entityType} @change=${(e: Event) => this.#set(() => { const type = (e.target as HTMLSelectElement).value; m.entityType = type; m.fieldMappings = [{ identifier: entityTypes[type][0], columnName: m.fieldMappings[0]?.columnName ?? "" }]; })}>${[...new Set([...Object.keys(entityTypes), m.entityType])].map((x) => html`<option ?selected=${x === m.entityType}>${x}</option>`)}</select><button class="btn s quiet ic" aria-label=${t("rule.take-away", { what: m.entityType })} @click=${() => this.#set(() => { p.entityMappings!.splice(i, 1); })}><rf-icon n="x"></rf-icon></button></div>
        ${m.fieldMappings.map((x, k) => html`<div class="row"><select class="in" aria-label=${t("rule.identifier")} @change=${(e: Event) => this.#set(() => { x.identifier = (e.target as HTMLSelectElement).value; })}>${[...new Set([...(entityTypes[m.entityType] ?? []), x.identifier])].map((y) => html`<option ?selected=${y === x.identifier}>${y}</option>`)}</select><input class="in grow mono" list="rule-cols" aria-label=${t("rule.column")} placeholder=${t("rule.column")} .value=${x.columnName} @change=${(e: Event) => this.#set(() => { x.columnName = (e.target as HTMLInputElement).value.trim(); })}>${m.fieldMappings.length > 1 ? html`<button class="btn s quiet ic" aria-label=${t("rule.take-away", { what: x.identifier })} @click=${() => this.#set(() => { m.fieldMappings.splice(k, 1); })}><rf-icon n="min"></rf-icon></button>` : nothing}${k === m.fieldMappings.length - 1 && m.fieldMappings.length < 3 ? html`<button class="btn s quiet ic" aria-label=${t("rule.add-identifier")} @click=${() => this.#set(() => { m.fieldMappings.push({ identifier: entityTypes[m.entityType]?.find((y) => !m.fieldMappings.some((z) => z.identifier === y)) ?? "", columnName: "" }); })}><rf-icon n="plus"></rf-icon></button>` : nothing}</div>`)}</fieldset>`)}
      ${f.entityMappings ? html`<span class="bad" role="alert">${t(`rule.fault.${f.entityMappings}`)}</span>` : nothing}
      ${(p.entityMappings?.length ?? 0) < 10 ? html`<button class="btn s" data-f="entityMappings" @click=${() => this.#set(() => { (p.entityMappings ??= []).push({ entityType: "Account", fieldMappings: [{ identifier: "FullName", columnName: "" }] }); })}><rf-icon n="plus"></rf-icon>${t("rule.add-entity")}</button>` : nothing}
      <h3>${t("rule.s-alert")}</h3>${choose("aggregation", t("rule.aggregation"), p.eventGroupingSettings?.aggregationKind ?? "SingleAlert", ["SingleAlert", "AlertPerResult"].map((x) => ({ value: x, text: t(`rule.${x}`) })), (v) => { p.eventGroupingSettings = { aggregationKind: v }; })}
      ${text("nameFormat", t("rule.name-format"), o.alertDisplayNameFormat ?? "", over("alertDisplayNameFormat"), { hint: t("rule.format-hint") })}${text("descriptionFormat", t("rule.description-format"), o.alertDescriptionFormat ?? "", over("alertDescriptionFormat"))}
      <div class="two">${text("severityColumn", t("rule.severity-column"), o.alertSeverityColumnName ?? "", over("alertSeverityColumnName"), { list: "rule-cols" })}${text("tacticsColumn", t("rule.tactics-column"), o.alertTacticsColumnName ?? "", over("alertTacticsColumnName"), { list: "rule-cols" })}</div>
      ${text("customDetails", t("rule.details"), Object.entries(p.customDetails ?? {}).map(([k, v]) => `${k}=${v}`).join("\n"), (v) => { const all = v.split("\n").filter((l) => l.trim()).map((l) => { const at = l.indexOf("="); return at < 0 ? [l.trim(), ""] : [l.slice(0, at).trim(), l.slice(at + 1).trim()]; }); if (all.length) p.customDetails = Object.fromEntries(all); else delete p.customDetails; }, { area: true, hint: t("rule.details-hint"), fault: f.customDetails })}
      <h3>${t("rule.s-incidents")}</h3>${check(t("rule.create-incident"), inc.createIncident, (v) => { inc.createIncident = v; })}
      ${inc.createIncident ? html`${check(t("rule.group"), !!g?.enabled, (v) => { inc.groupingConfiguration = { ...fresh().incidentConfiguration!.groupingConfiguration!, ...g, enabled: v }; })}
        ${g?.enabled ? html`${text("lookback", t("rule.lookback"), isoShort(g.lookbackDuration), (v) => { g.lookbackDuration = shortIso(v); }, { hint: t("rule.duration-hint"), fault: f.lookback })}${choose("matching", t("rule.matching"), g.matchingMethod, ["AllEntities", "AnyAlert", "Selected"].map((x) => ({ value: x, text: t(`rule.m-${x}`) })), (v) => { g.matchingMethod = v; })}${f.matching ? html`<span class="bad" role="alert">${t(`rule.fault.${f.matching}`)}</span>` : nothing}
          ${g.matchingMethod === "Selected" ? html`${many(t("rule.by-entities"), [...new Set((p.entityMappings ?? []).map((m) => m.entityType))], g.groupByEntities, (v) => { g.groupByEntities = v; })}${many(t("rule.by-details"), ["DisplayName", "Severity"], g.groupByAlertDetails, (v) => { g.groupByAlertDetails = v; })}${Object.keys(p.customDetails ?? {}).length ? many(t("rule.details"), Object.keys(p.customDetails!), g.groupByCustomDetails, (v) => { g.groupByCustomDetails = v; }) : nothing}` : nothing}
          ${check(t("rule.reopen"), g.reopenClosedIncident, (v) => { g.reopenClosedIncident = v; })}` : nothing}` : nothing}`;
  }

  // ---- backtest ----
  #testTab() {
    const d = this.#draft!, x = this.#test, days = Number(this.q("days", "1")) || 1, plan = this.#plan(days), alerts = this.#alerts, sum = alerts.reduce((a, n) => a + n, 0);
    const byDay = new Map<string, number>();
    if (x) x.windows.forEach((w, i) => { const k = w.to.toISOString().slice(0, 10); byDay.set(k, (byDay.get(k) ?? 0) + (alerts[i] ?? 0) * x.every); });
    const columns: GridColumn<number>[] = x ? [
      { id: "to", head: t("rule.window-end"), width: 170, value: (i) => x.windows[i].to, cell: (i) => html`<time>${stamp(x.windows[i].to)}</time>` }, { id: "from", head: t("rule.window-start"), width: 170, value: (i) => x.windows[i].from, cell: (i) => html`<time>${stamp(x.windows[i].from)}</time>` },
      { id: "rows", head: t("rule.rows"), width: 90, num: true, value: (i) => x.rows[i] }, { id: "alerts", head: t("rules.alerts"), width: 90, num: true, value: (i) => alerts[i] },
      { id: "open", head: "", sortable: false, value: () => "", cell: (i) => html`<a href=${href("/logs", {}, { q: d.properties.query, t: `${x.windows[i].from.toISOString()}/${x.windows[i].to.toISOString()}` })}>${t("rules.in-logs")}</a>` }] : [];
    return html`<section class="card wide" aria-label=${t("rules.backtest")}><header class="wrapd"><h2>${t("rules.backtest")}</h2>${segmented(t("rule.days"), ["1", "3", "7", "14", "30"].map((v) => ({ value: v, text: t("unit.d", { n: Number(v) }) })), String(days), (v) => this.setQ({ days: v === "1" ? null : v }))}
        <span class="t2">${t("rule.plan", { n: plan.total, step: duration(plan.step) })}${plan.every > 1 ? ` ${t("rule.sampled", { n: Math.floor(plan.total / plan.every), every: plan.every })}` : ""}</span>
        <span class="end row">${x?.busy ? html`<progress max=${x.windows.length} .value=${x.done} aria-label=${t("rule.progress", { n: x.done, of: x.windows.length })}></progress><button class="btn s" @click=${() => this.#end?.abort()}>${t("act.stop")}</button>` : html`<button class="btn pri" @click=${() => void this.#runTest()} aria-disabled=${d.properties.query.trim() ? nothing : "true"}><rf-icon n="play"></rf-icon>${t("rule.run-test")}</button>`}</span></header>
      ${!x ? html`<div class="state"><p>${t("rule.test-none")}</p></div>` : x.error ? failure(x.error, { what: t("rule.test-failed"), retry: () => void this.#runTest() }) : x.busy ? html`<p class="pad t2" role="status">${t("rule.progress", { n: x.done, of: x.windows.length })}</p>` : html`
        <div class="sum"><div><b class="big">${num(this.#estimate ?? 0, 1)}</b> ${t("rules.c-rate-long")}</div><div><b class="big">${num(sum * x.every)}</b> ${t("rule.alerts-in", { n: x.days })}</div><div><b class="big">${num(alerts.filter(Boolean).length)}</b> ${t("rule.hit-windows", { n: x.windows.length })}</div>${x.every > 1 ? html`<p class="cap">${t("rule.estimated", { every: x.every })}</p>` : nothing}</div>
        ${x.fault ? html`<div class="note warn"><rf-icon n="incident"></rf-icon><span>${t("rule.some-failed", { n: x.rows.filter((r) => r === null).length, why: x.fault })}</span></div>` : nothing}
        <div class="charts"><rf-chart .data=${this.#chart(x.windows, x.rows)}></rf-chart>${byDay.size > 1 ? html`<rf-chart .data=${{ kind: "column", x: [...byDay.keys()].map((k) => k.slice(5)), series: [{ name: t("rules.alerts"), values: [...byDay.values()] }], label: t("rule.by-day") } as ChartData}></rf-chart>` : nothing}</div>
        <rf-grid .label=${t("rule.windows")} .columns=${columns} .rows=${x.windows.map((_, i) => i).filter((i) => alerts[i] || x.rows[i] === null || !sum).reverse()} .rowKey=${(i: number) => String(i)} .sort=${this.q("sort")} @rf-sort=${(e: CustomEvent<string>) => this.setQ({ sort: e.detail })}></rf-grid>`}</section>`;
  }

  // ---- runs and incidents ----
  #runsTab() {
    const cell = (v: unknown) => html`<time title=${stamp(String(v))}>${when(String(v))}</time>`;
    const runs: GridColumn<any>[] = [
      { id: "TimeGenerated", head: t("rule.c-time"), width: 110, cell: (r) => cell(r.TimeGenerated) }, { id: "Status", head: t("rules.c-result"), width: 130, cell: (r) => html`<rf-state s=${r.Status === "Success" ? "ok" : "fail"} word=${r.Status === "Success" ? t("rules.result.ok") : r.Reason || t("rules.result.fail")}></rf-state>` },
      { id: "From", head: t("rule.window-start"), width: 170, cell: (r) => html`<time>${stamp(String(r.From))}</time>` }, { id: "To", head: t("rule.window-end"), width: 170, cell: (r) => html`<time>${stamp(String(r.To))}</time>` },
      { id: "Rows", head: t("rule.rows"), width: 80, num: true }, { id: "Alerts", head: t("rules.alerts"), width: 80, num: true }, { id: "Ms", head: t("rules.took"), width: 80, num: true, cell: (r) => duration(Number(r.Ms ?? 0)) }, { id: "Issue", head: t("rule.c-issue"), min: 160, value: (r) => (r.Status === "Success" ? "" : r.Issue || r.Description) }];
    const inc: GridColumn<any>[] = [
      { id: "IncidentNumber", head: t("rule.c-number"), width: 62, num: true }, { id: "Severity", head: t("rules.c-severity"), width: 118, cell: (r) => html`<rf-sev s=${r.Severity}></rf-sev>` },
      { id: "Title", head: t("rule.c-title"), min: 200, cell: (r) => html`<a class="nm" tabindex="-1" href=${href("/incidents/{n}", { n: r.IncidentNumber })}>${r.Title}</a>` }, { id: "Status", head: t("rule.c-status"), width: 90 }, { id: "CreatedTime", head: t("rule.c-created"), width: 110, num: true, cell: (r) => cell(r.CreatedTime) }];
    const none = (text: string) => html`<div class="state"><p>${text}</p></div>`;
    return html`<section class="card wide" aria-label=${t("rules.runs")}><header><h2>${t("rules.runs")}</h2><span class="cap end">${rangeWords(this.range)}</span></header>${this.runs.show((r) => (r.rows.length ? html`<rf-grid name="rule-runs" .label=${t("rules.runs")} .columns=${runs} .rows=${records(r)} .sort=${this.q("sort")} @rf-sort=${(e: CustomEvent<string>) => this.setQ({ sort: e.detail })}></rf-grid>` : none(t("rule.no-runs"))))}</section>
      <section class="card wide" aria-label=${t("page.incidents")}><header><h2>${t("page.incidents")}</h2></header>${this.incidents.show((r) => (r.rows.length ? html`<rf-grid name="rule-incidents" .label=${t("page.incidents")} .columns=${inc} .rows=${records(r)} @rf-open=${(e: CustomEvent<{ row: any }>) => go(href("/incidents/{n}", { n: e.detail.row.IncidentNumber }))}></rf-grid>` : none(t("rule.no-incidents"))))}</section>`;
  }
}
const columnsOf = (r: Result): GridColumn<any[]>[] => r.columns.filter((c) => c.name !== "TenantId" && c.name !== "Type").map((c) => { const i = r.columns.indexOf(c); return { id: `c${i}`, head: c.name, width: c.type === "datetime" ? 170 : 150, num: ["long", "int", "real", "decimal"].includes(c.type), value: (row) => row[i], cell: c.type === "datetime" ? (row) => html`<time>${stamp(row[i])}</time>` : undefined }; });
